// Machine: guest memory, code and start state. See machine.hpp.
#include "conformance/support/machine.hpp"

#include <algorithm>

namespace conformance {
namespace {

using kvmapi::kvm_segment;
using kvmapi::u64;

kvm_segment segment(const guests::Segment& s) {
  return {.base = s.base,
          .limit = s.limit,
          .selector = s.selector,
          .type = s.type,
          .present = s.present,
          .dpl = s.dpl,
          .db = s.db,
          .s = s.s,
          .l = s.l,
          .g = s.g};
}

void put(u64& target, const Value& value) {
  if (value.is_set) target = value.value;
}

kvmapi::Vcpu& vcpu_with_guest_ram(Ctx& t) {
  t.set_memory_bytes(guests::kRamBytes);
  return t.vcpu();
}

}  // namespace

void apply(const guests::Cpu& cpu, kvmapi::kvm_sregs& sregs) {
  sregs.cs = segment(cpu.cs);
  sregs.ds = segment(cpu.ds);
  sregs.es = segment(cpu.es);
  sregs.fs = segment(cpu.fs);
  sregs.gs = segment(cpu.gs);
  sregs.ss = segment(cpu.ss);
  sregs.tr = segment(cpu.tr);
  sregs.gdt = {.base = cpu.gdt_base, .limit = cpu.gdt_limit};
  sregs.idt = {.base = cpu.idt_base, .limit = cpu.idt_limit};
  sregs.cr0 = cpu.cr0;
  sregs.cr3 = cpu.cr3;
  sregs.cr4 = cpu.cr4;
  sregs.efer = cpu.efer;
}

Machine::Machine(Ctx& t, Guest guest, Mode mode, const Registers& start)
    : t(t), guest(guest), mode(mode), vcpu_(vcpu_with_guest_ram(t)) {
  guests::prepare_memory(mode, ram());
  load(guest);
  set_registers(start);
}

Machine::Machine(Machine& first, kvmapi::Vcpu& vcpu, Guest guest, const Registers& start)
    : t(first.t), guest(guest), mode(first.mode), vcpu_(vcpu) {
  set_registers(start);
}

void Machine::set_registers(const Registers& start) const {
  // From 7.2 on, long mode in KVM_SET_SREGS needs a CPUID that has it.
  t.must(vcpu_.set_cpuid2(t.must(t.system().get_supported_cpuid(), "KVM_GET_SUPPORTED_CPUID")), "KVM_SET_CPUID2");
  change([this](kvmapi::kvm_sregs& sregs) { apply(guests::start_cpu(mode), sregs); });
  kvmapi::kvm_regs regs{.rsp = guests::kStackTop, .rip = guests::kLoad, .rflags = 2};
  put(regs.rax, start.rax);
  put(regs.rbx, start.rbx);
  put(regs.rcx, start.rcx);
  put(regs.rdx, start.rdx);
  put(regs.rsi, start.rsi);
  put(regs.rdi, start.rdi);
  put(regs.rsp, start.rsp);
  put(regs.rbp, start.rbp);
  put(regs.r8, start.r8);
  put(regs.r9, start.r9);
  put(regs.r10, start.r10);
  put(regs.r11, start.r11);
  put(regs.r12, start.r12);
  put(regs.r13, start.r13);
  put(regs.r14, start.r14);
  put(regs.r15, start.r15);
  put(regs.rip, start.rip);
  put(regs.rflags, start.rflags);
  set(regs);
}

void Machine::load(Guest other) const {
  const auto code = guests::code(other, mode);
  if (code.empty())
    t.broken(fmt::format("guest {} does not exist in mode {}", guests::name(other), guests::name(mode)));
  std::copy(code.begin(), code.end(), ram().begin() + guests::kLoad);
}

void Machine::shrink_ram_to(u64 bytes) const {
  t.must(vm().set_user_memory_region(slot(0).size(0)), "deleting slot 0");
  t.must(vm().set_user_memory_region(slot(0).size(bytes).host(host(0))), "a smaller slot 0");
}

u64 Machine::at(std::string_view mark) const {
  const auto address = guests::mark(guest, mode, mark);
  if (!address) t.broken(fmt::format("guest {} has no mark {}", guests::name(guest), mark));
  return *address;
}

kvmapi::kvm_regs Machine::regs() const { return t.must(vcpu_.get_regs(), "KVM_GET_REGS"); }
kvmapi::kvm_sregs Machine::sregs() const { return t.must(vcpu_.get_sregs(), "KVM_GET_SREGS"); }
void Machine::set(const kvmapi::kvm_regs& regs) const { t.must(vcpu_.set_regs(regs), "KVM_SET_REGS"); }
void Machine::set(const kvmapi::kvm_sregs& sregs) const { t.must(vcpu_.set_sregs(sregs), "KVM_SET_SREGS"); }

u64 Machine::stack(unsigned n) const {
  const unsigned bytes = guests::word_bytes(mode);
  u64 value = 0;
  const u64 address = regs().rsp + n * bytes;
  if (address + bytes > ram().size()) return ~0ull;
  std::memcpy(&value, host(address), bytes);
  return value;
}

Machine::Frame Machine::frame(unsigned vector) const {
  const bool has_code = mode != Mode::real && guests::has_error_code(vector);
  const unsigned first = has_code ? 1 : 0;
  return {
      .error_code = has_code ? stack(0) : 0, .rip = stack(first), .cs = stack(first + 1), .rflags = stack(first + 2)};
}

void Machine::change_pte(u64 gpa, u64 on, u64 off) const {
  const u64 at = guests::pte_address(mode, gpa);
  if (at == 0) return;
  u64 entry = 0;
  std::memcpy(&entry, host(at), guests::pte_bytes(mode));
  entry = (entry & ~off) | on;
  std::memcpy(host(at), &entry, guests::pte_bytes(mode));
}

}  // namespace conformance
