// Vcpu ioctls with few rules each: KVM_TRANSLATE, KVM_SET_SIGNAL_MASK, KVM_SET/GET_TSC_KHZ, KVM_KVMCLOCK_CTRL,
// KVM_TPR_ACCESS_REPORTING, KVM_SET_VAPIC_ADDR, KVM_ENABLE_CAP, KVM_X86_SETUP_MCE, KVM_X86_SET_MCE,
// KVM_PRE_FAULT_MEMORY.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

// --- KVM_TRANSLATE: page tables for 32-bit paging at 0x10000: linear 0x400000 -> 0x5000, linear 0 not mapped.
void page_tables(Ctx& t) {
  t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
  auto* directory = reinterpret_cast<u32*>(t.memory().data() + 0x10000);
  auto* table = reinterpret_cast<u32*>(t.memory().data() + 0x11000);
  directory[1] = 0x11000 | 7;
  table[0] = 0x5000 | 7;
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.cr3 = 0x10000;
  sregs.cr0 = 0x80000031;
  t.must(t.vcpu().set_sregs(sregs));
}

KVM_TEST("vcpu.translate", "without_paging_is_the_same_address", "api.rst 4.15")(Ctx& t) {
  const auto answer = t.must(t.vcpu().translate({0x12345}));
  EXPECT_EQ(answer.physical_address, 0x12345u);
  EXPECT_EQ(answer.valid, 1);
}

KVM_TEST("vcpu.translate", "follows_the_page_tables", "api.rst 4.15")(Ctx& t) {
  page_tables(t);
  const auto answer = t.must(t.vcpu().translate({0x400123}));
  EXPECT_EQ(answer.physical_address, 0x5123u);
  EXPECT_EQ(answer.valid, 1);
}

KVM_TEST("vcpu.translate", "unmapped_address_is_success_with_valid_0", "kvm_arch_vcpu_ioctl_translate",
         {.status = Abi::observed})
(Ctx& t) {
  page_tables(t);
  const auto answer = t.must(t.vcpu().translate({0x800000}));
  EXPECT_EQ(answer.valid, 0);
  EXPECT_EQ(answer.physical_address, ~u64{0});
}

KVM_TEST("vcpu.translate", "writeable_is_always_1_and_usermode_0", "kvm_arch_vcpu_ioctl_translate",
         {.status = Abi::observed})
(Ctx& t) {
  page_tables(t);
  for (u64 address : {u64{0x400000}, u64{0x800000}}) {
    const auto answer = t.must(t.vcpu().translate({address}));
    EXPECT_EQ(answer.writeable, 1);
    EXPECT_EQ(answer.usermode, 0);
    EXPECT_EQ(answer.linear_address, address);
  }
}

// --- KVM_SET_SIGNAL_MASK
constexpr IoctlCase kSignalMask[] = {
    {.name = "eight_bytes_are_accepted",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(8);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = succeeds(0)},
    {.name = "null_pointer_takes_the_mask_away",
     .call = [](Ctx& t) { return t.vcpu().set_signal_mask(nullptr); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "sixteen_bytes_are_einval",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(16);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "length_of_the_c_library_set_is_einval",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(128);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "length_0_is_einval",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(0);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "set_in_unmapped_memory_is_efault",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_signal_mask));
           end.as<kvmapi::kvm_signal_mask>().len = 8;
           return t.vcpu().raw(Ioctl::SetSignalMask, end.address());
         },
     .expect = fails(EFAULT)},
};
KVM_ROWS("vcpu.set_signal_mask", "api.rst 4.21", kSignalMask);

