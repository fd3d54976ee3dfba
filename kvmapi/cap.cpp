#include "kvmapi/cap.hpp"

#include <algorithm>
#include <iterator>

namespace kvmapi {
namespace {

constexpr CapInfo kCapabilities[] = {
#define CAPABILITY(c_name, Id, number, architectures, scope, sections) \
  {Cap::Id,                                                            \
   #c_name,                                                            \
   #Id,                                                                \
   [] {                                                                \
     using enum Arch;                                                  \
     return Architectures(architectures);                              \
   }(),                                                                \
   [] {                                                                \
     using enum FdKind;                                                \
     return FdKinds(scope);                                            \
   }(),                                                                \
   sections},
#include "kvmapi/capabilities.def"
};

static_assert(std::is_sorted(std::begin(kCapabilities), std::end(kCapabilities),
                             [](const CapInfo& a, const CapInfo& b) { return a.id < b.id; }));

}  // namespace

std::span<const CapInfo> capabilities() { return kCapabilities; }

const CapInfo* find_cap(u32 number) {
  const auto* found = std::lower_bound(std::begin(kCapabilities), std::end(kCapabilities), number,
                                       [](const CapInfo& info, u32 n) { return static_cast<u32>(info.id) < n; });
  return found != std::end(kCapabilities) && static_cast<u32>(found->id) == number ? found : nullptr;
}

std::string_view c_name(Cap cap) {
  const CapInfo* info = find_cap(static_cast<u32>(cap));
  return info != nullptr ? info->c_name : "unknown capability";
}

std::optional<Cap> cap_from_name(std::string_view name) {
  for (const CapInfo& info : kCapabilities) {
    if (info.c_name == name || info.name == name) return info.id;
  }
  return std::nullopt;
}

}  // namespace kvmapi
