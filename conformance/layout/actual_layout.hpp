// How our own structs are really laid out, found by reflection (Boost.PFR): number, order, offset, size and type of
// their members. Knows nothing of layout.def, so that the two can be compared.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "kvmapi/types.hpp"

namespace conformance {

struct ActualField {
  kvmapi::u32 offset;
  kvmapi::u32 bytes;
  std::string_view type;  // of one element: "u8" ... "s64", a struct's name, "Union"
  kvmapi::u32 count;      // 1, or elements of an array, all dimensions together
};

struct ActualStruct {
  std::string_view name;
  kvmapi::u32 bytes;
  kvmapi::u32 alignment;
  std::vector<ActualField> fields;
};

// Every struct of kvmapi/uapi that layout.def names.
const std::vector<ActualStruct>& actual_structs();
const ActualStruct* find_actual(std::string_view name);

// Where a member lies that is asked for by its name: reflection alone cannot tell two neighbours of one type apart.
struct NamedPlace {
  std::string_view owner, name;
  kvmapi::u32 offset, bytes;
};
// In the order of layout.def.
std::span<const NamedPlace> named_places();

}  // namespace conformance
