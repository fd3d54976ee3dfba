// The modes that a random guest can run in, and the processor state it starts with in each.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "conformance/random/place.hpp"
#include "kvmapi/uapi/vcpu.hpp"

namespace conformance::random {

enum class Mode : u8 {
  real,
  v86,      // virtual-8086, with 32-bit page tables
  prot16,   // 16-bit code without paging
  prot32,   // 32-bit code without paging
  paged32,  // 32-bit code, 32-bit page tables, 4-MiB pages
  pae,      // 32-bit code, PAE page tables, NX
  compat,   // 32-bit or 16-bit code of long mode
  long64,
};
inline constexpr Mode kEveryMode[] = {Mode::real,    Mode::v86, Mode::prot16, Mode::prot32,
                                      Mode::paged32, Mode::pae, Mode::compat, Mode::long64};

std::string_view name(Mode mode);
std::optional<Mode> mode_from_name(std::string_view name);

// "real, v86, ...": for messages.
std::string_view mode_names();

constexpr bool is_long(Mode mode) { return mode == Mode::compat || mode == Mode::long64; }
constexpr bool has_paging(Mode mode) { return mode != Mode::real && mode != Mode::prot16 && mode != Mode::prot32; }
// Whether a handler's frame has words of 2, 4 or 8 bytes.
constexpr unsigned frame_word(Mode mode) { return mode == Mode::real ? 2 : is_long(mode) ? 8 : 4; }

// How the code under test runs: its operand size, its ring.
struct Variant {
  Mode mode;
  u8 bits;                   // 16, 32 or 64
  u8 ring;                   // 0 or 3
  bool single_step = false;  // KVM_GUESTDBG_SINGLESTEP
};

// Segments, tables and control registers at the start. `sregs` keeps what it says about the APIC.
void set_start(const Variant& variant, kvmapi::kvm_sregs& sregs);

// Top of the stack that the code starts with.
constexpr u64 stack_top(const Variant& variant) { return variant.ring == 3 ? kUserStackTop : kKernelStackTop; }

// Memory from 0, kRamBytes long and zeroed: vectors, handlers, descriptor and page tables, and noise as data.
void build_image(Mode mode, std::span<u8> ram);

}  // namespace conformance::random
