// KVM_ENABLE_CAP on a VM: arguments and order, capability by capability. Split irqchip: create_irqchip_test.cpp. Dirty
// ring: dirty_ring_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_enable_cap;

// Enables with one argument on a VM without vcpus, or with one.
template <Cap kCap, u64 kArgument>
constexpr Call kOn = [](Ctx& t) { return t.vm().enable_cap(kCap, kArgument); };
template <Cap kCap, u64 kArgument>
constexpr Call kAfterVcpu = [](Ctx& t) {
  t.vcpu();
  return t.vm().enable_cap(kCap, kArgument);
};

constexpr IoctlCase kGeneral[] = {
    {.name = "unknown_capability_is_einval",
     .call = [](Ctx& t) { return t.vm().enable_cap(kvm_enable_cap{.cap = 0xdeadbeef}); },
     .expect = fails(EINVAL)},
    {.name = "capability_that_needs_no_enabling_is_einval", .call = kOn<Cap::UserMemory, 0>, .expect = fails(EINVAL)},
    {.name = "capability_of_a_vcpu_is_einval", .call = kOn<Cap::EnforcePvFeatureCpuid, 1>, .expect = fails(EINVAL)},
    {.name = "flags_are_einval",
     .call =
         [](Ctx& t) {
           return t.vm().enable_cap(
               kvm_enable_cap{.cap = static_cast<u32>(Cap::ExceptionPayload), .flags = 1, .args = {1}});
         },
     .expect = fails(EINVAL)},
    {.name = "padding_and_unused_arguments_are_not_looked_at",
     .call =
         [](Ctx& t) {
           kvm_enable_cap cap{.cap = static_cast<u32>(Cap::ExceptionPayload), .args = {1, 2, 3, 4}};
           cap.pad.fill(0xff);
           return t.vm().enable_cap(cap);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vm.enable_cap", "api.rst 4.37", kGeneral);

constexpr IoctlCase kQuirks[] = {
    {.name = "disable_quirks_takes_any_bits",
     .call = kOn<Cap::DisableQuirks, ~u64{0}>,
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_enable_cap"},
    {.name = "disable_quirks2_takes_what_is_announced",
     .call =
         [](Ctx& t) {
           return t.vm().enable_cap(Cap::DisableQuirks2,
                                    static_cast<u64>(t.must(t.vm().check_extension(Cap::DisableQuirks2))));
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::DisableQuirks2}},
    {.name = "disable_quirks2_unknown_bit_is_einval",
     .call = kOn<Cap::DisableQuirks2, u64{1} << 31>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DisableQuirks2}},
    {.name = "disable_quirks2_after_a_vcpu_is_accepted",
     .call = kAfterVcpu<Cap::DisableQuirks2, 1>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::DisableQuirks2},
     .status = Abi::observed},
};
KVM_ROWS("vm.enable_cap", "api.rst 7.31", kQuirks);

constexpr IoctlCase kX2apic[] = {
    {.name = "x2apic_api_32_bit_ids_are_accepted", .call = kOn<Cap::X2apicApi, 1>, .expect = succeeds(0)},
    {.name = "x2apic_api_broadcast_quirk_is_accepted", .call = kOn<Cap::X2apicApi, 2>, .expect = succeeds(0)},
    {.name = "x2apic_api_unknown_flag_is_einval", .call = kOn<Cap::X2apicApi, 0x100>, .expect = fails(EINVAL)},
    {.name = "x2apic_api_suppress_eoi_without_split_irqchip_is_einval",
     .call = kOn<Cap::X2apicApi, 4>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "x2apic_api_both_suppress_eoi_flags_are_einval",
     .call = kOn<Cap::X2apicApi, 0xc>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
};
KVM_ROWS("vm.enable_cap", "api.rst 7.7", kX2apic);

constexpr IoctlCase kExits[] = {
    {.name = "disable_exits_takes_what_is_announced",
     .call =
         [](Ctx& t) {
           return t.vm().enable_cap(Cap::X86DisableExits,
                                    static_cast<u64>(t.must(t.vm().check_extension(Cap::X86DisableExits))));
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::X86DisableExits}},
    {.name = "disable_exits_unknown_bit_is_einval",
     .call = kOn<Cap::X86DisableExits, u64{1} << 40>,
     .expect = fails(EINVAL)},
    {.name = "disable_exits_after_a_vcpu_is_einval",
     .call = kAfterVcpu<Cap::X86DisableExits, 0>,
     .expect = before(6, 13, succeeds(0)).then(before(7, 0, Outcome{}).then(fails(EINVAL))),
     .needs = {.cap = Cap::X86DisableExits},
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_enable_cap; api.rst 7.13"},
};
KVM_ROWS("vm.enable_cap", "api.rst 7.13", kExits);

constexpr IoctlCase kSwitches[] = {
    {.name = "msr_platform_info_off_is_accepted",
     .call = kOn<Cap::MsrPlatformInfo, 0>,
     .expect = succeeds(0),
     .source = "api.rst 7.15"},
    {.name = "msr_platform_info_on_is_accepted",
     .call = kOn<Cap::MsrPlatformInfo, 1>,
     .expect = succeeds(0),
     .source = "api.rst 7.15"},
    {.name = "exception_payload_is_accepted",
     .call = kOn<Cap::ExceptionPayload, 1>,
     .expect = succeeds(0),
     .source = "api.rst 7.17"},
    {.name = "exception_payload_after_a_vcpu_is_accepted",
     .call = kAfterVcpu<Cap::ExceptionPayload, 1>,
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_enable_cap"},
    {.name = "triple_fault_event_is_accepted",
     .call = kOn<Cap::X86TripleFaultEvent, 1>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::X86TripleFaultEvent},
     .source = "api.rst 4.31"},
    {.name = "user_space_msr_all_reasons_are_accepted",
     .call = kOn<Cap::X86UserSpaceMsr, 7>,
     .expect = succeeds(0),
     .source = "api.rst 7.21"},
    {.name = "user_space_msr_unknown_reason_is_einval",
     .call = kOn<Cap::X86UserSpaceMsr, 8>,
     .expect = fails(EINVAL),
     .source = "api.rst 7.21"},
    {.name = "user_space_msr_off_again_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::X86UserSpaceMsr, 7));
           return t.vm().enable_cap(Cap::X86UserSpaceMsr, 0);
         },
     .expect = succeeds(0),
     .source = "api.rst 7.21"},
    {.name = "exit_hypercall_map_gpa_range_is_accepted",
     .call = kOn<Cap::ExitHypercall, 0x1000>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::ExitHypercall},
     .source = "api.rst 7.40"},
    {.name = "exit_hypercall_other_bit_is_einval",
     .call = kOn<Cap::ExitHypercall, 1>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::ExitHypercall},
     .source = "api.rst 7.40"},
    {.name = "exit_on_emulation_failure_is_accepted",
     .call = kOn<Cap::ExitOnEmulationFailure, 1>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::ExitOnEmulationFailure},
     .source = "api.rst 7.27"},
    {.name = "exit_on_emulation_failure_2_is_einval",
     .call = kOn<Cap::ExitOnEmulationFailure, 2>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::ExitOnEmulationFailure},
     .source = "api.rst 7.27"},
    {.name = "halt_poll_is_accepted",
     .call = kOn<Cap::HaltPoll, 1000>,
     .expect = succeeds(0),
     .source = "api.rst 7.20"},
    {.name = "halt_poll_beyond_32_bits_is_einval",
     .call = kOn<Cap::HaltPoll, u64{1} << 32>,
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_enable_cap_generic"},
    {.name = "manual_dirty_log_protect_off_is_accepted",
     .call = kOn<Cap::ManualDirtyLogProtect2, 0>,
     .expect = succeeds(0),
     .source = "api.rst 7.18"},
    {.name = "manual_dirty_log_protect_with_initially_set_is_accepted",
     .call = kOn<Cap::ManualDirtyLogProtect2, 3>,
     .expect = succeeds(0),
     .source = "api.rst 7.18"},
    {.name = "manual_dirty_log_initially_set_alone_is_einval",
     .call = kOn<Cap::ManualDirtyLogProtect2, 2>,
     .expect = fails(EINVAL),
     .source = "api.rst 7.18"},
    {.name = "manual_dirty_log_unknown_bit_is_einval",
     .call = kOn<Cap::ManualDirtyLogProtect2, 5>,
     .expect = fails(EINVAL),
     .source = "api.rst 7.18"},
    {.name = "bus_lock_exit_unknown_mode_is_einval",
     .call = kOn<Cap::X86BusLockExit, 4>,
     .expect = fails(EINVAL),
     .source = "api.rst 7.22"},
    {.name = "bus_lock_exit_both_modes_are_einval",
     .call = kOn<Cap::X86BusLockExit, 3>,
     .expect = fails(EINVAL),
     .source = "api.rst 7.22"},
    {.name = "bus_lock_exit_off_is_accepted",
     .call = kOn<Cap::X86BusLockExit, 1>,
     .expect = succeeds(0),
     .needs = {.kernel = {5, 12}},
     .source = "api.rst 7.22"},
    {.name = "sgx_attribute_of_another_descriptor_is_einval",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::SgxAttribute, static_cast<u64>(t.system().fd())); },
     .expect = fails(EINVAL),
     .source = "api.rst 7.25"},
    {.name = "copy_encryption_context_of_a_plain_vm_is_einval",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::VmCopyEncContextFrom, static_cast<u64>(t.vm().fd())); },
     .expect = fails(EINVAL),
     .needs = {.probe = {"a host without SEV", [](Ctx& t) { return !t.vm().memory_encrypt_op(nullptr).ok(); }}},
     .source = "api.rst 7.24"},
    {.name = "notify_vmexit_unknown_flag_is_einval",
     .call = kOn<Cap::X86NotifyVmexit, 4>,
     .expect = fails(EINVAL),
     .source = "api.rst 7.33"},
    {.name = "notify_vmexit_without_hardware_is_einval",
     .call =
         [](Ctx& t) {
           if (t.must(t.vm().check_extension(Cap::X86NotifyVmexit)) != 0) t.skip("the hardware has notify exits");
           return t.vm().enable_cap(Cap::X86NotifyVmexit, 1);
         },
     .expect = fails(EINVAL),
     .source = "api.rst 7.33"},
    {.name = "pmu_capability_without_a_pmu_is_einval",
     .call =
         [](Ctx& t) {
           if (t.must(t.vm().check_extension(Cap::PmuCapability)) != 0) t.skip("there is a virtual PMU");
           return t.vm().enable_cap(Cap::PmuCapability, 1);
         },
     .expect = fails(EINVAL),
     .source = "api.rst 7.37"},
    {.name = "pmu_capability_disable_is_accepted",
     .call = kOn<Cap::PmuCapability, 1>,
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::PmuCapability},
     .source = "api.rst 7.37"},
    {.name = "pmu_capability_after_a_vcpu_is_einval",
     .call = kAfterVcpu<Cap::PmuCapability, 1>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PmuCapability},
     .source = "api.rst 7.37"},
    {.name = "nx_huge_pages_argument_is_einval",
     .call = kOn<Cap::VmDisableNxHugePages, 1>,
     .expect = fails_with_one_of(EINVAL, EPERM),  // EPERM without CAP_SYS_BOOT
     .needs = {.cap = Cap::VmDisableNxHugePages},
     .source = "api.rst 7.38"},
    {.name = "nx_huge_pages_after_a_vcpu_is_einval",
     .call = kAfterVcpu<Cap::VmDisableNxHugePages, 0>,
     .expect = fails_with_one_of(EINVAL, EPERM),
     .needs = {.cap = Cap::VmDisableNxHugePages},
     .source = "api.rst 7.38"},
};
KVM_ROWS("vm.enable_cap", "api.rst 7", kSwitches);