// --- Time
constexpr IoctlCase kTsc[] = {
    {.name = "rate_0_means_the_host_rate",
     .call = [](Ctx& t) { return t.vcpu().set_tsc_khz(0); },
     .expect = succeeds(0)},
    {.name = "rate_that_the_vcpu_has_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_tsc_khz(static_cast<u32>(t.must(t.vcpu().get_tsc_khz()))); },
     .expect = before(6, 1, Outcome{}).then(succeeds(0)),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.set_tsc_khz", "api.rst 4.55", kTsc);

KVM_TEST("vcpu.get_tsc_khz", "is_not_0", "api.rst 4.56")(Ctx& t) { EXPECT_GT(t.must(t.vcpu().get_tsc_khz()), 0); }

constexpr IoctlCase kClockCtrl[] = {
    {.name = "guest_without_kvmclock_is_einval",
     .call = [](Ctx& t) { return t.vcpu().kvmclock_ctrl(); },
     .expect = fails(EINVAL)},
    {.name = "guest_with_kvmclock_is_accepted",
     .call =
         [](Ctx& t) {
           t.memory();
           t.must(t.vcpu().set_msr(0x4b564d01, 0x3001));
           return t.vcpu().kvmclock_ctrl();
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vcpu.kvmclock_ctrl", "api.rst 4.70", kClockCtrl);

// --- TPR and VAPIC
constexpr IoctlCase kTpr[] = {
    {.name = "on_is_accepted",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_tpr_access_ctl control{.enabled = 1};
           return t.vcpu().tpr_access_reporting(control);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "flags_are_einval",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_tpr_access_ctl control{.enabled = 1, .flags = 1};
           return t.vcpu().tpr_access_reporting(control);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "needs_no_irqchip",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_tpr_access_ctl control{};
           return t.vcpu().tpr_access_reporting(control);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.tpr_access_reporting", "vcpu_ioctl_tpr_access_reporting (not in api.rst)", kTpr);

constexpr IoctlCase kVapic[] = {
    {.name = "without_irqchip_is_einval",
     .call = [](Ctx& t) { return t.vcpu().set_vapic_addr({0x3000}); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "missing_irqchip_wins_over_bad_pointer",
     .call = [](Ctx& t) { return t.vcpu().raw(Ioctl::SetVapicAddr, 8); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "address_in_memory_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           t.memory();
           return t.vcpu().set_vapic_addr({0x3000});
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "address_outside_memory_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().set_vapic_addr({u64{1} << 40});
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "address_0_turns_it_off",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().set_vapic_addr({0});
         },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.set_vapic_addr", "kvm_lapic_set_vapic_addr (not in api.rst)", kVapic);

// --- KVM_ENABLE_CAP on a vcpu
constexpr IoctlCase kEnable[] = {
    {.name = "unknown_capability_is_einval",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(kvmapi::kvm_enable_cap{.cap = 0xdeadbeef}); },
     .expect = fails(EINVAL)},
    {.name = "capability_of_a_vm_is_einval",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::ExceptionPayload, 1); },
     .expect = fails(EINVAL)},
    {.name = "flags_are_einval",
     .call =
         [](Ctx& t) {
           return t.vcpu().enable_cap(
               kvmapi::kvm_enable_cap{.cap = static_cast<u32>(Cap::EnforcePvFeatureCpuid), .flags = 1});
         },
     .expect = fails(EINVAL)},
    {.name = "enforce_pv_feature_cpuid_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::EnforcePvFeatureCpuid, 1); },
     .expect = succeeds(0),
     .source = "api.rst 6.80"},
    {.name = "enforce_pv_feature_cpuid_off_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::EnforcePvFeatureCpuid, 0); },
     .expect = succeeds(0),
     .source = "api.rst 6.80"},
    {.name = "hyperv_synic_without_irqchip_is_einval",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::HypervSynic); },
     .expect = fails(EINVAL),
     .source = "api.rst 6.76"},
    {.name = "hyperv_synic_with_irqchip_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().enable_cap(Cap::HypervSynic);
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervSynic},
     .source = "api.rst 6.76"},
    {.name = "hyperv_synic2_argument_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().enable_cap(Cap::HypervSynic2, 1);
         },
     .expect = fails(EINVAL),
     .source = "api.rst 6.77"},
    {.name = "hyperv_enforce_cpuid_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::HypervEnforceCpuid, 1); },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervEnforceCpuid},
     .source = "api.rst 6.79"},
    {.name = "hyperv_direct_tlb_flush_outside_hyperv_is_enotty",
     .call =
         [](Ctx& t) {
           if (t.must(t.vm().check_extension(Cap::HypervDirectTlbflush)) != 0) t.skip("KVM runs on Hyper-V");
           return t.vcpu().enable_cap(Cap::HypervDirectTlbflush);
         },
     .expect = fails(ENOTTY),
     .needs = {.vm_cap = Cap::Hyperv},
     .source = "api.rst 6.78"},
    {.name = "hyperv_enlightened_vmcs_on_svm_is_enotty",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::HypervEnlightenedVmcs); },
     .expect = fails(ENOTTY),
     .needs = {.vm_cap = Cap::Hyperv, .vendor = Vendor::amd},
     .source = "kvm_vcpu_ioctl_enable_cap"},
};
KVM_ROWS("vcpu.enable_cap", "api.rst 4.37", kEnable);

// --- Machine checks
constexpr u64 kValid = u64{1} << 63, kUncorrected = u64{1} << 61, kEnabled = u64{1} << 60, kCtlP = 1u << 8;

constexpr IoctlCase kSetupMce[] = {
    {.name = "ten_banks_are_accepted",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10); },
     .expect = succeeds(0)},
    {.name = "thirty_two_banks_are_accepted",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(32); },
     .expect = succeeds(0)},
    {.name = "thirty_three_banks_are_einval",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(33); },
     .expect = fails(EINVAL)},
    {.name = "no_bank_is_einval", .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(0); }, .expect = fails(EINVAL)},
    {.name = "bit_that_is_not_supported_is_einval",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10 | u64{1} << 40); },
     .expect = fails(EINVAL)},
    {.name = "supported_bits_are_accepted",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10 | t.must(t.system().x86_get_mce_cap_supported())); },
     .expect = succeeds(0)},
    {.name = "mcg_cap_shows_what_was_set",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10 | kCtlP); },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_THAT(t.vcpu().get_msr(0x179), Returns(10 | kCtlP)); }},
    {.name = "ctl_of_every_bank_becomes_all_ones",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(3 | kCtlP); },
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           for (u32 bank = 0; bank < 3; ++bank) EXPECT_THAT(t.vcpu().get_msr(0x400 + 4 * bank), Returns(~u64{0}));
           EXPECT_THAT(t.vcpu().get_msr(0x17b), Returns(~u64{0}));
         }},
};
KVM_ROWS("vcpu.x86_setup_mce", "api.rst 4.105", kSetupMce);

