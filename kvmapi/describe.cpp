#include "kvmapi/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kvmapi/cap.hpp"
#include "kvmapi/constants.hpp"
#include "kvmapi/exit.hpp"

namespace kvmapi {
namespace {

using Bytes = std::span<const std::byte>;

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Little endian, at most 8 bytes.
u64 load(Bytes bytes) {
  u64 value = 0;
  std::memcpy(&value, bytes.data(), std::min<std::size_t>(bytes.size(), 8));
  return value;
}

s64 load_signed(Bytes bytes) {
  const int shift = 64 - 8 * static_cast<int>(bytes.size());
  return static_cast<s64>(load(bytes) << shift) >> shift;
}

Node number_node(std::string decimal) { return {.kind = Node::Kind::Number, .text = std::move(decimal)}; }
Node text_node(std::string text) { return {.kind = Node::Kind::Text, .text = std::move(text)}; }

Node bytes_node(Bytes bytes, std::size_t max_bytes) {
  Node node{.kind = Node::Kind::Bytes};
  if (all_zero(bytes)) {
    node.text = fmt::format("{} zero bytes", bytes.size());
    return node;
  }
  for (const std::byte b : bytes.first(std::min(bytes.size(), max_bytes))) {
    node.text += fmt::format("{}{:02x}", node.text.empty() ? "" : " ", static_cast<u8>(b));
  }
  if (bytes.size() > max_bytes) node.text += fmt::format(" ... {} bytes", bytes.size());
  return node;
}

Node element_node(FieldType type, std::string_view type_name, std::string_view format, Bytes bytes,
                  std::size_t max_elements) {
  if (type != FieldType::Struct) return describe_scalar(type, format, bytes);
  const StructLayout* layout = find_layout(type_name);
  return layout != nullptr ? describe(*layout, bytes, max_elements) : bytes_node(bytes, 16);
}

// Elements up to the last one that is not zero, at most max_elements.
Node array_node(const LayoutField& field, Bytes bytes, std::size_t max_elements) {
  const std::size_t step = bytes.size() / field.count;
  std::size_t used = field.count;
  while (used > 0 && all_zero(bytes.subspan((used - 1) * step, step))) --used;
  Node node{.kind = Node::Kind::Array};
  for (std::size_t i = 0; i < std::min(used, max_elements); ++i) {
    node.children.push_back(
        element_node(field.type, field.type_name, field.format, bytes.subspan(i * step, step), max_elements));
  }
  node.hidden = (used > max_elements ? used : field.count) - node.children.size();
  node.hidden_are_zero = used <= max_elements;
  return node;
}

u64 selector_value(const StructLayout& layout, std::string_view selector, Bytes bytes) {
  const LayoutField* field = layout.field(selector);
  if (field == nullptr || field->offset + field->bytes > bytes.size()) return ~u64{0};
  return load(bytes.subspan(field->offset, field->bytes));
}

const LayoutMember* selected_member(const StructLayout& layout, const LayoutField& field, Bytes bytes) {
  for (const LayoutMember& member : layout.members) {
    if (member.field != field.name) continue;
    const u64 selector = selector_value(layout, member.selector, bytes);
    if (selector >= member.first && selector <= member.last) return &member;
  }
  return nullptr;
}

// An emulation failure is an internal error with more to say.
std::string_view payload_type(const LayoutMember& member, Bytes payload) {
  const bool is_emulation_failure = member.type_name == "kvm_exit_internal" && payload.size() >= 32 &&
                                    load(payload.first(4)) == 1 && load(payload.subspan(4, 4)) > 0;
  return is_emulation_failure ? "kvm_exit_emulation_failure" : member.type_name;
}

Node union_node(const StructLayout& layout, const LayoutField& field, Bytes bytes, std::size_t max_elements) {
  const Bytes all = bytes.subspan(field.offset, field.bytes);
  const LayoutMember* member = selected_member(layout, field, bytes);
  if (member == nullptr) return all_zero(all) ? Node{.kind = Node::Kind::Object} : bytes_node(all, 32);
  const std::size_t there = bytes.size() - member->offset;
  const Bytes used = bytes.subspan(member->offset, std::min<std::size_t>(there, member->bytes));
  return element_node(member->type, payload_type(*member, all), "Hex", used, max_elements);
}

Node list_node(const StructLayout& layout, const LayoutList& list, Bytes bytes, std::size_t max_elements) {
  const std::size_t step = element_bytes(list.type, list.type_name);
  const std::size_t there = (bytes.size() - list.offset) / step;
  const std::size_t claimed = list.count_field.empty() ? there : selector_value(layout, list.count_field, bytes);
  Node node{.name = std::string(list.name), .kind = Node::Kind::Array};
  for (std::size_t i = 0; i < std::min({there, claimed, max_elements}); ++i) {
    node.children.push_back(
        element_node(list.type, list.type_name, "Hex", bytes.subspan(list.offset + i * step, step), max_elements));
  }
  node.hidden = claimed - node.children.size();
  return node;
}

// Sync registers are shown only when user space asks for them.
bool is_shown(const StructLayout& layout, const LayoutField& field, Bytes bytes) {
  if (field.type == FieldType::Union && layout.name == "kvm_run" && field.name == "s") {
    return field.offset + field.bytes <= bytes.size() && selected_member(layout, field, bytes) != nullptr;
  }
  if (field.offset + field.bytes > bytes.size()) return false;
  return field.format != "Pad" || !all_zero(bytes.subspan(field.offset, field.bytes));
}

}  // namespace

Node describe_scalar(FieldType type, std::string_view format, Bytes bytes) {
  const u64 value = load(bytes);
  if (type >= FieldType::S8 && type <= FieldType::S64) return number_node(fmt::format("{}", load_signed(bytes)));
  if (format == "Dec") return number_node(fmt::format("{}", value));
  if (format == "Hex" || format == "Pad") {
    return value == 0 ? number_node("0") : text_node(fmt::format("0x{:x}", value));
  }
  if (format == "Cap" && find_cap(static_cast<u32>(value)) != nullptr) {
    return text_node(std::string(c_name(static_cast<Cap>(value))));
  }
  if (format == "Exit" && find_exit(static_cast<u32>(value)) != nullptr) {
    return text_node(std::string(c_name(static_cast<Exit>(value))));
  }
  std::string text = constant_text(format, value);
  const bool is_number = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? number_node(std::move(text)) : text_node(std::move(text));
}

Node describe_field(const StructLayout& layout, const LayoutField& field, Bytes bytes, std::size_t max_elements) {
  const Bytes value = bytes.subspan(field.offset, field.bytes);
  Node node = field.type == FieldType::Union ? union_node(layout, field, bytes, max_elements)
              : field.format == "Bytes"      ? bytes_node(value, 16)
              : field.count > 1              ? array_node(field, value, max_elements)
                                : element_node(field.type, field.type_name, field.format, value, max_elements);
  node.name = std::string(field.name);
  return node;
}

Node describe(const StructLayout& layout, Bytes bytes, std::size_t max_elements) {
  Node node{.kind = Node::Kind::Object};
  for (const LayoutField& field : layout.fields) {
    if (is_shown(layout, field, bytes)) node.children.push_back(describe_field(layout, field, bytes, max_elements));
  }
  if (layout.list != nullptr && bytes.size() > layout.list->offset) {
    node.children.push_back(list_node(layout, *layout.list, bytes, max_elements));
  }
  return node;
}

}  // namespace kvmapi
