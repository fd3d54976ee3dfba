// System management mode: KVM_SMI (api.rst 4.97), the state it saves and starts its handler with, RSM, what is blocked
// meanwhile, and kvm_run.flags, whose KVM_RUN_X86_SMM says that the vcpu is in it. Layouts: APM volume 2, chapter 10.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kvm_sregs;
using kvmapi::u16;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

constexpr u64 kSmbase = 0x30000, kSmramBytes = 0x20000, kHandler = 0x8000;
constexpr u32 kSmbaseMsr = 0x9e;
constexpr Needs kNeeds = {.cap = {Cap::X86Smm, Cap::MultiAddressSpace}};
// Offsets from SMBASE in the save state of a guest with long mode, and of one without.
enum Save64 : u64 {
  kEfer = 0xfed0,
  kBase64 = 0xff00,
  kCr4 = 0xff48,
  kCr3 = 0xff50,
  kCr0 = 0xff58,
  kDr7 = 0xff60,
  kRflags = 0xff70,
  kRip = 0xff78,
  kRbx = 0xffe0,
  kRax = 0xfff8,
  kCs = 0xfe10,
  kTr = 0xfe90,
  kGdtr = 0xfe60,
  kIdtr = 0xfe80,
  kRevision = 0xfefc
};
enum Save32 : u64 {
  kBase32 = 0xfef8,
  kCs32 = 0xffac,
  kCs32Rest = 0xff90,
  kEax = 0xffd0,
  kEip = 0xfff0,
  kEflags = 0xfff4,
  kCr0Of32 = 0xfffc,
  kGdtr32 = 0xff6c
};

// The default SMRAM, with a handler that makes one exit and returns. A vcpu in SMM sees the slots of address space 1
// (KVM_CAP_MULTI_ADDRESS_SPACE): the handler is there alone, and so is the guest's own memory.
struct Smram {
  explicit Smram(Machine& m) : machine(m), pages(kSmramBytes) {
    put_handler(kSmbase);
    m.t.must(m.vm().set_user_memory_region(slot(1).address_space(1).gpa(kSmbase).size(kSmramBytes).host(pages.data())),
             "SMRAM in address space 1");
  }
  ~Smram() { (void)machine.vm().set_user_memory_region(slot(1).address_space(1).size(0)); }
  void put_handler(u64 smbase) {
    const u8 out_al_0x20_then_rsm[] = {0xe6, 0x20, 0x0f, 0xaa};
    std::memcpy(pages.data() + (smbase - kSmbase) + kHandler, out_al_0x20_then_rsm, sizeof out_al_0x20_then_rsm);
  }
  template <class T>
  T saved(u64 offset) const {
    T value;
    std::memcpy(&value, pages.data() + offset, sizeof value);
    return value;
  }
  template <class T>
  void change(u64 offset, T value) {
    std::memcpy(pages.data() + offset, &value, sizeof value);
  }
  Machine& machine;
  HostPages pages;
};

kvmapi::kvm_vcpu_events events(Machine& m) { return m.t.must(m.vcpu().get_vcpu_events()); }

// Runs until the handler has made its exit, or the guest is back from it.
void run_into_handler(Machine& m) {
  ASSERT_TRUE(run_to_exit(m, io_out(0x20, 1, Bytes::of(static_cast<u8>(m.regs().rax))), __FILE__, __LINE__));
  ASSERT_EQ(m.page().flags & kvmapi::kRunX86Smm, kvmapi::kRunX86Smm);
}
void run_back(Machine& m, const char* mark = "after") {
  ASSERT_TRUE(run_to_exit(m, hlt().at(mark), __FILE__, __LINE__));
  EXPECT_EQ(m.page().flags & kvmapi::kRunX86Smm, 0);
}