constexpr IoctlCase kSetMce[] = {
    {.name = "corrected_error_is_logged_in_its_bank",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4 | kCtlP));
           return t.vcpu().x86_set_mce({.status = kValid | kEnabled | 0x11, .addr = 0x1234, .misc = 0x55, .bank = 2});
         },
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           EXPECT_THAT(t.vcpu().get_msr(0x400 + 4 * 2 + 1), Returns(kValid | kEnabled | 0x11));
           EXPECT_THAT(t.vcpu().get_msr(0x400 + 4 * 2 + 2), Returns(u64{0x1234}));
         }},
    {.name = "status_without_valid_bit_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4));
           return t.vcpu().x86_set_mce({.status = kEnabled, .bank = 0});
         },
     .expect = fails(EINVAL)},
    {.name = "bank_beyond_the_last_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4));
           return t.vcpu().x86_set_mce({.status = kValid, .bank = 4});
         },
     .expect = fails(EINVAL)},
    {.name = "uncorrected_error_queues_machine_check",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4 | kCtlP));
           auto sregs = t.must(t.vcpu().get_sregs());
           sregs.cr4 |= 1u << 6;
           t.must(t.vcpu().set_sregs(sregs));
           return t.vcpu().x86_set_mce({.status = kValid | kUncorrected | kEnabled, .mcg_status = 4, .bank = 1});
         },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).exception.nr, 18); },
     .status = Abi::observed},
};
KVM_ROWS("vcpu.x86_set_mce", "api.rst 4.106", kSetMce);

// --- KVM_PRE_FAULT_MEMORY
template <u64 kGpa, u64 kSize, u64 kFlags = 0>
constexpr Call kPreFault = [](Ctx& t) {
  t.memory();
  kvmapi::kvm_pre_fault_memory range{.gpa = kGpa, .size = kSize, .flags = kFlags};
  return t.vcpu().pre_fault_memory(range);
};

constexpr IoctlCase kPreFaultRows[] = {
    {.name = "mapped_memory_is_done_whole",
     .call =
         [](Ctx& t) {
           t.memory();
           kvmapi::kvm_pre_fault_memory range{.gpa = 0x4000, .size = 0x3000};
           const auto answer = t.vcpu().pre_fault_memory(range);
           EXPECT_EQ(range.size, 0u);
           EXPECT_EQ(range.gpa, 0x7000u);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "memory_outside_slots_is_enoent",
     .call = kPreFault<u64{1} << 40, 0x1000>,
     .expect = fails(ENOENT),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "flags_are_einval",
     .call = kPreFault<0x4000, 0x1000, 1>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "address_not_page_aligned_is_einval",
     .call = kPreFault<0x4001, 0x1000>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "size_not_page_multiple_is_einval",
     .call = kPreFault<0x4000, 0x1001>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "size_0_is_einval",
     .call = kPreFault<0x4000, 0>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "range_that_wraps_is_einval",
     .call = kPreFault<~u64{0} & ~u64{0xfff}, 0x2000>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "before_6_11_is_einval",
     .call = kPreFault<0x4000, 0x1000>,
     .expect = fails(EINVAL),
     .needs = {.kernel_before = {6, 11}},
     .status = Abi::observed},
};
KVM_ROWS("vcpu.pre_fault_memory", "api.rst 4.143", kPreFaultRows);

}  // namespace
}  // namespace conformance
