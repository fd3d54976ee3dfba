#include "conformance/facts/abi_json.hpp"

#include <algorithm>
#include <cstring>

namespace conformance {

using namespace kvmapi;

namespace {

constexpr char kDigits[] = "0123456789abcdef";

u64 little_endian(std::span<const u8> bytes) {
  u64 value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

Json element(const LayoutField& field, std::span<const u8> bytes) {
  if (field.type == FieldType::Struct) return to_json(*find_layout(field.type_name), bytes);
  if (field.type == FieldType::Union) return hex_bytes(bytes);
  return hex(little_endian(bytes));
}

Json value_of(const LayoutField& field, std::span<const u8> bytes) {
  if (field.count == 1) return element(field, bytes);
  if (field.bytes == field.count && field.type == FieldType::U8) return hex_bytes(bytes);
  Json list = Json::array();
  const u32 stride = field.bytes / field.count;
  for (u32 i = 0; i < field.count; ++i) list.push_back(element(field, bytes.subspan(i * stride, stride)));
  return list;
}

}  // namespace

std::string hex(u64 value) {
  std::string text;
  do text.insert(text.begin(), kDigits[value & 15]);
  while ((value >>= 4) != 0);
  return "0x" + text;
}

std::string hex_bytes(std::span<const u8> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const u8 byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Json to_json(const StructLayout& layout, std::span<const u8> bytes) {
  Json object = Json::object();
  for (const LayoutField& field : layout.fields) {
    const std::span<const u8> part = bytes.subspan(field.offset, field.bytes);
    if (field.format == "Pad" && std::ranges::all_of(part, [](u8 byte) { return byte == 0; })) continue;
    object[std::string(field.name)] = value_of(field, part);
  }
  return object;
}

}  // namespace conformance
