// Result<T>: a value, or the errno of the call that failed. Result<int> is two words and lives in registers.
#pragma once

#include <utility>

#include "kvmapi/errno.hpp"

namespace kvmapi {

// Tag returned by err(): converts to any Result<T>.
struct Failure {
  Errno error;
};
constexpr Failure err(int value) { return Failure{Errno{value}}; }
constexpr Failure err(Errno error) { return Failure{error}; }

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  constexpr Result(T value) : value_(std::move(value)) {}       // NOLINT(google-explicit-constructor)
  constexpr Result(Failure failure) : error_(failure.error) {}  // NOLINT(google-explicit-constructor)

  constexpr bool ok() const { return error_.value() == 0; }
  constexpr explicit operator bool() const { return ok(); }
  constexpr Errno error() const { return error_; }

  // Only when ok().
  constexpr T& value() & { return value_; }
  constexpr const T& value() const& { return value_; }
  constexpr T&& value() && { return std::move(value_); }
  constexpr T& operator*() & { return value_; }
  constexpr const T& operator*() const& { return value_; }
  constexpr T&& operator*() && { return std::move(value_); }
  constexpr T* operator->() { return &value_; }
  constexpr const T* operator->() const { return &value_; }

 private:
  T value_{};
  Errno error_{};
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  constexpr Result() = default;
  constexpr Result(Failure failure) : error_(failure.error) {}  // NOLINT(google-explicit-constructor)

  constexpr bool ok() const { return error_.value() == 0; }
  constexpr explicit operator bool() const { return ok(); }
  constexpr Errno error() const { return error_; }

 private:
  Errno error_{};
};

}  // namespace kvmapi
