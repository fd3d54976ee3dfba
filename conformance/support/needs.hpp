// Needs: what must be there for a row to mean anything. A row whose needs are not met is skipped, and the reason names
// exactly what is missing: "KVM_CAP_READONLY_MEM is 0 on the VM", "kernel 5.10 is older than 6.9".
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string>

#include "conformance/support/call.hpp"
#include "conformance/support/expect.hpp"
#include "conformance/support/version.hpp"
#include "kvmapi/cap.hpp"
#include "kvmapi/ioctl.hpp"

namespace conformance {

using kvmapi::Cap;
using kvmapi::Ioctl;

// A few capabilities: `.cap = Cap::ReadonlyMem` or `.cap = {Cap::SyncRegs, Cap::ImmediateExit}`.
class CapList {
 public:
  constexpr CapList() = default;
  constexpr CapList(Cap cap) : count_(1) { caps_[0] = cap; }  // NOLINT(google-explicit-constructor)
  constexpr CapList(std::initializer_list<Cap> caps) {
    for (Cap cap : caps) caps_[count_++] = cap;
  }
  constexpr const Cap* begin() const { return caps_.data(); }
  constexpr const Cap* end() const { return caps_.data() + count_; }

 private:
  std::array<Cap, 4> caps_{};
  int count_ = 0;
};

enum class CpuidRegister : unsigned char { eax, ebx, ecx, edx };

// One bit of KVM_GET_SUPPORTED_CPUID.
struct CpuFeature {
  const char* name = nullptr;
  unsigned leaf = 0;
  unsigned index = 0;
  CpuidRegister reg = CpuidRegister::eax;
  unsigned bit = 0;
};

namespace cpu_feature {
inline constexpr CpuFeature kX2apic{"x2apic", 1, 0, CpuidRegister::ecx, 21};
inline constexpr CpuFeature kTscDeadline{"tsc_deadline", 1, 0, CpuidRegister::ecx, 24};
inline constexpr CpuFeature kXsave{"xsave", 1, 0, CpuidRegister::ecx, 26};
inline constexpr CpuFeature kAvx{"avx", 1, 0, CpuidRegister::ecx, 28};
inline constexpr CpuFeature kMtrr{"mtrr", 1, 0, CpuidRegister::edx, 12};
inline constexpr CpuFeature kLongMode{"lm", 0x80000001, 0, CpuidRegister::edx, 29};
inline constexpr CpuFeature kNx{"nx", 0x80000001, 0, CpuidRegister::edx, 20};
inline constexpr CpuFeature kSvm{"svm", 0x80000001, 0, CpuidRegister::ecx, 2};
}  // namespace cpu_feature

// A condition that no capability tells: true means present. `what` completes "missing: ...".
struct Probe {
  const char* what = nullptr;
  bool (*is_present)(Ctx&) = nullptr;
};

struct Needs {
  CapList cap{};            // not 0 on /dev/kvm
  CapList vm_cap{};         // not 0 on a VM
  CpuFeature cpu{};         // in KVM_GET_SUPPORTED_CPUID
  Version kernel{};         // at least this kernel
  Version kernel_before{};  // older than this kernel
  Vendor vendor = Vendor::any;
  // A VM ioctl that a kernel without the config option answers with ENOTTY. Probed with argument 0 on a VM of its own.
  std::optional<Ioctl> vm_ioctl{};
  Probe probe{};
};

// Why the row cannot run here, or nothing. Throws BrokenSetup when the question itself cannot be asked.
std::optional<std::string> unmet(const Needs& needs, Ctx& t);
// For `explain`: one line per need, empty if there are none.
std::string text(const Needs& needs);

}  // namespace conformance
