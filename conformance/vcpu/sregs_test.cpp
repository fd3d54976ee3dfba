// KVM_GET_SREGS, KVM_SET_SREGS and their second form: what comes back, and the combinations that are refused.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_segment;
using kvmapi::kvm_sregs;
using kvmapi::kvm_sregs2;

constexpr u64 kPe = 1, kNe = 1u << 5, kEt = 1u << 4, kWp = 1u << 16, kNw = 1u << 29, kCd = 1u << 30, kPg = 1u << 31;
constexpr u64 kPse = 1u << 4, kPae = 1u << 5, kVmxe = 1u << 13, kOsfxsr = 1u << 9;
constexpr u64 kSce = 1, kLme = 1u << 8, kLma = 1u << 10, kNxe = 1u << 11;

// Guest CPUID as the host offers it: later kernels check CR4 and EFER against it.
void with_cpuid(Ctx& t) { t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid()))); }

// Sets what `change` makes of the current registers, with guest CPUID set.
template <auto kChange>
constexpr Call kSet = [](Ctx& t) {
  with_cpuid(t);
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  kChange(sregs);
  return t.vcpu().set_sregs(sregs);
};
template <auto kChange>
constexpr Call kSet2 = [](Ctx& t) {
  with_cpuid(t);
  kvm_sregs2 sregs = t.must(t.vcpu().get_sregs2());
  kChange(sregs);
  return t.vcpu().set_sregs2(sregs);
};

