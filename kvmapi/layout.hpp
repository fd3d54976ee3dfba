// Where every field of every ABI struct lies, as data: what printing and the layout tests read. Table:
// kvmapi/layout.def.
#pragma once

#include <span>
#include <string_view>

#include "kvmapi/types.hpp"
#include "kvmapi/uapi/all.hpp"
#include "kvmapi/uapi/paravirt.hpp"

namespace kvmapi {

enum class FieldType : u8 { U8, U16, U32, U64, S8, S16, S32, S64, Struct, Union };

struct LayoutField {
  std::string_view owner;      // "kvm_regs"
  std::string_view name;       // "rax"
  FieldType type;              // of one element
  std::string_view type_name;  // "u64", "kvm_segment", "Union"
  u32 count;                   // 1, or elements of an array
  u32 offset;                  // in bytes
  u32 bytes;
  std::string_view format;  // "Hex", "Dec", "Bytes", "Struct", "Union", "Pad", "Cap", "Exit" or a group of constants
};

// What a union holds for some values of another field.
struct LayoutMember {
  std::string_view owner, field, selector;
  FieldType type;
  std::string_view type_name;
  u32 offset;  // in the owner
  u32 bytes;
  u64 first, last;  // of the selector
};

// What follows a header.
struct LayoutList {
  std::string_view owner, name;
  FieldType type;
  std::string_view type_name;
  u32 offset;
  std::string_view count_field;  // empty: its length is told elsewhere
};

struct StructLayout {
  std::string_view name;
  u32 bytes;
  u32 alignment;
  std::span<const LayoutField> fields;    // in the order of the offset
  std::span<const LayoutMember> members;  // of all its unions
  const LayoutList* list = nullptr;

  // nullptr if there is none of that name.
  const LayoutField* field(std::string_view name) const;
};

// Every struct, in the order of layout.def.
std::span<const StructLayout> struct_layouts();
// nullptr for a name that is not in layout.def.
const StructLayout* find_layout(std::string_view name);

// Bytes of one element of this type.
u32 element_bytes(FieldType type, std::string_view type_name);

// The name of an ABI struct; empty for every other type.
template <class T>
inline constexpr std::string_view kStructName{};
#define STRUCT(name, ...) \
  template <>             \
  inline constexpr std::string_view kStructName<name> = #name;
#define PART(name, ...) STRUCT(name)
#include "kvmapi/layout.def"

template <class T>
concept HasLayout = !kStructName<T>.empty();

template <HasLayout T>
const StructLayout& layout_of() {
  static const StructLayout& layout = *find_layout(kStructName<T>);
  return layout;
}

}  // namespace kvmapi
