// ABI structs as JSON, field by field, by the layout table. Integers become hexadecimal strings ("0x60000010"), byte
// arrays one string of hexadecimal digits, so that two recordings can be read as a diff. Padding is left out while it
// is zero.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "kvmapi/layout.hpp"

namespace conformance {

// Keeps the order in which facts are collected.
using Json = nlohmann::ordered_json;

std::string hex(kvmapi::u64 value);
std::string hex_bytes(std::span<const kvmapi::u8> bytes);

// `bytes` must hold the whole struct.
Json to_json(const kvmapi::StructLayout& layout, std::span<const kvmapi::u8> bytes);

template <kvmapi::HasLayout T>
Json to_json_value(const T& value) {
  return to_json(kvmapi::layout_of<T>(), {reinterpret_cast<const kvmapi::u8*>(&value), sizeof value});
}

}  // namespace conformance