constexpr auto kLongMode = [](auto& s) {
  s.cr0 = kPe | kNe | kEt | kWp | kPg;
  s.cr4 = kPae | kOsfxsr;
  s.cr3 = 0x2000;
  s.efer = kLme | kLma;
  s.cs = kvm_segment{.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
  s.ss = s.ds = s.es =
      kvm_segment{.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
};

constexpr IoctlCase kModes[] = {
    {.name = "what_was_read_is_accepted", .call = kSet<[](kvm_sregs&) {}>, .expect = succeeds(0)},
    {.name = "protected_mode_is_accepted",
     .call = kSet<[](kvm_sregs& s) {
       s.cr0 |= kPe;
       s.cs = kvm_segment{.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
     }>,
     .expect = succeeds(0)},
    {.name = "long_mode_is_accepted",
     .call = kSet<[](kvm_sregs& s) { kLongMode(s); }>,
     .expect = succeeds(0),
     .needs = {.cpu = cpu_feature::kLongMode}},
    {.name = "long_mode_without_lma_is_einval",
     .call = kSet<[](kvm_sregs& s) {
       kLongMode(s);
       s.efer = kLme;
     }>,
     .expect = fails(EINVAL),
     .needs = {.cpu = cpu_feature::kLongMode}},
    {.name = "long_mode_without_pae_is_einval",
     .call = kSet<[](kvm_sregs& s) {
       kLongMode(s);
       s.cr4 = 0;
     }>,
     .expect = fails(EINVAL),
     .needs = {.cpu = cpu_feature::kLongMode}},
    {.name = "lma_without_paging_is_einval",
     .call = kSet<[](kvm_sregs& s) { s.efer = kLme | kLma; }>,
     .expect = fails(EINVAL)},
    {.name = "lma_without_lme_is_einval", .call = kSet<[](kvm_sregs& s) { s.efer = kLma; }>, .expect = fails(EINVAL)},
    {.name = "lme_without_paging_is_accepted",
     .call = kSet<[](kvm_sregs& s) { s.efer = kLme; }>,
     .expect = succeeds(0),
     .needs = {.cpu = cpu_feature::kLongMode}},
    {.name = "sixty_four_bit_code_segment_outside_long_mode_is_einval",
     .call = kSet<[](kvm_sregs& s) { s.cs.l = 1; }>,
     .expect = fails(EINVAL)},
    {.name = "cr3_with_reserved_high_bits_in_long_mode_is_einval",
     .call = kSet<[](kvm_sregs& s) {
       kLongMode(s);
       s.cr3 = u64{1} << 62;
     }>,
     .expect = fails(EINVAL),
     .needs = {.cpu = cpu_feature::kLongMode}},
    {.name = "cr4_reserved_bit_is_einval",
     .call = kSet<[](kvm_sregs& s) { s.cr4 |= u64{1} << 31; }>,
     .expect = fails(EINVAL)},
    {.name = "cr4_bit_63_is_einval",
     .call = kSet<[](kvm_sregs& s) { s.cr4 |= u64{1} << 63; }>,
     .expect = fails(EINVAL)},
    {.name = "cr4_pse_and_pae_are_accepted",
     .call = kSet<[](kvm_sregs& s) { s.cr4 |= kPse | kPae; }>,
     .expect = succeeds(0)},
    {.name = "paging_without_protection_is_einval",
     .call = kSet<[](kvm_sregs& s) { s.cr0 = (s.cr0 | kPg) & ~kPe; }>,
     .expect = before(6, 1, Outcome{}).then(fails(EINVAL)),  // 5.10 takes it
     .source = "kvm_is_valid_cr0 (6.1.43, 6.4.8 and later)"},
    {.name = "not_write_through_without_cache_disable_is_einval",
     .call = kSet<[](kvm_sregs& s) { s.cr0 = (s.cr0 | kNw) & ~kCd; }>,
     .expect = before(6, 1, Outcome{}).then(fails(EINVAL)),
     .source = "kvm_is_valid_cr0 (6.1.43, 6.4.8 and later)"},
    {.name = "cr0_high_bits_are_einval",
     .call = kSet<[](kvm_sregs& s) { s.cr0 |= u64{1} << 32; }>,
     .expect = before(6, 1, Outcome{}).then(fails(EINVAL)),
     .source = "kvm_is_valid_cr0 (6.1.43, 6.4.8 and later)"},
    {.name = "impossible_cr0_is_taken_by_5_10",
     .call = kSet<[](kvm_sregs& s) { s.cr0 = (s.cr0 | kNw) & ~kCd; }>,
     .expect = succeeds(0),
     .needs = {.kernel_before = {5, 11}},
     .status = Abi::observed,
     .source = "kvm_valid_sregs"},
    {.name = "efer_reserved_bit_is_einval_from_7_0",
     .call = kSet<[](kvm_sregs& s) { s.efer = u64{1} << 32; }>,
     .expect = before(6, 13, Outcome{}).then(before(7, 0, Outcome{}).then(fails(EINVAL))),
     .status = Abi::observed,
     .source = "kvm_valid_efer"},
    {.name = "apic_base_reserved_bits_are_einval",
     .call = kSet<[](kvm_sregs& s) { s.apic_base |= u64{1} << 62; }>,
     .expect = fails(EINVAL)},
    {.name = "apic_base_x2apic_without_enable_is_einval",
     .call = kSet<[](kvm_sregs& s) { s.apic_base = (s.apic_base | 0x400) & ~u64{0x800}; }>,
     .expect = fails(EINVAL)},
    {.name = "syscall_enable_is_accepted", .call = kSet<[](kvm_sregs& s) { s.efer = kSce; }>, .expect = succeeds(0)},
    {.name = "no_execute_enable_is_accepted",
     .call = kSet<[](kvm_sregs& s) { s.efer = kNxe; }>,
     .expect = succeeds(0),
     .needs = {.cpu = cpu_feature::kNx}},
    {.name = "long_mode_before_set_cpuid2_by_kernel",
     .call =
         [](Ctx& t) {
           kvm_sregs sregs = t.must(t.vcpu().get_sregs());
           kLongMode(sregs);
           return t.vcpu().set_sregs(sregs);
         },
     .expect = before(6, 2, succeeds(0)).then(before(7, 0, Outcome{}).then(fails(EINVAL))),
     .needs = {.cpu = cpu_feature::kLongMode},
     .status = Abi::observed,
     .source = "kvm_valid_efer"},
};
KVM_ROWS("vcpu.set_sregs", "api.rst 4.14; SDM 3A 2.5", kModes);

kvm_sregs set_and_get(Ctx& t, const kvm_sregs& sregs) {
  t.must(t.vcpu().set_sregs(sregs));
  return t.must(t.vcpu().get_sregs());
}

KVM_TEST("vcpu.set_sregs", "data_segments_are_read_back", "api.rst 4.14")(Ctx& t) {
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  u16 selector = 0x100;
  for (kvm_segment* s : {&sregs.ds, &sregs.es, &sregs.fs, &sregs.gs, &sregs.ss}) {
    *s = kvm_segment{
        .base = selector * 0x1000ull, .limit = 0xffff, .selector = selector, .type = 3, .present = 1, .s = 1};
    selector = static_cast<u16>(selector + 0x10);
  }
  const kvm_sregs got = set_and_get(t, sregs);
  EXPECT_TRUE(same_bytes(got.ds, sregs.ds));
  EXPECT_TRUE(same_bytes(got.es, sregs.es));
  EXPECT_TRUE(same_bytes(got.fs, sregs.fs));
  EXPECT_TRUE(same_bytes(got.gs, sregs.gs));
  EXPECT_TRUE(same_bytes(got.ss, sregs.ss));
}

KVM_TEST("vcpu.set_sregs", "descriptor_tables_are_read_back", "api.rst 4.14")(Ctx& t) {
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  sregs.gdt = {.base = 0x12345000, .limit = 0x47};
  sregs.idt = {.base = 0x54321000, .limit = 0xfff};
  const kvm_sregs got = set_and_get(t, sregs);
  EXPECT_TRUE(same_bytes(got.gdt, sregs.gdt));
  EXPECT_TRUE(same_bytes(got.idt, sregs.idt));
}

KVM_TEST("vcpu.set_sregs", "task_register_and_ldt_are_read_back", "api.rst 4.14")(Ctx& t) {
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  sregs.tr = {.base = 0x7000, .limit = 0x67, .selector = 0x28, .type = 11, .present = 1};
  sregs.ldt = {.base = 0x8000, .limit = 0x3f, .selector = 0x30, .type = 2, .present = 1};
  const kvm_sregs got = set_and_get(t, sregs);
  EXPECT_EQ(got.tr.base, 0x7000u);
  EXPECT_EQ(got.tr.limit, 0x67u);
  EXPECT_EQ(got.tr.selector, 0x28);
  EXPECT_EQ(got.tr.type, 11);
  EXPECT_EQ(got.ldt.base, 0x8000u);
  EXPECT_EQ(got.ldt.selector, 0x30);
}

KVM_TEST("vcpu.set_sregs", "control_registers_are_read_back", "api.rst 4.14")(Ctx& t) {
  with_cpuid(t);
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  kLongMode(sregs);
  sregs.cr2 = 0xdeadbeef000;
  sregs.cr8 = 5;
  const kvm_sregs got = set_and_get(t, sregs);
  EXPECT_EQ(got.cr0, sregs.cr0);
  EXPECT_EQ(got.cr2, sregs.cr2);
  EXPECT_EQ(got.cr3, sregs.cr3);
  EXPECT_EQ(got.cr4, sregs.cr4);
  EXPECT_EQ(got.cr8, 5u);
  EXPECT_EQ(got.efer, sregs.efer);
  EXPECT_EQ(got.cs.l, 1);
}

KVM_TEST("vcpu.set_sregs", "apic_base_is_read_back", "api.rst 4.14")(Ctx& t) {
  t.must(t.vm().create_irqchip());  // without, 5.10 forces the bootstrap bit
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  sregs.apic_base = 0xfee00800;  // not the bootstrap processor
  EXPECT_EQ(set_and_get(t, sregs).apic_base, 0xfee00800u);
}

KVM_TEST("vcpu.set_sregs", "interrupt_bitmap_queues_that_interrupt", "api.rst 4.13, 4.14")(Ctx& t) {
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  sregs.interrupt_bitmap[0x41 / 64] = u64{1} << (0x41 % 64);
  const kvm_sregs got = set_and_get(t, sregs);
  EXPECT_EQ(got.interrupt_bitmap[1], u64{1} << (0x41 % 64));
  const auto events = t.must(t.vcpu().get_vcpu_events());
  EXPECT_EQ(events.interrupt.injected, 1);
  EXPECT_EQ(events.interrupt.nr, 0x41);
}

KVM_TEST("vcpu.set_sregs", "empty_interrupt_bitmap_leaves_a_queued_interrupt", "__set_sregs", {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vcpu().interrupt(0x33));
  kvm_sregs sregs = t.must(t.vcpu().get_sregs());
  sregs.interrupt_bitmap = {};
  t.must(t.vcpu().set_sregs(sregs));
  EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).interrupt.injected, 1);
}

KVM_TEST("vcpu.set_sregs", "refused_call_changes_nothing", "__set_sregs_common", {.status = Abi::sane})(Ctx& t) {
  const kvm_sregs before = t.must(t.vcpu().get_sregs());
  kvm_sregs sregs = before;
  sregs.ds.base = 0x5000;
  sregs.cs.l = 1;  // refused
  EXPECT_THAT(t.vcpu().set_sregs(sregs), FailsWith(EINVAL));
  EXPECT_TRUE(same_bytes(t.must(t.vcpu().get_sregs()), before));
}

KVM_TEST("vcpu.set_sregs", "halted_bootstrap_processor_at_reset_becomes_runnable", "__set_sregs_common",
         {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(t.vcpu().set_mp_state({kvmapi::kMpStateHalted}));
  t.must(t.vcpu().set_sregs(t.must(t.vcpu().get_sregs())));
  EXPECT_EQ(t.must(t.vcpu().get_mp_state()).mp_state, kvmapi::kMpStateRunnable);
}

constexpr IoctlCase kSecondForm[] = {
    {.name = "what_was_read_is_accepted",
     .call = kSet2<[](kvm_sregs2&) {}>,
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::Sregs2}},
    {.name = "long_mode_is_accepted",
     .call = kSet2<[](kvm_sregs2& s) { kLongMode(s); }>,
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::Sregs2, .cpu = cpu_feature::kLongMode}},
    {.name = "unknown_flag_is_einval",
     .call = kSet2<[](kvm_sregs2& s) { s.flags = 2; }>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::Sregs2}},
    {.name = "pdptrs_outside_pae_paging_are_einval",
     .call = kSet2<[](kvm_sregs2& s) { s.flags = kvmapi::kSregs2FlagsPdptrsValid; }>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::Sregs2}},
    {.name = "lma_without_lme_is_einval",
     .call = kSet2<[](kvm_sregs2& s) { s.efer = kLma; }>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::Sregs2}},
    {.name = "sixty_four_bit_code_segment_outside_long_mode_is_einval",
     .call = kSet2<[](kvm_sregs2& s) { s.cs.l = 1; }>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::Sregs2}},
};
KVM_ROWS("vcpu.set_sregs2", "api.rst 4.132", kSecondForm);

