// Capabilities: the arguments of KVM_CHECK_EXTENSION and KVM_ENABLE_CAP. Table: kvmapi/capabilities.def.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "kvmapi/kinds.hpp"
#include "kvmapi/types.hpp"

namespace kvmapi {

enum class Cap : u32 {
#define CAPABILITY(c_name, Id, number, architectures, scope, sections) Id = number,
#include "kvmapi/capabilities.def"
  None = 0xffffffff,  // "no capability needed" in tables; KVM_CHECK_EXTENSION answers 0
};

struct CapInfo {
  Cap id;
  std::string_view c_name;  // "KVM_CAP_READONLY_MEM"
  std::string_view name;    // "ReadonlyMem"
  Architectures architectures;
  FdKinds enabled_on;         // descriptors on which KVM_ENABLE_CAP takes it on x86
  std::string_view sections;  // of api.rst; "-" if none
};

// Every capability, in the order of its number.
std::span<const CapInfo> capabilities();

// nullptr for a number without a name.
const CapInfo* find_cap(u32 number);

// "KVM_CAP_READONLY_MEM", or "unknown capability".
std::string_view c_name(Cap cap);

// The capability called "KVM_CAP_READONLY_MEM" or "ReadonlyMem".
std::optional<Cap> cap_from_name(std::string_view name);

}  // namespace kvmapi
