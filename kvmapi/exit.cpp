#include "kvmapi/exit.hpp"

#include <iterator>

namespace kvmapi {
namespace {

constexpr ExitInfo kExits[] = {
#define EXIT(c_name, Id, number, payload, architectures, section) \
  {Exit::Id,                                                      \
   #c_name,                                                       \
   #Id,                                                           \
   #payload,                                                      \
   [] {                                                           \
     using enum Arch;                                             \
     return Architectures(architectures);                         \
   }(),                                                           \
   section},
#include "kvmapi/exits.def"
};

constexpr bool index_is_number() {
  for (u32 i = 0; i < std::size(kExits); ++i) {
    if (static_cast<u32>(kExits[i].id) != i) return false;
  }
  return true;
}
static_assert(index_is_number());

}  // namespace

std::span<const ExitInfo> exits() { return kExits; }

const ExitInfo* find_exit(u32 number) { return number < std::size(kExits) ? &kExits[number] : nullptr; }

std::string_view c_name(Exit exit) {
  const ExitInfo* info = find_exit(static_cast<u32>(exit));
  return info != nullptr ? info->c_name : "unknown exit reason";
}

std::optional<Exit> exit_from_name(std::string_view name) {
  for (const ExitInfo& info : kExits) {
    if (info.c_name == name || info.name == name) return info.id;
  }
  return std::nullopt;
}

}  // namespace kvmapi
