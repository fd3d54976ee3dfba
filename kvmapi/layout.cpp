#include "kvmapi/layout.hpp"

#include <algorithm>
#include <vector>

#include "kvmapi/exit.hpp"

namespace kvmapi {
namespace {

constexpr FieldType field_type(std::string_view name) {
  if (name == "u8") return FieldType::U8;
  if (name == "u16") return FieldType::U16;
  if (name == "u32") return FieldType::U32;
  if (name == "u64") return FieldType::U64;
  if (name == "s8") return FieldType::S8;
  if (name == "s16") return FieldType::S16;
  if (name == "s32") return FieldType::S32;
  if (name == "s64") return FieldType::S64;
  return name == "Union" ? FieldType::Union : FieldType::Struct;
}

constexpr LayoutField kFields[] = {
#define FIELD(owner, field, type, count, offset, bytes, format) \
  {#owner, #field, field_type(#type), #type, count, offset, bytes, #format},
#define FIELD_AS(owner, field, c_struct, c_path, type, count, offset, bytes, format) \
  FIELD(owner, field, type, count, offset, bytes, format)
#include "kvmapi/layout.def"
};

constexpr LayoutMember kMembers[] = {
#define MEMBER(owner, field, selector, c_struct, c_path, type, offset, bytes, first, last) \
  {#owner, #field, #selector, field_type(#type), #type, offset, bytes, static_cast<u64>(first), static_cast<u64>(last)},
#include "kvmapi/layout.def"
};

constexpr std::string_view count_name(std::string_view name) { return name == "kNoCount" ? "" : name; }

constexpr LayoutList kLists[] = {
#define LIST(owner, c_path, type, offset, count_field) \
  {#owner, #c_path, field_type(#type), #type, offset, count_name(#count_field)},
#include "kvmapi/layout.def"
};

template <class Row, std::size_t N>
std::span<const Row> rows_of(const Row (&rows)[N], std::string_view owner) {
  const auto is_owned = [&](const Row& row) { return row.owner == owner; };
  const Row* first = std::find_if(rows, rows + N, is_owned);
  return {first, std::find_if_not(first, rows + N, is_owned)};
}

StructLayout make_layout(std::string_view name, u32 bytes, u32 alignment) {
  const auto list = rows_of(kLists, name);
  return {
      name, bytes, alignment, rows_of(kFields, name), rows_of(kMembers, name), list.empty() ? nullptr : list.data()};
}

const std::vector<StructLayout>& layouts() {
  static const std::vector<StructLayout> all = {
#define STRUCT(name, bytes, alignment) make_layout(#name, bytes, alignment),
#define PART(name, bytes, alignment, ...) make_layout(#name, bytes, alignment),
#include "kvmapi/layout.def"
  };
  return all;
}

}  // namespace

const LayoutField* StructLayout::field(std::string_view field_name) const {
  for (const LayoutField& field : fields) {
    if (field.name == field_name) return &field;
  }
  return nullptr;
}

std::span<const StructLayout> struct_layouts() { return layouts(); }

const StructLayout* find_layout(std::string_view name) {
  for (const StructLayout& layout : layouts()) {
    if (layout.name == name) return &layout;
  }
  return nullptr;
}

u32 element_bytes(FieldType type, std::string_view type_name) {
  switch (type) {
    case FieldType::U8:
    case FieldType::S8:
      return 1;
    case FieldType::U16:
    case FieldType::S16:
      return 2;
    case FieldType::U32:
    case FieldType::S32:
      return 4;
    case FieldType::U64:
    case FieldType::S64:
      return 8;
    case FieldType::Struct:
      if (const StructLayout* layout = find_layout(type_name)) return layout->bytes;
      return 0;
    case FieldType::Union:
      return 0;
  }
  return 0;
}

}  // namespace kvmapi
