// KVM_CHECK_EXTENSION on /dev/kvm and on a VM: the answer for every capability that x86 knows, by kernel version where
// it changed; 0, never an error, for all others. Values that depend on the machine are claimed as ranges or by CPU
// feature.
#include <unistd.h>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "kvmapi/cap.hpp"

namespace conformance {
namespace {

// Between two measured kernels, where the kernel of the change is not known for certain.
constexpr Expect nothing_is_claimed() { return Outcome{}; }

constexpr Expect since(int major, int minor, long long value) {
  return before(major, minor, succeeds(0)).then(succeeds(value));
}

struct CapCase {
  Cap cap;
  Expect answer;  // of /dev/kvm and of a plain VM
};

// Always there, whatever the configuration.
constexpr Cap kAlwaysOne[] = {
    Cap::Irqchip,
    Cap::Hlt,
    Cap::MmuShadowCacheControl,
    Cap::UserMemory,
    Cap::SetTssAddr,
    Cap::Vapic,
    Cap::ExtCpuid,
    Cap::Clocksource,
    Cap::NopIoDelay,
    Cap::MpState,
    Cap::SyncMmu,
    Cap::DestroyMemoryRegionWorks,
    Cap::UserNmi,
    Cap::SetGuestDebug,
    Cap::IrqInjectStatus,
    Cap::JoinMemoryRegionsWorks,
    Cap::Irqfd,
    Cap::SetBootCpuId,
    Cap::Ioeventfd,
    Cap::SetIdentityMapAddr,
    Cap::InternalErrorData,
    Cap::VcpuEvents,
    Cap::PciSegment,
    Cap::Debugregs,
    Cap::X86RobustSinglestep,
    Cap::Xsave,
    Cap::AsyncPf,
    Cap::GetTscKhz,
    Cap::TscDeadlineTimer,
    Cap::KvmclockCtrl,
    Cap::SignalMsi,
    Cap::ReadonlyMem,
    Cap::IrqfdResample,
    Cap::ExtEmulCpuid,
    Cap::IoapicPolarityIgnored,
    Cap::EnableCapVm,
    Cap::IoeventfdNoLength,
    Cap::CheckExtensionVm,
    Cap::DisableQuirks,
    Cap::SplitIrqchip,
    Cap::IoeventfdAnyLength,
    Cap::ImmediateExit,
    Cap::GetMsrFeatures,
    Cap::MsrPlatformInfo,
    Cap::CoalescedPio,
    Cap::ExceptionPayload,
    Cap::PmuEventFilter,
    Cap::HaltPoll,
    Cap::AsyncPfInt,
    Cap::LastCpu,
    Cap::X86UserSpaceMsr,
    Cap::X86MsrFilter,
    Cap::EnforcePvFeatureCpuid,
};

// Present or absent by kernel version, or with a value that says more than "there".
constexpr CapCase kByVersion[] = {
    {Cap::NrMemslots, before(5, 12, succeeds(509)).then(succeeds(32764))},
    {Cap::CoalescedMmio, succeeds(2)},  // the page of the ring in the mapping of a vcpu
    {Cap::IrqRouting, succeeds(4096)},
    {Cap::Mce, succeeds(32)},
    {Cap::AdjustClock, before(5, 16, succeeds(2)).then(succeeds(0xe))},
    {Cap::EnableCap, before(5, 16, succeeds(0)).then(before(6, 1, nothing_is_claimed()).then(succeeds(1)))},
    {Cap::SyncRegs, succeeds(7)},
    {Cap::DeviceCtrl, before(6, 2, succeeds(0)).then(before(6, 12, nothing_is_claimed()).then(succeeds(1)))},
    {Cap::VcpuAttributes, since(5, 16, 1)},
    {Cap::ManualDirtyLogProtect2, succeeds(3)},
    {Cap::DirtyLogRing, since(5, 11, 1 << 20)},
    {Cap::DirtyLogRingAcqRel, since(6, 1, 1 << 20)},
    {Cap::SetGuestDebug2,
     before(5, 13, succeeds(0)).then(before(5, 15, nothing_is_claimed()).then(succeeds(0x1f0003)))},
    {Cap::VmCopyEncContextFrom, since(5, 13, 1)},
    {Cap::VmMoveEncContextFrom, since(5, 16, 1)},
    {Cap::Sregs2, since(5, 14, 1)},
    {Cap::ExitHypercall, since(5, 14, 0x1000)},
    {Cap::BinaryStatsFd, since(5, 14, 1)},
    {Cap::ExitOnEmulationFailure, since(5, 14, 1)},
    {Cap::SysAttributes, since(5, 17, 1)},
    {Cap::SystemEventData, since(5, 18, 1)},
    {Cap::X86TripleFaultEvent, since(6, 0, 1)},
    {Cap::VmDisableNxHugePages, since(6, 0, 1)},
    {Cap::PmuEventMaskedEvents, since(6, 3, 1)},
    {Cap::UserMemory2, since(6, 8, 1)},
    {Cap::MemoryFaultInfo, since(6, 8, 1)},
    {Cap::X86ApicBusCyclesNs, since(6, 11, 1)},
    {Cap::X86GuestMode, since(6, 12, 1)},
    {Cap::OneReg, before(6, 13, succeeds(0)).then(before(7, 0, nothing_is_claimed()).then(succeeds(1)))},
};

// Not 0 when the kernel was configured with it: one answer, or 0.
struct Configured {
  Cap cap;
  long long value;
  Version since{};
};
constexpr Configured kByConfiguration[] = {
    {Cap::Pit, 1},
    {Cap::Pit2, 1},
    {Cap::PitState2, 1},
    {Cap::ReinjectControl, 1},
    {Cap::Hyperv, 1},
    {Cap::HypervVapic, 1},
    {Cap::HypervSpin, 1},
    {Cap::HypervTime, 1},
    {Cap::HypervSynic, 1},
    {Cap::HypervSynic2, 1},
    {Cap::HypervVpIndex, 1},
    {Cap::HypervEventfd, 1},
    {Cap::HypervTlbflush, 1},
    {Cap::HypervSendIpi, 1},
    {Cap::HypervCpuid, 1},
    {Cap::SysHypervCpuid, 1, {5, 11}},
    {Cap::HypervEnforceCpuid, 1, {5, 14}},
    {Cap::X86Smm, 1},
    {Cap::StealTime, 1},
    {Cap::SgxAttribute, 1, {5, 13}},
    {Cap::Xcrs, 1},
    {Cap::TscControl, 1},
    {Cap::VmTscControl, 1, {5, 18}},
    {Cap::SmallerMaxphyaddr, 1},
    {Cap::X86BusLockExit, 3, {5, 12}},
    {Cap::PmuCapability, 1, {5, 18}},
    {Cap::X86NotifyVmexit, 1, {6, 0}},

    {Cap::PreFaultMemory, 1, {6, 11}},
    {Cap::HypervEnlightenedVmcs, 1},
    {Cap::HypervDirectTlbflush, 1},
};

std::string claim_of(Cap cap) {
  std::string text(kvmapi::c_name(cap).substr(4));  // "CAP_..."
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

void expect_answer(const Expect& expect, Ctx& t, const kvmapi::Result<int>& answer) {
  const Outcome& outcome = expect.resolve(t.kernel(), t.vendor());
  if (outcome.kind == Outcome::Kind::unset) t.skip("when this capability came is not known exactly");
  EXPECT_TRUE(outcome.accepts(answer)) << "expected: " << outcome.text() << "\n     got: " << Answer(answer).text();
}

void add(const std::string& claim, const char* source, std::function<void(Ctx&)> body, const std::string& expected,
         int line) {
  Registry::global().add(Test{.id = "system.check_extension." + claim,
                              .source = source,
                              .status = Abi::observed,
                              .needs = {},
                              .file = __FILE__,
                              .line = line,
                              .body = std::move(body),
                              .describe = [expected] { return "answers " + expected; }});
}

const bool kRegistered = [] {
  for (Cap cap : kAlwaysOne) {
    add(
        claim_of(cap) + "_is_1", "kvm_vm_ioctl_check_extension",
        [cap](Ctx& t) {
          EXPECT_THAT(t.system().check_extension(cap), Returns(1));
          EXPECT_THAT(t.vm().check_extension(cap), Returns(1)) << "on a VM";
        },
        "1 on the system and on a VM", __LINE__);
  }
  for (const CapCase& row : kByVersion) {
    add(
        claim_of(row.cap) + "_is_as_the_kernel_version_says", "kvm_vm_ioctl_check_extension",
        [&row](Ctx& t) {
          expect_answer(row.answer, t, t.system().check_extension(row.cap));
          expect_answer(row.answer, t, t.vm().check_extension(row.cap));
        },
        row.answer.text(), __LINE__);
  }
  for (const Configured& row : kByConfiguration) {
    add(
        fmt::format("{}_is_{}_or_0", claim_of(row.cap), row.value), "kvm_vm_ioctl_check_extension",
        [&row](Ctx& t) {
          const int system = t.must(t.system().check_extension(row.cap));
          if (row.since.is_set() && t.kernel() < row.since) {
            EXPECT_EQ(system, 0) << "this kernel is older than the capability";
          }
          EXPECT_TRUE(system == 0 || system == row.value) << "got " << system;
          EXPECT_THAT(t.vm().check_extension(row.cap), Returns(system)) << "on a VM";
        },
        fmt::format("{} or 0, the same on a VM", row.value), __LINE__);
  }
  for (const kvmapi::CapInfo& row : kvmapi::capabilities()) {
    if (row.architectures.has(kvmapi::Arch::X86)) continue;
    add(
        claim_of(row.id) + "_of_no_x86_kernel_is_0", "api.rst 4.4",
        [cap = row.id](Ctx& t) {
          EXPECT_THAT(t.system().check_extension(cap), Returns(0));
          EXPECT_THAT(t.vm().check_extension(cap), Returns(0)) << "on a VM";
        },
        "0", __LINE__);
  }
  return true;
}();

constexpr IoctlCase kSystem[] = {
    {.name = "unknown_capability_is_0_not_an_error",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::CheckExtension, 100000); },
     .expect = succeeds(0)},
    {.name = "capability_number_5_was_never_given_and_is_0",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::CheckExtension, 5); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "all_ones_is_0",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::CheckExtension, ~u64{0}); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "number_beyond_32_bits_is_not_truncated",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::CheckExtension, u64{1} << 32 | 3); },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_check_extension_generic(long)"},
    {.name = "nr_vcpus_is_at_least_1",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::NrVcpus); },
     .expect = succeeds(),
     .check = [](Ctx& t) { EXPECT_GE(t.must(t.system().check_extension(Cap::NrVcpus)), 1); },
     .source = "api.rst 4.7"},
    {.name = "nr_vcpus_is_the_number_of_online_cpus",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::NrVcpus); },
     .expect = succeeds(),
     .needs = {.kernel = {5, 16}},
     .check =
         [](Ctx& t) {
           const int max = t.must(t.system().check_extension(Cap::MaxVcpus));
           EXPECT_EQ(t.must(t.system().check_extension(Cap::NrVcpus)),
                     std::min<long>(::sysconf(_SC_NPROCESSORS_ONLN), max));
         },
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_check_extension"},
    {.name = "max_vcpus_is_not_below_nr_vcpus",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::MaxVcpus); },
     .expect = succeeds(),
     .check =
         [](Ctx& t) {
           EXPECT_GE(t.must(t.system().check_extension(Cap::MaxVcpus)),
                     t.must(t.system().check_extension(Cap::NrVcpus)));
         },
     .source = "api.rst 4.7"},
    {.name = "max_vcpu_id_is_not_below_max_vcpus",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::MaxVcpuId); },
     .expect = succeeds(),
     .check =
         [](Ctx& t) {
           EXPECT_GE(t.must(t.system().check_extension(Cap::MaxVcpuId)),
                     t.must(t.system().check_extension(Cap::MaxVcpus)));
         },
     .source = "api.rst 4.7"},
    {.name = "max_vcpu_id_is_4_times_max_vcpus",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::MaxVcpuId); },
     .expect = succeeds(),
     .needs = {.kernel = {5, 15}},
     .check =
         [](Ctx& t) {
           EXPECT_EQ(t.must(t.system().check_extension(Cap::MaxVcpuId)),
                     4 * t.must(t.system().check_extension(Cap::MaxVcpus)));
         },
     .status = Abi::observed,
     .source = "KVM_VCPU_ID_RATIO"},
    {.name = "xsave2_is_at_least_4096",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::Xsave2); },
     .expect = succeeds(),
     .needs = {.cap = Cap::Xsave2},
     .check = [](Ctx& t) { EXPECT_GE(t.must(t.system().check_extension(Cap::Xsave2)), 4096); },
     .source = "api.rst 4.42, 4.134"},
    {.name = "nested_state_is_the_largest_state_size",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::NestedState); },
     .expect = on(Vendor::amd, succeeds(4224)).otherwise(on(Vendor::intel, succeeds(8320)).otherwise(succeeds())),
     .needs = {.cap = Cap::NestedState},
     .source = "api.rst 4.114"},
    {.name = "vm_types_has_the_default_type",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::VmTypes); },
     .expect = succeeds(),
     .needs = {.cap = Cap::VmTypes},
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.system().check_extension(Cap::VmTypes)) & 1, 1); },
     .source = "api.rst 8.41"},
    {.name = "multi_address_space_is_2_where_there_is_smm",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::MultiAddressSpace); },
     .expect = succeeds(2),
     .needs = {.cap = Cap::X86Smm},
     .status = Abi::observed},
    {.name = "disable_exits_is_a_subset_of_the_known_bits",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::X86DisableExits); },
     .expect = succeeds(),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.system().check_extension(Cap::X86DisableExits)) & ~0x1f, 0); },
     .source = "api.rst 7.13"},
    {.name = "x2apic_api_has_32bit_ids_and_broadcast_quirk",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::X2apicApi); },
     .expect = succeeds(),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.system().check_extension(Cap::X2apicApi)) & 3, 3); },
     .source = "api.rst 7.7"},
    {.name = "disable_quirks2_has_the_first_six_quirks",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::DisableQuirks2); },
     .expect = succeeds(),
     .needs = {.cap = Cap::DisableQuirks2},
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.system().check_extension(Cap::DisableQuirks2)) & 0x3f, 0x3f); },
     .source = "api.rst 7.31"},
    {.name = "guest_memfd_flags_has_no_unknown_bit",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::GuestMemfdFlags); },
     .expect = succeeds(),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.system().check_extension(Cap::GuestMemfdFlags)) & ~3, 0); },
     .source = "api.rst 4.142"},
    {.name = "memory_attributes_is_private_or_0",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::MemoryAttributes); },
     .expect = succeeds(),
     .check =
         [](Ctx& t) {
           const int attributes = t.must(t.system().check_extension(Cap::MemoryAttributes));
           EXPECT_TRUE(attributes == 0 || attributes == 8) << attributes;
         },
     .source = "api.rst 4.141"},
    {.name = "xen_hvm_has_no_unknown_bit",
     .call = [](Ctx& t) { return t.system().check_extension(Cap::XenHvm); },
     .expect = succeeds(),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.system().check_extension(Cap::XenHvm)) & ~0x1ff, 0); },
     .source = "api.rst 8.30"},
};
KVM_ROWS("system.check_extension", "api.rst 4.4", kSystem);

}  // namespace
}  // namespace conformance