void expect_smi_and_back(Ctx& t, Mode mode) {
  Machine m(t, Guest::hlt, mode, {.rbx = 0x1234});
  const Smram smram(m);
  const kvm_sregs before = m.sregs();
  t.must(m.vcpu().smi());
  EXPECT_EQ(events(m).smi.pending, 1);
  run_into_handler(m);
  EXPECT_EQ(events(m).smi.smm, 1);
  EXPECT_EQ(events(m).smi.pending, 0);
  run_back(m);
  EXPECT_EQ(m.regs().rbx, 0x1234u);
  EXPECT_EQ(events(m).smi.smm, 0);
  const kvm_sregs now = m.sregs();
  EXPECT_EQ(now.cr0, before.cr0);
  EXPECT_EQ(now.cr3, before.cr3);
  EXPECT_EQ(now.cr4, before.cr4);
  EXPECT_EQ(now.efer, before.efer);
  EXPECT_EQ(now.cs.base, before.cs.base);
  EXPECT_EQ(now.cs.selector, before.cs.selector);
  EXPECT_EQ(now.cs.l, before.cs.l);
  EXPECT_EQ(now.ss.selector, before.ss.selector);
  EXPECT_EQ(now.tr.selector, before.tr.selector);
  EXPECT_EQ(now.tr.base, before.tr.base);
  EXPECT_EQ(now.gdt.base, before.gdt.base);
  EXPECT_EQ(now.idt.base, before.idt.base);
  EXPECT_EQ(now.idt.limit, before.idt.limit);
}

KVM_TEST("run.smm", "interrupts_a_real_mode_guest_and_returns", "api.rst 5: KVM_RUN_X86_SMM", {.needs = kNeeds})
(Ctx& t) { expect_smi_and_back(t, Mode::real); }
KVM_TEST("run.smm", "interrupts_a_protected_mode_guest_and_returns", "api.rst 5: KVM_RUN_X86_SMM", {.needs = kNeeds})
(Ctx& t) { expect_smi_and_back(t, Mode::paged32); }
KVM_TEST("run.smm", "interrupts_a_pae_guest_and_returns", "api.rst 5: KVM_RUN_X86_SMM", {.needs = kNeeds})
(Ctx& t) { expect_smi_and_back(t, Mode::pae32); }
KVM_TEST("run.smm", "interrupts_a_long_mode_guest_and_returns", "api.rst 5: KVM_RUN_X86_SMM", {.needs = kNeeds})
(Ctx& t) { expect_smi_and_back(t, Mode::long64); }

KVM_TEST("run.smm", "handler_starts_in_real_mode_with_4_gib_segments", "APM 2: 10.3.5", {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64, {.rflags = 0x202});
  const Smram smram(m);
  t.must(m.vcpu().smi());
  run_into_handler(m);
  const kvm_sregs s = m.sregs();
  EXPECT_EQ(m.regs().rip, kHandler);
  EXPECT_EQ(m.regs().rflags, 2u);
  EXPECT_EQ(s.cs.base, kSmbase);
  EXPECT_EQ(s.cs.selector, kSmbase >> 4);
  EXPECT_EQ(s.cs.limit, 0xffffffff);
  EXPECT_EQ(s.ds.base, 0u);
  EXPECT_EQ(s.ds.limit, 0xffffffff);
  EXPECT_EQ(s.ss.selector, 0);
  EXPECT_EQ(s.cr0 & 0x8000000d, 0u) << "PE, EM, TS, PG";
  EXPECT_EQ(s.cr4, 0u);
  EXPECT_EQ(s.efer & 0x500, 0u) << "LME, LMA";
  EXPECT_EQ(s.idt.limit, 0);
  EXPECT_EQ(t.must(m.vcpu().get_debugregs()).dr7, 0x400u);
  EXPECT_EQ(events(m).nmi.masked, 1);
}

KVM_TEST("run.smm", "state_of_a_guest_with_long_mode_is_saved_as_amd64_defines", "APM 2: 10.2.3", {.needs = kNeeds})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64, {.rax = 0xa1a2a3a4a5a6a7a8, .rbx = 0xb1b2b3b4b5b6b7b8, .rflags = 0x202});
  const Smram smram(m);
  const kvm_sregs s = m.sregs();
  t.must(m.vcpu().smi());
  run_into_handler(m);
  EXPECT_EQ(smram.saved<u64>(kRax), 0xa1a2a3a4a5a6a7a8);
  EXPECT_EQ(smram.saved<u64>(kRbx), 0xb1b2b3b4b5b6b7b8);
  EXPECT_EQ(smram.saved<u64>(kRip), guests::kLoad);
  EXPECT_EQ(smram.saved<u64>(kRflags), 0x202u);
  EXPECT_EQ(smram.saved<u64>(kCr0), s.cr0);
  EXPECT_EQ(smram.saved<u64>(kCr3), s.cr3);
  EXPECT_EQ(smram.saved<u64>(kCr4), s.cr4);
  EXPECT_EQ(smram.saved<u64>(kEfer), s.efer);
  EXPECT_EQ(smram.saved<u64>(kDr7), 0x400u);
  EXPECT_EQ(smram.saved<u16>(kCs), s.cs.selector);
  EXPECT_EQ(smram.saved<u16>(kCs + 2), 0xa09b) << "attributes: g, l, present, code";
  EXPECT_EQ(smram.saved<u32>(kCs + 4), s.cs.limit);
  EXPECT_EQ(smram.saved<u16>(kTr), s.tr.selector);
  EXPECT_EQ(smram.saved<u64>(kTr + 8), s.tr.base);
  EXPECT_EQ(smram.saved<u32>(kGdtr + 4), s.gdt.limit);
  EXPECT_EQ(smram.saved<u64>(kGdtr + 8), s.gdt.base);
  EXPECT_EQ(smram.saved<u64>(kIdtr + 8), s.idt.base);
  EXPECT_EQ(smram.saved<u32>(kRevision), 0x20064u);
  EXPECT_EQ(smram.saved<u32>(kBase64), kSmbase);
}

