// Names of the ABI's constants: groups of flags and of alternatives, for printing. Values: kvmapi/uapi/constants.hpp.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kvmapi/types.hpp"

namespace kvmapi {

struct ConstantInfo {
  std::string_view group;   // "MemoryRegionFlags"
  std::string_view c_name;  // "KVM_MEM_READONLY"
  u64 value;
};

// Every constant, groups together.
std::span<const ConstantInfo> constants();
// The constants of one group; empty if there is no such group.
std::span<const ConstantInfo> constants(std::string_view group);

// "KVM_MEM_LOG_DIRTY_PAGES|KVM_MEM_READONLY|0x80", "0"; a group whose bits are alternatives: "KVM_MP_STATE_HALTED", or
// the number.
std::string constant_text(std::string_view group, u64 value);

}  // namespace kvmapi
