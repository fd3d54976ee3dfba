// ABI structs as text, field by field: "{slot=0, flags=KVM_MEM_READONLY, guest_phys_addr=0x1000, ...}". Works on plain
// bytes, so that memory of a caller can be printed after it was copied safely. Unions are printed by what selects them;
// padding only when it is not zero.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "kvmapi/layout.hpp"

namespace kvmapi {

// `bytes` may be shorter than the struct (the missing fields are left out) or longer (a list that follows a header is
// printed then). `max_elements`: of an array or a list; the rest is counted.
std::string to_text(const StructLayout& layout, std::span<const std::byte> bytes, std::size_t max_elements = 8);

template <HasLayout T>
std::string to_text(const T& value) {
  return to_text(layout_of<T>(), std::as_bytes(std::span(&value, 1)));
}

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
