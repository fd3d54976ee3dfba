#include "kvmapi/constants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace kvmapi {
namespace {

constexpr ConstantInfo kConstants[] = {
#define CONSTANT(group, c_name, name, type, value) {#group, #c_name, value},
#include "kvmapi/uapi/constants.def"
};

std::string flags_text(std::span<const ConstantInfo> flags, u64 value) {
  if (value == 0) return "0";
  std::string text;
  const auto append = [&](std::string_view part) {
    if (!text.empty()) text += '|';
    text += part;
  };
  for (const ConstantInfo& flag : flags) {
    if (flag.value == 0 || (value & flag.value) != flag.value) continue;
    append(flag.c_name);
    value &= ~flag.value;
  }
  if (value != 0) append(fmt::format("0x{:x}", value));
  return text;
}

}  // namespace

std::span<const ConstantInfo> constants() { return kConstants; }

std::span<const ConstantInfo> constants(std::string_view group) {
  const auto in_group = [&](const ConstantInfo& row) { return row.group == group; };
  const auto* first = std::find_if(std::begin(kConstants), std::end(kConstants), in_group);
  return {first, std::find_if_not(first, std::end(kConstants), in_group)};
}

std::string constant_text(std::string_view group, u64 value) {
  const auto rows = constants(group);
  if (group.ends_with("Flags") || group.ends_with("Attributes")) return flags_text(rows, value);
  for (const ConstantInfo& row : rows) {
    if (row.value == value) return std::string(row.c_name);
  }
  return fmt::format("{}", value);
}

}  // namespace kvmapi
