#include "conformance/layout/actual_layout.hpp"

#include <array>
#include <boost/pfr.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kvmapi/layout.hpp"

namespace conformance {
namespace {

using kvmapi::u32;

// What a member is made of: scalars, structs, unions, or (nested) arrays of them.
template <class T>
struct Element {
  static constexpr u32 kCount = 1;
  static constexpr std::string_view type() {
    if constexpr (std::is_same_v<T, kvmapi::u8>) return "u8";
    if constexpr (std::is_same_v<T, kvmapi::u16>) return "u16";
    if constexpr (std::is_same_v<T, kvmapi::u32>) return "u32";
    if constexpr (std::is_same_v<T, kvmapi::u64>) return "u64";
    if constexpr (std::is_same_v<T, kvmapi::s8>) return "s8";
    if constexpr (std::is_same_v<T, kvmapi::s16>) return "s16";
    if constexpr (std::is_same_v<T, kvmapi::s32>) return "s32";
    if constexpr (std::is_same_v<T, kvmapi::s64>) return "s64";
    return kvmapi::kStructName<T>;
  }
};
template <std::size_t Bytes, class Word>
struct Element<kvmapi::Overlay<Bytes, Word>> {
  static constexpr u32 kCount = 1;
  static constexpr std::string_view type() { return "Union"; }
};
template <class T, std::size_t N>
struct Element<std::array<T, N>> {
  static constexpr u32 kCount = N * Element<T>::kCount;
  static constexpr std::string_view type() { return Element<T>::type(); }
};

template <class T>
ActualStruct reflect(std::string_view name) {
  static const T value{};
  const auto base = reinterpret_cast<std::uintptr_t>(&value);
  ActualStruct result{name, sizeof(T), alignof(T), {}};
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto add = [&]<class Member>(const Member& member) {
      const auto offset = static_cast<u32>(reinterpret_cast<std::uintptr_t>(&member) - base);
      result.fields.push_back({offset, sizeof(Member), Element<Member>::type(), Element<Member>::kCount});
    };
    (add(boost::pfr::get<I>(value)), ...);
  }
  (std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
  return result;
}

constexpr NamedPlace kNamed[] = {
#define FIELD(owner, field, ...) {#owner, #field, offsetof(kvmapi::owner, field), sizeof(kvmapi::owner::field)},
#define FIELD_AS(owner, field, ...) FIELD(owner, field)
#include "kvmapi/layout.def"
};

}  // namespace

std::span<const NamedPlace> named_places() { return kNamed; }

const std::vector<ActualStruct>& actual_structs() {
  static const std::vector<ActualStruct> all = {
#define STRUCT(name, ...) reflect<kvmapi::name>(#name),
#define PART(name, ...) reflect<kvmapi::name>(#name),
#include "kvmapi/layout.def"
  };
  return all;
}

const ActualStruct* find_actual(std::string_view name) {
  for (const ActualStruct& each : actual_structs()) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace conformance