constexpr IoctlCase kIds[] = {
    {.name = "max_vcpu_id_is_accepted",
     .call = kOn<Cap::MaxVcpuId, 16>,
     .expect = succeeds(0),
     .needs = {.kernel = {6, 0}}},
    {.name = "max_vcpu_id_same_value_again_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::MaxVcpuId, 16));
           return t.vm().enable_cap(Cap::MaxVcpuId, 16);
         },
     .expect = succeeds(0),
     .needs = {.kernel = {6, 0}},
     .status = Abi::observed},
    {.name = "max_vcpu_id_other_value_again_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::MaxVcpuId, 16));
           return t.vm().enable_cap(Cap::MaxVcpuId, 17);
         },
     .expect = fails(EINVAL),
     .needs = {.kernel = {6, 0}}},
    {.name = "max_vcpu_id_after_a_vcpu_is_einval",
     .call = kAfterVcpu<Cap::MaxVcpuId, 16>,
     .expect = fails(EINVAL),
     .needs = {.kernel = {6, 0}}},
    {.name = "max_vcpu_id_beyond_the_limit_is_einval",
     .call =
         [](Ctx& t) {
           return t.vm().enable_cap(Cap::MaxVcpuId,
                                    static_cast<u64>(t.must(t.system().check_extension(Cap::MaxVcpuId))) + 1);
         },
     .expect = fails(EINVAL),
     .needs = {.kernel = {6, 0}}},
    {.name = "max_vcpu_id_below_the_boot_cpu_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_boot_cpu_id(5));
           return t.vm().enable_cap(Cap::MaxVcpuId, 4);
         },
     .expect = before(6, 2, succeeds(0)).then(before(6, 12, Outcome{}).then(fails(EINVAL))),
     .needs = {.kernel = {6, 0}},
     .status = Abi::observed},
};
KVM_ROWS("vm.enable_cap", "api.rst 7.32", kIds);

