#include "kvmapi/ioctl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "kvmapi/uapi/all.hpp"

namespace kvmapi {
namespace {

template <class... Caps>
constexpr std::array<Cap, 4> cap_list(Caps... caps) {
  static_assert(sizeof...(caps) <= 4);
  std::array<Cap, 4> list{Cap::None, Cap::None, Cap::None, Cap::None};
  std::size_t i = 0;
  ((list[i++] = caps), ...);
  return list;
}

template <class T>
constexpr Passing passing() {
  if (std::is_same_v<T, NoArgument>) return Passing::None;
  return std::is_same_v<T, Immediate> ? Passing::Immediate : Passing::Pointer;
}

template <class T>
constexpr u32 argument_bytes() {
  return passing<T>() == Passing::Pointer ? sizeof(T) : 0;
}

// Rows of other architectures name types that do not exist here.
constexpr Passing passing_by_name(std::string_view argument) {
  if (argument == "NoArgument") return Passing::None;
  return argument == "Immediate" ? Passing::Immediate : Passing::Pointer;
}

constexpr IoctlInfo kIoctls[] = {
#define CAPS(...)                 \
  [] {                            \
    using enum Cap;               \
    return cap_list(__VA_ARGS__); \
  }()
#define FDS(set)         \
  [] {                   \
    using enum FdKind;   \
    return FdKinds(set); \
  }()
#define ARCHS(set)             \
  [] {                         \
    using enum Arch;           \
    return Architectures(set); \
  }()
#define IOCTL(c_name, Id, number, fds, argument, direction, caps, archs, section, returns) \
  {Ioctl::Id,                                                                              \
   #c_name,                                                                                \
   #Id,                                                                                    \
   FDS(fds),                                                                               \
   #argument,                                                                              \
   argument_bytes<argument>(),                                                             \
   passing<argument>(),                                                                    \
   Direction::direction,                                                                   \
   caps,                                                                                   \
   ARCHS(archs),                                                                           \
   true,                                                                                   \
   section,                                                                                \
   returns},
#include "kvmapi/ioctls.def"
#define IOCTL_OTHER(c_name, Id, number, fds, argument, direction, caps, archs, section, returns)             \
  {Ioctl::Id, #c_name,      #Id,   FDS(fds), #argument, 0, passing_by_name(#argument), Direction::direction, \
   caps,      ARCHS(archs), false, section,  returns},
#include "kvmapi/ioctls.def"
#undef ARCHS
#undef FDS
#undef CAPS
};

constexpr std::size_t kCount = std::size(kIoctls);

// Indices of kIoctls in the order of their numbers; rows with equal numbers keep the order of the table.
constexpr auto kByNumber = [] {
  std::array<u16, kCount> order{};
  for (u16 i = 0; i < kCount; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [](u16 a, u16 b) { return kIoctls[a].id != kIoctls[b].id ? kIoctls[a].id < kIoctls[b].id : a < b; });
  return order;
}();

auto rows_of(u32 number) {
  struct Less {
    bool operator()(u16 index, u32 n) const { return kIoctls[index].number() < n; }
    bool operator()(u32 n, u16 index) const { return n < kIoctls[index].number(); }
  };
  const auto [first, last] = std::equal_range(kByNumber.begin(), kByNumber.end(), number, Less{});
  return std::span<const u16>(first, last);
}

// Headers of lists. A C++ compiler that reads <linux/kvm.h> 6.1 (not 5.10, not 6.12) sees an empty struct, one byte,
// before the list and so a larger size.
constexpr bool is_flexible_array_bug(const IoctlInfo& meant, u32 bytes) {
  struct Wrong {
    std::string_view argument;
    u32 bytes;
  };
  constexpr Wrong kWrong[] = {{"kvm_cpuid", 12},    {"kvm_cpuid2", 12},           {"kvm_msrs", 16},
                              {"kvm_msr_list", 8},  {"kvm_signal_mask", 8},       {"kvm_irq_routing", 16},
                              {"kvm_reg_list", 16}, {"kvm_pmu_event_filter", 40}, {"kvm_xsave", 4100}};
  return std::any_of(std::begin(kWrong), std::end(kWrong),
                     [&](const Wrong& w) { return w.argument == meant.argument && w.bytes == bytes; });
}

}  // namespace

std::span<const IoctlInfo> ioctls() { return kIoctls; }

const IoctlInfo& info(Ioctl ioctl) { return kIoctls[rows_of(number(ioctl)).front()]; }

const IoctlInfo* find_ioctl(FdKind kind, u32 number) {
  for (const u16 index : rows_of(number)) {
    if (kIoctls[index].fds.has(kind)) return &kIoctls[index];
  }
  return nullptr;
}

const IoctlInfo* find_ioctl(u32 number) {
  const auto rows = rows_of(number);
  return rows.empty() ? nullptr : &kIoctls[rows.front()];
}

const IoctlInfo* find_ioctl(std::string_view name) {
  const auto* found = std::find_if(std::begin(kIoctls), std::end(kIoctls),
                                   [&](const IoctlInfo& row) { return row.c_name == name || row.name == name; });
  return found != std::end(kIoctls) ? found : nullptr;
}

std::string_view c_name(Ioctl ioctl) {
  const IoctlInfo* row = find_ioctl(number(ioctl));
  return row != nullptr ? row->c_name : "unknown ioctl";
}

std::string explain_unknown(FdKind kind, u32 number) {
  if (const IoctlInfo* row = find_ioctl(kind, number)) {
    if (row->is_x86) return fmt::format("{} (0x{:08x}) is known here", row->c_name, number);
    return fmt::format("{} (0x{:08x}) belongs to {}", row->c_name, number, to_text(row->architectures));
  }
  if (const IoctlInfo* row = find_ioctl(number)) {
    return fmt::format("{} (0x{:08x}) belongs to a {} descriptor, this is a {} descriptor", row->c_name, number,
                       to_text(row->fds), name(kind));
  }
  const RequestParts parts = split_request(number);
  if (parts.type != 0xae)
    return fmt::format("0x{:08x} is not a KVM request: its type is 0x{:02x}, not 0xae", number, parts.type);

  const IoctlInfo* same_nr = nullptr;
  for (const IoctlInfo& row : kIoctls) {
    const RequestParts meant = split_request(row.number());
    if (!row.is_x86 || meant.nr != parts.nr) continue;
    if (is_flexible_array_bug(row, parts.bytes) && meant.direction == parts.direction) {
      return fmt::format("0x{:08x} has the C++ flexible-array bug of some <linux/kvm.h>: you meant {} (0x{:08x})",
                         number, row.c_name, row.number());
    }
    if (same_nr == nullptr || row.fds.has(kind)) same_nr = &row;
  }
  if (same_nr == nullptr) return fmt::format("0x{:08x}: KVM has no request 0x{:02x}", number, parts.nr);
  const RequestParts meant = split_request(same_nr->number());
  if (meant.bytes != parts.bytes) {
    return fmt::format("0x{:08x}: its argument has {} bytes, that of {} (0x{:08x}) has {}", number, parts.bytes,
                       same_nr->c_name, same_nr->number(), meant.bytes);
  }
  return fmt::format("0x{:08x}: its direction is {}, that of {} (0x{:08x}) is {}", number, name(parts.direction),
                     same_nr->c_name, same_nr->number(), name(meant.direction));
}

}  // namespace kvmapi
