// Helpers for arguments of ioctls: lists with a count that may lie, poison that shows what the kernel wrote, byte-wise
// comparison of ABI structs, and a pointer to the end of readable memory.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "conformance/support/ctx.hpp"
#include "kvmapi/flex.hpp"
#include "kvmapi/uapi/all.hpp"

namespace conformance {

using kvmapi::s32;
using kvmapi::u16;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

inline constexpr u8 kPoison = 0xa5;

// Sets every allocated entry of a kvmapi::Flex, whatever its header counts.
template <class List>
void poison(List& list) {
  std::memset(list.all().data(), kPoison, list.all().size_bytes());
}

// Are all entries from `first` on as poison() left them?
template <class List>
bool is_poison_from(const List& list, std::size_t first) {
  const auto rest = std::as_bytes(list.all().subspan(first));
  return std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{kPoison}; });
}

// Room for `capacity` entries, all poison, and a header that counts `count`.
template <class List>
List poisoned(std::size_t capacity, std::size_t count) {
  List list(count);
  const auto header = list.header();
  list.resize(capacity);
  list.header() = header;
  poison(list);
  return list;
}

// An address `bytes` before the end of a readable page whose successor is not mapped readable.
class LastBytes {
 public:
  explicit LastBytes(std::size_t bytes) : pages_(2 * 4096), address_(pages_.data() + 4096 - bytes) {
    if (::mprotect(pages_.data() + 4096, 4096, PROT_NONE) != 0) throw BrokenSetup("mprotect failed");
  }
  u8* address() const { return address_; }
  template <class T>
  T& as() const {
    return *reinterpret_cast<T*>(address_);
  }

 private:
  HostPages pages_;
  u8* address_;
};

// Are two ABI structs the same, padding included? Names the first bytes that differ.
template <class T>
testing::AssertionResult same_bytes(const T& got, const T& want) {
  const auto* a = reinterpret_cast<const u8*>(&got);
  const auto* b = reinterpret_cast<const u8*>(&want);
  std::string differences;
  int count = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    if (a[i] == b[i]) continue;
    if (++count <= 8) differences += fmt::format(" offset {}: got {:#04x}, want {:#04x};", i, a[i], b[i]);
  }
  if (count == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << count << " bytes differ:" << differences;
}

}  // namespace conformance
