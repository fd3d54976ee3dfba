// A model of how C compilers lay out structs: given the types of the members and the rules of an ABI, where does each
// member lie? Types are written in a small language, so that structs of architectures that this machine cannot compile
// for can be computed all the same:
//
//   u8 u16 u32 u64 u128 long pointer     scalars
//   { a b c }                            struct, in order
//   < a | b >                            union
//   type[n]                              array
//   name:type                            a member whose offset is wanted; nested ones are "outer.inner"
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kvmapi/types.hpp"

namespace conformance {

// What differs between ABIs for the members that KVM uses.
struct AbiRules {
  kvmapi::u32 long_bytes = 8;
  kvmapi::u32 pointer_bytes = 8;
  kvmapi::u32 u64_alignment = 8;
};

struct ModelLayout {
  kvmapi::u32 bytes = 0;
  kvmapi::u32 alignment = 1;
  std::map<std::string, kvmapi::u32, std::less<>> offsets;

  // Throws std::out_of_range for a member that was not named.
  kvmapi::u32 offset(std::string_view path) const;
};

// Throws std::invalid_argument when the text is not a type.
ModelLayout lay_out(std::string_view type, const AbiRules& abi);

}  // namespace conformance
