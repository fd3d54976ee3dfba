// GuestCase: a claim about KVM_RUN, as a row: an assembled guest, the registers it starts with, the exits it must make
// in order with every field, and the registers it must end with. A row runs once in every mode that its guest exists in
// (or in those of `.modes`); the mode is the last part of the test's id: run.out.byte_exits_with_its_data.long64.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string_view>

#include "conformance/support/call.hpp"
#include "conformance/support/machine.hpp"
#include "conformance/support/needs.hpp"
#include "conformance/support/registry.hpp"
#include "guests/catalog.hpp"
#include "kvmapi/exit.hpp"
#include "kvmapi/types.hpp"

namespace conformance {

// [](Machine& m) { m.poke_text(kData, "abc"); }: a captureless lambda.
struct MachineStep {
  void (*function)(Machine&) = nullptr;

  constexpr MachineStep() = default;
  template <class F>
  requires std::is_invocable_r_v<void, F, Machine&>
  consteval MachineStep(F) : function([](Machine& m) { F{}(m); }) {}  // NOLINT(google-explicit-constructor)

  explicit constexpr operator bool() const { return function != nullptr; }
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
  // The bytes of an integer as x86 stores it.
  template <class Integer>
  static constexpr Bytes of(Integer value) {
    Bytes result;
    result.count = sizeof value;
    for (std::size_t i = 0; i < sizeof value; ++i) {
      result.bytes[i] = static_cast<kvmapi::u8>(static_cast<kvmapi::u64>(value) >> (8 * i));
    }
    return result;
  }
  constexpr std::span<const kvmapi::u8> span() const { return std::span(bytes).first(count); }
};

// One return of KVM_RUN and what user space answers.
struct ExitStep {
  int error = 0;  // errno of KVM_RUN; nothing else is compared then
  kvmapi::Exit reason{};
  bool is_write = false;       // OUT and MMIO writes
  kvmapi::u64 address = 0;     // port or guest physical address
  unsigned size = 0;           // bytes per unit
  unsigned count = 1;          // units (string I/O)
  Bytes data{};                // written by the guest, or supplied to it
  kvmapi::u32 suberror = 0;    // KVM_EXIT_INTERNAL_ERROR
  const char* mark = nullptr;  // of the guest, where RIP must be
  Value rip{};
  MachineStep action{};

  // Where RIP must be at this exit: at a mark of the guest, or at an address.
  constexpr ExitStep at(const char* mark_name) const {
    ExitStep step = *this;
    step.mark = mark_name;
    return step;
  }
  constexpr ExitStep at(kvmapi::u64 address) const {
    ExitStep step = *this;
    step.rip = address;
    return step;
  }
  // What user space looks at or does before it runs the vcpu again.
  constexpr ExitStep then(MachineStep what) const {
    ExitStep step = *this;
    step.action = what;
    return step;
  }
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

// The handler of this vector runs: it halts at its first instruction (see guests/layout.hpp).
constexpr ExitStep taken(unsigned vector) { return hlt().at(guests::handler(vector) + 1); }
// An exit without a payload that is compared here.
constexpr ExitStep exits_with(kvmapi::Exit reason) { return {.reason = reason}; }
constexpr ExitStep run_fails(int error) { return {.error = error}; }

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
  MachineStep prepare{};  // more set-up, after memory and registers are in place
  ExitList exits{};
  Registers finish{};  // compared after the last exit
  Needs needs{};
  MachineStep check{};  // more assertions at the end
  Abi status = Abi::promised;
  const char* source = nullptr;
};

// Runs once and holds the return of KVM_RUN against `expected`, supplying data for reads. False after reporting a
// difference.
bool run_to_exit(Machine& m, const ExitStep& expected, const char* file, int line);

// "KVM_EXIT_IO out port 0x10 size 1 count 1 data 61".
std::string text(const ExitStep& step);

void add_rows(Registry& registry, const char* suite, const char* source, std::span<const GuestCase> rows);

}  // namespace conformance
