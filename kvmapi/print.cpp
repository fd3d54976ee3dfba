#include "kvmapi/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "kvmapi/describe.hpp"

namespace kvmapi {
namespace {

using Bytes = std::span<const std::byte>;

void append_text(std::string& out, const Node& node);

void append_children(std::string& out, const Node& node) {
  bool is_first = true;
  for (const Node& child : node.children) {
    if (!is_first) out += ", ";
    is_first = false;
    if (!child.name.empty()) out += child.name + '=';
    append_text(out, child);
  }
  if (node.hidden == 0) return;
  if (!is_first) out += ", ";
  out += node.hidden_are_zero ? "0 ..." : fmt::format("... {} more", node.hidden);
}

void append_text(std::string& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::Number:
    case Node::Kind::Text:
      out += node.text;
      return;
    case Node::Kind::Bytes:
      out += '[' + node.text + ']';
      return;
    case Node::Kind::Array:
      out += '[';
      append_children(out, node);
      out += ']';
      return;
    case Node::Kind::Object:
      out += '{';
      append_children(out, node);
      out += '}';
      return;
  }
}

std::string node_text(const Node& node) {
  std::string text;
  append_text(text, node);
  return text;
}

void append_json(std::string& out, const Node& node) {
  const bool is_object = node.kind == Node::Kind::Object;
  if (node.kind == Node::Kind::Number) {
    out += node.text;
  } else if (!is_object && node.kind != Node::Kind::Array) {
    out += json_text(node.text);
  } else {
    out += is_object ? '{' : '[';
    for (const Node& child : node.children) {
      if (&child != &node.children.front()) out += ',';
      if (is_object) out += json_text(child.name) + ':';
      append_json(out, child);
    }
    out += is_object ? '}' : ']';
  }
}

void collect(const StructLayout& layout, Bytes a, Bytes b, const std::string& prefix,
             std::vector<FieldDifference>& found);

void collect_field(const StructLayout& layout, const LayoutField& field, Bytes a, Bytes b, const std::string& path,
                   std::vector<FieldDifference>& found) {
  const Bytes field_a = a.subspan(field.offset, field.bytes), field_b = b.subspan(field.offset, field.bytes);
  if (std::ranges::equal(field_a, field_b)) return;
  const StructLayout* nested = field.type == FieldType::Struct ? find_layout(field.type_name) : nullptr;
  if (nested == nullptr && (field.count == 1 || field.format == "Bytes")) {
    found.push_back(
        {path, node_text(describe_field(layout, field, a, 8)), node_text(describe_field(layout, field, b, 8))});
    return;
  }
  const std::size_t step = field.bytes / field.count;
  for (std::size_t i = 0; i < field.count; ++i) {
    const Bytes one_a = field_a.subspan(i * step, step), one_b = field_b.subspan(i * step, step);
    if (std::ranges::equal(one_a, one_b)) continue;
    const std::string one = field.count == 1 ? path : fmt::format("{}[{}]", path, i);
    if (nested != nullptr) {
      collect(*nested, one_a, one_b, one + ".", found);
    } else {
      found.push_back({one, node_text(describe_scalar(field.type, field.format, one_a)),
                       node_text(describe_scalar(field.type, field.format, one_b))});
    }
  }
}

void collect(const StructLayout& layout, Bytes a, Bytes b, const std::string& prefix,
             std::vector<FieldDifference>& found) {
  for (const LayoutField& field : layout.fields) {
    if (field.offset + field.bytes > std::min(a.size(), b.size())) continue;
    collect_field(layout, field, a, b, prefix + std::string(field.name), found);
  }
}

}  // namespace

std::string to_text(const StructLayout& layout, Bytes bytes, std::size_t max_elements) {
  return node_text(describe(layout, bytes, max_elements));
}

std::string field_text(const StructLayout& layout, std::string_view field_name, Bytes bytes) {
  const LayoutField* field = layout.field(field_name);
  if (field == nullptr || field->offset + field->bytes > bytes.size()) return {};
  return node_text(describe_field(layout, *field, bytes, 8));
}

std::string to_json(const StructLayout& layout, Bytes bytes, std::size_t max_elements) {
  std::string text;
  append_json(text, describe(layout, bytes, max_elements));
  return text;
}

std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c >= 0x20 && c < 0x7f) {
      quoted += c;
    } else {
      quoted += fmt::format("\\u{:04x}", static_cast<u8>(c));
    }
  }
  return quoted + '"';
}

std::vector<FieldDifference> differences(const StructLayout& layout, Bytes a, Bytes b) {
  std::vector<FieldDifference> found;
  collect(layout, a, b, "", found);
  return found;
}

std::ostream& print(std::ostream& out, const StructLayout& layout, Bytes bytes) {
  return out << to_text(layout, bytes);
}

}  // namespace kvmapi
