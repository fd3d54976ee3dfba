// Integer names used throughout the project, and Overlay: the storage of a C union inside an ABI struct.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace kvmapi {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

// Bytes that the ABI declares as a union. Members are read and written by type; unused bytes stay as they are. Word:
// its alignment.
template <std::size_t Bytes, class Word = u64>
struct Overlay {
  static_assert(Bytes % sizeof(Word) == 0);
  std::array<Word, Bytes / sizeof(Word)> words;

  template <class T>
  T as() const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= Bytes);
    T value;
    std::memcpy(&value, words.data(), sizeof value);
    return value;
  }

  template <class T>
  void set(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= Bytes);
    std::memcpy(words.data(), &value, sizeof value);
  }
};

}  // namespace kvmapi
