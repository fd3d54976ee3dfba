// An ABI struct as a small tree of named values: what text and JSON are made from. Works on plain bytes, so that memory
// of a caller can be described after it was copied safely. Unions hold what their selector says; padding appears only
// when it is not zero.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kvmapi/layout.hpp"

namespace kvmapi {

struct Node {
  enum class Kind : u8 { Number, Text, Bytes, Array, Object };
  std::string name;  // empty for an element of an array
  Kind kind = Kind::Text;
  std::string text;  // Number: decimal; Text: a name, flags or 0x...; Bytes: "de ad", with its remark if cut
  std::vector<Node> children;
  std::size_t hidden = 0;  // elements of an Array that are not among the children
  bool hidden_are_zero = false;
};

// `bytes` may be shorter than the struct (fields beyond are left out) or longer (then the list behind a header is
// described too). `max_elements`: of arrays and lists.
Node describe(const StructLayout& layout, std::span<const std::byte> bytes, std::size_t max_elements);
// One field of it. The field must lie inside `bytes`.
Node describe_field(const StructLayout& layout, const LayoutField& field, std::span<const std::byte> bytes,
                    std::size_t max_elements);
// One integer in a field's format.
Node describe_scalar(FieldType type, std::string_view format, std::span<const std::byte> bytes);

}  // namespace kvmapi
