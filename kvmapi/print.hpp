// ABI structs as text, field by field: "{slot=0, flags=KVM_MEM_READONLY, guest_phys_addr=0x1000, ...}"; as JSON
// objects; and the fields in which two of them differ.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvmapi/layout.hpp"

namespace kvmapi {

// `bytes` may be shorter than the struct (the missing fields are left out) or longer (a list that follows a header is
// printed then). `max_elements`: of an array or a list; the rest is counted.
std::string to_text(const StructLayout& layout, std::span<const std::byte> bytes, std::size_t max_elements = 8);
// The value of one field alone; empty if it is not among the bytes.
std::string field_text(const StructLayout& layout, std::string_view field, std::span<const std::byte> bytes);

template <HasLayout T>
std::string to_text(const T& value) {
  return to_text(layout_of<T>(), std::as_bytes(std::span(&value, 1)));
}

// Addresses and other hexadecimal values and flags are JSON texts ("0x1000"); counts are numbers.
std::string to_json(const StructLayout& layout, std::span<const std::byte> bytes, std::size_t max_elements = 64);
// A JSON string with its quotes; what is not printable ASCII is escaped.
std::string json_text(std::string_view text);

// One field of a struct in which two values differ. `path`: "sregs.cs.selector".
struct FieldDifference {
  std::string path;
  std::string a, b;
};
std::vector<FieldDifference> differences(const StructLayout& layout, std::span<const std::byte> a,
                                         std::span<const std::byte> b);

template <HasLayout T>
std::vector<FieldDifference> differences(const T& a, const T& b) {
  return differences(layout_of<T>(), std::as_bytes(std::span(&a, 1)), std::as_bytes(std::span(&b, 1)));
}

// For streams and GoogleTest.
std::ostream& print(std::ostream& out, const StructLayout& layout, std::span<const std::byte> bytes);
template <HasLayout T>
std::ostream& operator<<(std::ostream& out, const T& value) {
  return print(out, layout_of<T>(), std::as_bytes(std::span(&value, 1)));
}

}  // namespace kvmapi
