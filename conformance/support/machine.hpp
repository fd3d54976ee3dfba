// Machine: the VM of a test with a guest loaded and ready to run: memory with the tables of its mode, code, control and
// general registers. What GuestCase rows run on; free-form tests of KVM_RUN make one themselves:
//
//   Machine m(t, Guest::spin, Mode::long64);
//   m.page().immediate_exit = 1;
//   EXPECT_THAT(m.run(), FailsWith(EINTR));
#pragma once

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "conformance/support/ctx.hpp"
#include "conformance/support/memory_slot.hpp"
#include "guests/catalog.hpp"
#include "kvmapi/exit.hpp"

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

class Machine {
 public:
  // Uses the VM, vcpu 0 and memory of `t`: guests::kRamBytes in slot 0. Capabilities that must be there before a vcpu
  // can be enabled on t.vm() first. A set-up call that fails ends the test as `broken`.
  Machine(Ctx& t, Guest guest, Mode mode, const Registers& start = {});
  // The same for another vcpu of the VM, which runs in the memory of `first`.
  Machine(Machine& first, kvmapi::Vcpu& vcpu, Guest guest, const Registers& start = {});

  Ctx& t;
  const Guest guest;
  const Mode mode;

  kvmapi::Vm& vm() const { return t.vm(); }
  kvmapi::Vcpu& vcpu() const { return vcpu_; }
  kvmapi::kvm_run& page() const { return vcpu_.page(); }
  kvmapi::Exit reason() const { return static_cast<kvmapi::Exit>(page().exit_reason); }
  kvmapi::Result<int> run() const { return vcpu_.run(); }

  // Guest memory from guest physical address 0.
  std::span<kvmapi::u8> ram() const { return {t.memory().data(), t.memory().size_bytes()}; }
  template <class T>
  T peek(kvmapi::u64 gpa) const {
    T value;
    std::memcpy(&value, host(gpa), sizeof value);
    return value;
  }
  template <class T>
  void poke(kvmapi::u64 gpa, T value) const {
    std::memcpy(host(gpa), &value, sizeof value);
  }
  void poke_text(kvmapi::u64 gpa, std::string_view text) const { std::memcpy(host(gpa), text.data(), text.size()); }
  std::string text_at(kvmapi::u64 gpa, std::size_t bytes) const {
    return std::string(reinterpret_cast<const char*>(host(gpa)), bytes);
  }
  // Where guest physical memory lies in this process.
  kvmapi::u8* host(kvmapi::u64 gpa) const { return t.memory().data() + gpa; }
  // Slot 0 anew, so that it ends at `bytes`.
  void shrink_ram_to(kvmapi::u64 bytes) const;

  // Guest address of a mark of the guest; ends the test as `broken` if there is none.
  kvmapi::u64 at(std::string_view mark) const;
  // Replaces the code by another guest's of the same mode, and nothing else.
  void load(Guest other) const;

  kvmapi::kvm_regs regs() const;
  kvmapi::kvm_sregs sregs() const;
  void set(const kvmapi::kvm_regs& regs) const;
  void set(const kvmapi::kvm_sregs& sregs) const;
  // m.change([](kvm_sregs& s) { s.cr0 |= 1; })
  template <class Change>
  void change(Change change) const {
    if constexpr (std::is_invocable_v<Change, kvmapi::kvm_sregs&>) {
      kvmapi::kvm_sregs now = sregs();
      change(now);
      set(now);
    } else {
      kvmapi::kvm_regs now = regs();
      change(now);
      set(now);
    }
  }
  // The value of the stack's n-th word, in words of the mode's interrupt frame; 0 is the top.
  kvmapi::u64 stack(unsigned n) const;
  // The interrupt frame of the running handler of `vector`.
  struct Frame {
    kvmapi::u64 error_code = 0, rip = 0, cs = 0, rflags = 0;
  };
  Frame frame(unsigned vector) const;
  // The page table entry of `gpa`, changed: clears `off`, then sets `on`. Nothing without paging.
  void change_pte(kvmapi::u64 gpa, kvmapi::u64 on, kvmapi::u64 off = 0) const;

 private:
  void set_registers(const Registers& start) const;

  kvmapi::Vcpu& vcpu_;
};

// The kvm_sregs of a mode, on top of what the vcpu has (APIC base and the like stay).
void apply(const guests::Cpu& cpu, kvmapi::kvm_sregs& sregs);

}  // namespace conformance