constexpr IoctlCase kBus[] = {
    {.name = "apic_bus_cycles_without_irqchip_is_enxio",
     .call = kOn<Cap::X86ApicBusCyclesNs, 10>,
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::X86ApicBusCyclesNs}},
    {.name = "apic_bus_cycles_0_is_einval",
     .call = kOn<Cap::X86ApicBusCyclesNs, 0>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::X86ApicBusCyclesNs}},
    {.name = "apic_bus_cycles_that_overflow_are_einval",
     .call = kOn<Cap::X86ApicBusCyclesNs, u64{1} << 40>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::X86ApicBusCyclesNs}},
    {.name = "apic_bus_cycles_with_irqchip_are_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().enable_cap(Cap::X86ApicBusCyclesNs, 10);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::X86ApicBusCyclesNs}},
    {.name = "apic_bus_cycles_after_a_vcpu_are_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           t.vcpu();
           return t.vm().enable_cap(Cap::X86ApicBusCyclesNs, 10);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::X86ApicBusCyclesNs}},
};
KVM_ROWS("vm.enable_cap", "api.rst 7.35", kBus);

// Every capability that the table marks as enabled on no descriptor is refused on a VM.
const bool kRegistered = [] {
  for (const kvmapi::CapInfo& row : kvmapi::capabilities()) {
    if (!row.enabled_on.empty()) continue;
    std::string name(row.c_name.substr(8));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    Registry::global().add(Test{.id = "vm.enable_cap.not_enableable_" + name + "_is_einval",
                                .source = "api.rst 4.37",
                                .status = Abi::observed,
                                .needs = {},
                                .file = __FILE__,
                                .line = __LINE__,
                                .body =
                                    [cap = row.id](Ctx& t) {
                                      EXPECT_THAT(t.vm().enable_cap(cap, 0), FailsWith(EINVAL)) << "on a VM";
                                      EXPECT_THAT(t.vcpu().enable_cap(cap, 0), FailsWith(EINVAL)) << "on a vcpu";
                                    },
                                .describe = [] { return std::string("answers -1 EINVAL on a VM and on a vcpu"); }});
  }
  return true;
}();

}  // namespace
}  // namespace conformance
