#include "kvmapi/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <ostream>

#include "kvmapi/cap.hpp"
#include "kvmapi/constants.hpp"
#include "kvmapi/exit.hpp"

namespace kvmapi {
namespace {

using Bytes = std::span<const std::byte>;
using Out = std::back_insert_iterator<std::string>;

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

std::string scalar_text(FieldType type, std::string_view format, Bytes bytes) {
  const u64 value = load(bytes);
  if (type >= FieldType::S8 && type <= FieldType::S64) return fmt::format("{}", load_signed(bytes));
  if (format == "Dec") return fmt::format("{}", value);
  if (format == "Hex" || format == "Pad") return value == 0 ? "0" : fmt::format("0x{:x}", value);
  if (format == "Cap" && find_cap(static_cast<u32>(value)) != nullptr) {
    return std::string(c_name(static_cast<Cap>(value)));
  }
  if (format == "Exit" && find_exit(static_cast<u32>(value)) != nullptr) {
    return std::string(c_name(static_cast<Exit>(value)));
  }
  return constant_text(format, value);
}

std::string hex_bytes(Bytes bytes, std::size_t max_bytes) {
  if (all_zero(bytes)) return fmt::format("[{} zero bytes]", bytes.size());
  std::string text;
  for (const std::byte b : bytes.first(std::min(bytes.size(), max_bytes))) {
    fmt::format_to(Out(text), "{}{:02x}", text.empty() ? "" : " ", static_cast<u8>(b));
  }
  if (bytes.size() > max_bytes) fmt::format_to(Out(text), " ... {} bytes", bytes.size());
  return '[' + text + ']';
}

std::string struct_text(const StructLayout& layout, Bytes bytes, std::size_t max_elements);

std::string element_text(FieldType type, std::string_view type_name, std::string_view format, Bytes bytes,
                         std::size_t max_elements) {
  if (type != FieldType::Struct) return scalar_text(type, format, bytes);
  const StructLayout* layout = find_layout(type_name);
  return layout != nullptr ? struct_text(*layout, bytes, max_elements) : hex_bytes(bytes, 16);
}

// Elements up to the last one that is not zero, at most max_elements.
std::string array_text(FieldType type, std::string_view type_name, std::string_view format, Bytes bytes,
                       std::size_t count, std::size_t max_elements) {
  const std::size_t step = count == 0 ? 0 : bytes.size() / count;
  std::size_t used = count;
  while (used > 0 && all_zero(bytes.subspan((used - 1) * step, step))) --used;
  std::string text = "[";
  for (std::size_t i = 0; i < std::min(used, max_elements); ++i) {
    if (i != 0) text += ", ";
    text += element_text(type, type_name, format, bytes.subspan(i * step, step), max_elements);
  }
  if (used > max_elements) {
    fmt::format_to(Out(text), ", ... {} more", used - max_elements);
  } else if (used < count) {
    text += used == 0 ? "0 ..." : ", 0 ...";
  }
  return text + "]";
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
  if (member.type_name == "kvm_exit_internal" && payload.size() >= 32 && load(payload.first(4)) == 1 &&
      load(payload.subspan(4, 4)) > 0) {
    return "kvm_exit_emulation_failure";
  }
  return member.type_name;
}

std::string union_text(const StructLayout& layout, const LayoutField& field, Bytes bytes, std::size_t max_elements) {
  const Bytes all = bytes.subspan(field.offset, field.bytes);
  if (const LayoutMember* member = selected_member(layout, field, bytes)) {
    const Bytes used = bytes.subspan(member->offset);
    return element_text(member->type, payload_type(*member, all), "Hex",
                        used.first(std::min<std::size_t>(used.size(), member->bytes)), max_elements);
  }
  return all_zero(all) ? "{}" : hex_bytes(all, 32);
}

std::string field_text(const StructLayout& layout, const LayoutField& field, Bytes bytes, std::size_t max_elements) {
  const Bytes value = bytes.subspan(field.offset, field.bytes);
  if (field.type == FieldType::Union) return union_text(layout, field, bytes, max_elements);
  if (field.format == "Bytes") return hex_bytes(value, 16);
  if (field.count > 1) {
    return array_text(field.type, field.type_name, field.format, value, field.count, max_elements);
  }
  return element_text(field.type, field.type_name, field.format, value, max_elements);
}

std::string list_text(const StructLayout& layout, const LayoutList& list, Bytes bytes, std::size_t max_elements) {
  const std::size_t step = element_bytes(list.type, list.type_name);
  if (bytes.size() <= list.offset || step == 0) return {};
  const std::size_t there = (bytes.size() - list.offset) / step;
  const std::size_t claimed = list.count_field.empty() ? there : selector_value(layout, list.count_field, bytes);
  const std::size_t shown = std::min({there, claimed, max_elements});
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    text += i == 0 ? "" : ", ";
    text += element_text(list.type, list.type_name, "Hex", bytes.subspan(list.offset + i * step, step), max_elements);
  }
  if (claimed > shown) fmt::format_to(Out(text), "{}... {} more", shown == 0 ? "" : ", ", claimed - shown);
  return fmt::format("{}=[{}]", list.name, text);
}

// Sync registers are printed only when user space asks for them.
bool is_shown(const StructLayout& layout, const LayoutField& field, Bytes bytes) {
  if (field.offset + field.bytes > bytes.size()) return false;
  if (field.format == "Pad") return !all_zero(bytes.subspan(field.offset, field.bytes));
  if (layout.name == "kvm_run" && field.name == "s") return selected_member(layout, field, bytes) != nullptr;
  return true;
}

std::string struct_text(const StructLayout& layout, Bytes bytes, std::size_t max_elements) {
  std::string text = "{";
  const auto append = [&](std::string_view part) {
    if (part.empty()) return;
    if (text.size() > 1) text += ", ";
    text += part;
  };
  for (const LayoutField& field : layout.fields) {
    if (!is_shown(layout, field, bytes)) continue;
    append(fmt::format("{}={}", field.name, field_text(layout, field, bytes, max_elements)));
  }
  if (layout.list != nullptr) append(list_text(layout, *layout.list, bytes, max_elements));
  return text + "}";
}

void collect(const StructLayout& layout, Bytes a, Bytes b, const std::string& prefix,
             std::vector<FieldDifference>& found);

void collect_field(const StructLayout& layout, const LayoutField& field, Bytes a, Bytes b, const std::string& path,
                   std::vector<FieldDifference>& found) {
  const Bytes field_a = a.subspan(field.offset, field.bytes), field_b = b.subspan(field.offset, field.bytes);
  if (std::ranges::equal(field_a, field_b)) return;
  const StructLayout* nested = field.type == FieldType::Struct ? find_layout(field.type_name) : nullptr;
  if (nested == nullptr && (field.count == 1 || field.format == "Bytes")) {
    found.push_back({path, field_text(layout, field, a, 8), field_text(layout, field, b, 8)});
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
      found.push_back(
          {one, scalar_text(field.type, field.format, one_a), scalar_text(field.type, field.format, one_b)});
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
  return struct_text(layout, bytes, max_elements);
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
