// State that is read can be set again, and reads the same afterwards: what live migration stands on.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kvmapi/ioctl.hpp"
#include "kvmapi/result.hpp"
#include "kvmapi/uapi/all.hpp"

namespace mock::fuzz {

using namespace kvmapi;

struct GetSet {
  Ioctl get, set;
};
inline constexpr GetSet kGetSets[] = {
    {Ioctl::GetRegs, Ioctl::SetRegs},           {Ioctl::GetSregs, Ioctl::SetSregs},
    {Ioctl::GetSregs2, Ioctl::SetSregs2},       {Ioctl::GetFpu, Ioctl::SetFpu},
    {Ioctl::GetXsave, Ioctl::SetXsave},         {Ioctl::GetXcrs, Ioctl::SetXcrs},
    {Ioctl::GetDebugregs, Ioctl::SetDebugregs}, {Ioctl::GetVcpuEvents, Ioctl::SetVcpuEvents},
    {Ioctl::GetMpState, Ioctl::SetMpState},     {Ioctl::GetLapic, Ioctl::SetLapic},
};

// KVM_SET_REGS drops a pending exception but not its payload, as in the kernel; setting the events does.
inline void forget_payload_of_nothing(Ioctl get, std::vector<u8>& data) {
  if (get != Ioctl::GetVcpuEvents) return;
  kvm_vcpu_events events;
  std::memcpy(&events, data.data(), sizeof events);
  if (events.exception.pending) return;
  events.exception_has_payload = 0;
  events.exception_payload = 0;
  std::memcpy(data.data(), &events, sizeof events);
}

// `ioctl(request, argument)` is the vcpu's. Ends the process if a pair does not hold.
template <class IoctlOfVcpu>
void check_round_trips(IoctlOfVcpu ioctl) {
  for (const GetSet& pair : kGetSets) {
    std::vector<u8> first(info(pair.get).argument_bytes), second(first.size());
    const auto call = [&](Ioctl which, std::vector<u8>& data) {
      const auto result = Result<int>(ioctl(number(which), reinterpret_cast<u64>(data.data())));
      forget_payload_of_nothing(which, data);
      return result;
    };
    if (!call(pair.get, first)) continue;
    const Result<int> set = call(pair.set, first);
    const bool same = set && call(pair.get, second) && first == second;
    if (same) continue;
    std::fprintf(stderr, "impossible: %s refuses or changes what %s gave", std::string(c_name(pair.set)).c_str(),
                 std::string(c_name(pair.get)).c_str());
    for (std::size_t i = 0; set && i < first.size(); ++i)
      if (first[i] != second[i]) std::fprintf(stderr, " [%zu] %02x %02x", i, first[i], second[i]);
    std::fprintf(stderr, "\n");
    std::abort();
  }
}

}  // namespace mock::fuzz
