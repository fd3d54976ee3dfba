// GuestCase: a claim about KVM_RUN, as a row: an assembled guest, the registers it starts with, the exits it must make
// in order with every field, and the registers it must end with. A row runs once in every mode that its guest exists in
// (or in those of `.modes`); the mode is the last part of the test's id: run.out.byte_exits_with_its_data.long64.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string_view>

#include "conformance/support/call.hpp"
#include "conformance/support/needs.hpp"
#include "conformance/support/registry.hpp"
#include "guests/catalog.hpp"
#include "kvmapi/exit.hpp"
#include "kvmapi/types.hpp"

namespace conformance {

using guests::Guest;
using guests::Mode;

// A value that a row may leave out.
struct Value {
  kvmapi::u64 value = 0;
  bool is_set = false;
  constexpr Value() = default;
  constexpr Value(kvmapi::u64 v) : value(v), is_set(true) {}  // NOLINT(google-explicit-constructor)
};

// General registers. At the start: those left out are 0, but RIP, RSP and RFLAGS as guests/layout.hpp says. At the end:
// those left out are not looked at.
struct Registers {
  Value rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags;
};

// Up to 16 bytes as a string literal: "a", "\x12\x34". The length is the literal's.
struct Bytes {
  std::array<kvmapi::u8, 16> bytes{};
  unsigned count = 0;

  constexpr Bytes() = default;
  template <std::size_t N>
  constexpr Bytes(const char (&text)[N]) : count(N - 1) {  // NOLINT(google-explicit-constructor)
    static_assert(N - 1 <= 16);
    for (std::size_t i = 0; i + 1 < N; ++i) bytes[i] = static_cast<kvmapi::u8>(text[i]);
  }
  constexpr std::span<const kvmapi::u8> span() const { return std::span(bytes).first(count); }
};

// One exit to user space and what user space answers.
struct ExitStep {
  kvmapi::Exit reason{};
  bool is_write = false;     // OUT and MMIO writes
  kvmapi::u64 address = 0;   // port or guest physical address
  unsigned size = 0;         // bytes per unit
  unsigned count = 1;        // units (string I/O)
  Bytes data{};              // written by the guest, or supplied to it
  kvmapi::u32 suberror = 0;  // KVM_EXIT_INTERNAL_ERROR
};

constexpr ExitStep io_out(kvmapi::u64 port, unsigned size, Bytes data, unsigned count = 1) {
  return {.reason = kvmapi::Exit::Io, .is_write = true, .address = port, .size = size, .count = count, .data = data};
}
// `supplied`: what the guest reads.
constexpr ExitStep io_in(kvmapi::u64 port, unsigned size, Bytes supplied, unsigned count = 1) {
  return {
      .reason = kvmapi::Exit::Io, .is_write = false, .address = port, .size = size, .count = count, .data = supplied};
}
constexpr ExitStep mmio_write(kvmapi::u64 gpa, Bytes data) {
  return {.reason = kvmapi::Exit::Mmio, .is_write = true, .address = gpa, .size = data.count, .data = data};
}
constexpr ExitStep mmio_read(kvmapi::u64 gpa, Bytes supplied) {
  return {.reason = kvmapi::Exit::Mmio, .is_write = false, .address = gpa, .size = supplied.count, .data = supplied};
}
constexpr ExitStep hlt() { return {.reason = kvmapi::Exit::Hlt}; }
constexpr ExitStep shutdown() { return {.reason = kvmapi::Exit::Shutdown}; }
constexpr ExitStep internal_error(kvmapi::u32 suberror) {
  return {.reason = kvmapi::Exit::InternalError, .suberror = suberror};
}

class ExitList {
 public:
  static constexpr std::size_t kMax = 12;
  constexpr ExitList() = default;
  constexpr ExitList(std::initializer_list<ExitStep> steps) {
    for (const ExitStep& step : steps) steps_[count_++] = step;
  }
  constexpr std::span<const ExitStep> span() const { return std::span(steps_).first(count_); }

 private:
  std::array<ExitStep, kMax> steps_{};
  std::size_t count_ = 0;
};

// Which modes a row runs in; empty: all that the guest exists in.
class ModeSet {
 public:
  constexpr ModeSet() = default;
  constexpr ModeSet(Mode mode) { add(mode); }  // NOLINT(google-explicit-constructor)
  constexpr ModeSet(std::initializer_list<Mode> modes) {
    for (Mode mode : modes) add(mode);
  }
  constexpr bool has(Mode mode) const { return bits_ == 0 || (bits_ >> static_cast<unsigned>(mode) & 1) != 0; }

 private:
  constexpr void add(Mode mode) { bits_ |= 1u << static_cast<unsigned>(mode); }
  unsigned bits_ = 0;
};

struct GuestCase {
  RowName name;
  Guest guest{};
  ModeSet modes{};
  Registers start{};
  Step prepare{};  // more set-up, after memory and registers are in place
  ExitList exits{};
  Registers finish{};  // compared after the last exit
  Needs needs{};
  Step check{};  // more assertions at the end
  Abi status = Abi::promised;
  const char* source = nullptr;
};

// Puts a guest into t.memory() and t.vcpu(): memory image, code, control registers, general registers. The machinery of
// GuestCase for tests that drive KVM_RUN themselves.
void load_guest(Ctx& t, Guest guest, Mode mode, const Registers& start = {});

// Runs once and holds the exit against `expected`, supplying data for reads. False after reporting a difference.
bool run_to_exit(Ctx& t, const ExitStep& expected, const char* file, int line);

// "KVM_EXIT_IO out port 0x10 size 1 count 1 data 61".
std::string text(const ExitStep& step);

void add_rows(Registry& registry, const char* suite, const char* source, const char* file,
              std::span<const GuestCase> rows);

}  // namespace conformance