// The layout follows the guest's CPUID, not its mode.
void hide_long_mode(Machine& m) {
  auto cpuid = m.t.must(m.t.system().get_supported_cpuid());
  for (auto& entry : cpuid)
    if (entry.function == 0x80000001) entry.edx &= ~(1u << 29);
  m.t.must(m.vcpu().set_cpuid2(cpuid));
}

KVM_TEST("run.smm", "state_of_a_guest_without_long_mode_is_saved_in_the_32_bit_layout", "APM 2: 10.2.3",
         {.needs = kNeeds, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::paged32, {.rax = 0xa5a6a7a8, .rflags = 0x202});
  hide_long_mode(m);
  Smram smram(m);
  const kvm_sregs s = m.sregs();
  t.must(m.vcpu().smi());
  run_into_handler(m);
  EXPECT_EQ(smram.saved<u32>(kEax), 0xa5a6a7a8);
  EXPECT_EQ(smram.saved<u32>(kEip), guests::kLoad);
  EXPECT_EQ(smram.saved<u32>(kEflags), 0x202u);
  EXPECT_EQ(smram.saved<u32>(kCr0Of32), s.cr0);
  EXPECT_EQ(smram.saved<u32>(kCs32), s.cs.selector);
  EXPECT_EQ(smram.saved<u32>(kCs32Rest), 0x00c09b00u) << "as in a descriptor's upper half";
  EXPECT_EQ(smram.saved<u32>(kCs32Rest + 4), s.cs.limit);
  EXPECT_EQ(smram.saved<u32>(kGdtr32 + 8), s.gdt.base);
  EXPECT_EQ(smram.saved<u32>(kRevision), 0x20000u);
  EXPECT_EQ(smram.saved<u32>(kBase32), kSmbase);
  smram.change<u32>(kEax, 0x77);
  run_back(m);
  EXPECT_EQ(m.regs().rax, 0x77u);
  EXPECT_EQ(m.sregs().cr0, s.cr0);
}

