// KVM_CHECK_EXTENSION by profile: the recorded table minus what the mock does not model.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "kvmapi/cap.hpp"
#include "mock/profile/profile.hpp"

namespace mock {
namespace {

struct Row {
  u32 number;
  std::array<int, 4> values;  // 5.10, 6.1, 6.12, 7.2
};

constexpr Row kRows[] = {
#define CAP_ROW(number, v5_10, v6_1, v6_12, v7_2) {number, {v5_10, v6_1, v6_12, v7_2}},
#include "mock/profile/capabilities.inc"
#undef CAP_ROW
};

// Answered as by a kernel built without the feature; the ioctls behind them are MISSING rows.
constexpr Cap kNotModelled[] = {
    Cap::XenHvm,        Cap::Hyperv,          Cap::HypervVapic,    Cap::HypervSpin,         Cap::HypervTime,
    Cap::HypervSynic,   Cap::HypervSynic2,    Cap::HypervVpIndex,  Cap::HypervEventfd,      Cap::HypervTlbflush,
    Cap::HypervSendIpi, Cap::HypervCpuid,     Cap::SysHypervCpuid, Cap::HypervEnforceCpuid, Cap::SgxAttribute,
    Cap::GuestMemfd,    Cap::GuestMemfdFlags,
};

int column(KernelVersion kernel) {
  if (kernel >= KernelVersion{7, 0}) return 3;
  if (kernel >= KernelVersion{6, 12}) return 2;
  if (kernel >= KernelVersion{6, 1}) return 1;
  return 0;
}

}  // namespace

int Profile::capability(u32 number) const {
  for (Cap cap : kNotModelled)
    if (number == static_cast<u32>(cap)) return 0;
  // The recorded value is the lab machine's number of processors; the rule is min(online, max).
  if (number == static_cast<u32>(Cap::NrVcpus))
    return static_cast<int>(std::clamp<long>(sysconf(_SC_NPROCESSORS_ONLN), 1, max_vcpus()));
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [=](const Row& r) { return r.number == number; });
  return row == std::end(kRows) ? 0 : row->values[column(kernel)];
}

u32 Profile::max_slots() const { return static_cast<u32>(capability(static_cast<u32>(Cap::NrMemslots))); }
u32 Profile::max_vcpus() const { return static_cast<u32>(capability(static_cast<u32>(Cap::MaxVcpus))); }
u32 Profile::max_vcpu_ids() const { return static_cast<u32>(capability(static_cast<u32>(Cap::MaxVcpuId))); }

}  // namespace mock