KVM_TEST("vcpu.get_sregs2", "shows_what_the_first_form_shows", "api.rst 4.131", {.needs = {.vm_cap = Cap::Sregs2}})
(Ctx& t) {
  const kvm_sregs first = t.must(t.vcpu().get_sregs());
  const kvm_sregs2 second = t.must(t.vcpu().get_sregs2());
  EXPECT_TRUE(same_bytes(second.cs, first.cs));
  EXPECT_TRUE(same_bytes(second.tr, first.tr));
  EXPECT_TRUE(same_bytes(second.gdt, first.gdt));
  EXPECT_EQ(second.cr0, first.cr0);
  EXPECT_EQ(second.cr4, first.cr4);
  EXPECT_EQ(second.efer, first.efer);
  EXPECT_EQ(second.apic_base, first.apic_base);
  EXPECT_EQ(second.flags, 0u);
}

KVM_TEST("vcpu.set_sregs2", "pdptrs_are_read_back_in_pae_mode", "api.rst 4.131, 4.132",
         {.needs = {.vm_cap = Cap::Sregs2}})
(Ctx& t) {
  with_cpuid(t);
  t.memory();
  kvm_sregs2 sregs = t.must(t.vcpu().get_sregs2());
  sregs.cr0 = kPe | kNe | kEt | kPg;
  sregs.cr4 = kPae;
  sregs.cr3 = 0x2000;
  sregs.flags = kvmapi::kSregs2FlagsPdptrsValid;
  sregs.pdptrs = {0x3001, 0x4001, 0x5001, 0x6001};
  t.must(t.vcpu().set_sregs2(sregs));
  const kvm_sregs2 got = t.must(t.vcpu().get_sregs2());
  EXPECT_EQ(got.flags, kvmapi::kSregs2FlagsPdptrsValid);
  EXPECT_EQ(got.pdptrs, sregs.pdptrs);
}

}  // namespace
}  // namespace conformance