KVM_TEST("run.smm", "rsm_loads_what_the_handler_left_in_the_save_state", "APM 2: 10.2.3", {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  Smram smram(m);
  t.must(m.vcpu().smi());
  run_into_handler(m);
  smram.change<u64>(kRbx, 0x123456789abc);
  smram.change<u64>(kRip, m.at("after"));
  run_back(m, "after_second");
  EXPECT_EQ(m.regs().rbx, 0x123456789abcu);
}

KVM_TEST("run.smm", "smbase_moves_the_handler_and_the_save_state", "APM 2: 10.2.1", {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  Smram smram(m);
  smram.put_handler(kSmbase + 0x1000);
  t.must(m.vcpu().set_msr(kSmbaseMsr, kSmbase + 0x1000));
  t.must(m.vcpu().smi());
  run_into_handler(m);
  EXPECT_EQ(m.sregs().cs.base, kSmbase + 0x1000);
  EXPECT_EQ(smram.saved<u64>(0x1000 + kRip), guests::kLoad);
  // The handler moves it back with its save state.
  smram.change<u32>(0x1000 + kBase64, kSmbase);
  run_back(m);
  EXPECT_EQ(t.must(m.vcpu().get_msr(kSmbaseMsr)), kSmbase);
}

KVM_TEST("run.smm", "second_smi_waits_for_rsm", "APM 2: 10.3.2", {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  const Smram smram(m);
  t.must(m.vcpu().smi());
  run_into_handler(m);
  t.must(m.vcpu().smi());
  EXPECT_EQ(events(m).smi.pending, 1);
  run_into_handler(m);
  EXPECT_EQ(smram.saved<u64>(kRip), guests::kLoad) << "no instruction of the guest ran between";
  EXPECT_EQ(events(m).smi.pending, 0);
  run_back(m);
}

KVM_TEST("run.smm", "nmi_waits_for_rsm", "APM 2: 10.3.3", {.needs = {.cap = {Cap::X86Smm, Cap::UserNmi}}})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  const Smram smram(m);
  t.must(m.vcpu().smi());
  run_into_handler(m);
  t.must(m.vcpu().nmi());
  ASSERT_TRUE(run_to_exit(m, taken(2), __FILE__, __LINE__));
  EXPECT_EQ(m.frame(2).rip, guests::kLoad);
}

KVM_TEST("run.smm", "inside_an_nmi_handler_keeps_nmis_blocked", "api.rst 4.31: smi.smm_inside_nmi",
         {.needs = {.cap = {Cap::X86Smm, Cap::UserNmi}}})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  const Smram smram(m);
  t.must(m.vcpu().nmi());
  ASSERT_TRUE(run_to_exit(m, taken(2), __FILE__, __LINE__));
  t.must(m.vcpu().smi());
  run_into_handler(m);
  EXPECT_EQ(events(m).smi.smm_inside_nmi, 1);
  run_back(m);
  EXPECT_EQ(events(m).nmi.masked, 0) << "the IRET of the NMI's handler has run";
  EXPECT_EQ(events(m).smi.smm_inside_nmi, 0);
}

KVM_TEST("run.smm", "comes_after_an_interrupt_that_is_queued", "kvm_check_and_inject_events",
         {.needs = kNeeds, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::long64, {.rflags = 0x202});
  const Smram smram(m);
  t.must(m.vcpu().interrupt(0x31));
  t.must(m.vcpu().smi());
  run_into_handler(m);
  EXPECT_EQ(smram.saved<u64>(kRip), guests::handler(0x31));
}

KVM_TEST("run.smm", "events_put_a_vcpu_into_smm", "api.rst 4.32: smi.smm", {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  const Smram smram(m);
  t.must(m.vcpu().smi());
  run_into_handler(m);
  kvmapi::kvm_vcpu_events saved = events(m);
  saved.flags = kvmapi::kVcpueventValidSmm;
  saved.smi.smm = 0;
  t.must(m.vcpu().set_vcpu_events(saved));
  EXPECT_EQ(events(m).smi.smm, 0);
  saved.smi.smm = 1;
  t.must(m.vcpu().set_vcpu_events(saved));
  run_back(m);
}

KVM_TEST("run.smm", "rsm_with_an_impossible_state_is_a_shutdown", "APM 2: 10.3.4", {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  Smram smram(m);
  t.must(m.vcpu().smi());
  run_into_handler(m);
  smram.change<u64>(kCr0, 0x80000010);  // PG without PE
  ASSERT_THAT(m.run(), Returns(0));
  constexpr Version kTripleFault{5, 14, 0};
  EXPECT_EQ(m.reason(), t.kernel() < kTripleFault ? Exit::InternalError : Exit::Shutdown);
}

KVM_TEST("run.smm", "save_state_without_memory_ends_the_vm", "enter_smm",
         {.needs = {.cap = Cap::X86Smm, .kernel = {6, 2, 0}}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  t.must(m.vcpu().smi());
  EXPECT_THAT(m.run(), FailsWith(EIO));
  EXPECT_THAT(m.vcpu().get_regs(), FailsWith(EIO));
  EXPECT_THAT(m.vm().check_extension(Cap::X86Smm), FailsWith(EIO));
}

constexpr GuestCase kOutside[] = {
    {.name = "rsm_outside_smm_is_an_invalid_opcode",
     .guest = Guest::rsm,
     .exits = {taken(6)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(6).rip, m.at("fault")); }},
    {.name = "smbase_is_no_msr_for_the_guest",
     .guest = Guest::rdmsr,
     .start = {.rcx = kSmbaseMsr},
     .exits = {taken(13)},
     .status = Abi::observed},
};
KVM_ROWS("run.smm", "APM 3: RSM", kOutside);

}  // namespace
}  // namespace conformance
