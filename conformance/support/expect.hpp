// Expect: what a call must answer, as a value. Truth that depends on kernel version or CPU vendor is part of it:
//   succeeds()                                 any value of at least 0
//   succeeds(12)                               exactly 12
//   fails(EINVAL)                              -1 with this errno
//   fails_with_one_of(EINVAL, ENOTTY)          where the documentation leaves it open
//   before(6, 9, succeeds()).then(fails(EINVAL))
//   on(Vendor::amd, fails(EINVAL)).otherwise(succeeds())
// Gaps and bugs of one implementation do not belong here but in conformance/expectations/.
#pragma once

#include <array>
#include <string>

#include "conformance/support/version.hpp"
#include "kvmapi/errno.hpp"
#include "kvmapi/result.hpp"

namespace conformance {

enum class Vendor : unsigned char { any, intel, amd, other };
const char* name(Vendor vendor);

// What a call answered, whatever its result type: errno 0 and a value, or an errno.
struct Answer {
  int error = 0;
  long long value = 0;

  constexpr Answer() = default;
  template <class T>
  constexpr Answer(const kvmapi::Result<T>& result)
      : error(result.error().value()) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::is_integral_v<T>) value = result.ok() ? static_cast<long long>(result.value()) : 0;
  }

  // "0", "12", "-1 EINVAL".
  std::string text() const;
};

struct Outcome {
  enum class Kind : unsigned char { unset, any_success, value, error };
  Kind kind = Kind::unset;
  long long value = 0;
  std::array<int, 3> errors{};  // 0 = unused

  bool accepts(const Answer& answer) const;
  std::string text() const;
};

class Expect {
 public:
  constexpr Expect() = default;
  constexpr Expect(Outcome outcome) : count_(1) {
    clauses_[0].outcome = outcome;
  }  // NOLINT(google-explicit-constructor)

  constexpr bool is_set() const { return count_ != 0; }
  // The outcome that holds for this kernel and vendor. Vendor::other matches only clauses for any vendor.
  const Outcome& resolve(Version kernel, Vendor vendor) const;
  // All clauses: "before 6.9: success; then: -1 EINVAL".
  std::string text() const;

  // First clauses of `first` limited to kernels before `until` (if set) and to `vendor` (if not any), then those of
  // `rest`.
  static constexpr Expect join(const Expect& first, Version until, Vendor vendor, const Expect& rest) {
    Expect joined;
    for (int i = 0; i < first.count_; ++i) {
      Clause clause = first.clauses_[i];
      if (until.is_set() && (!clause.until.is_set() || until < clause.until)) clause.until = until;
      if (vendor != Vendor::any) clause.vendor = vendor;
      joined.clauses_[joined.count_++] = clause;
    }
    for (int i = 0; i < rest.count_; ++i) joined.clauses_[joined.count_++] = rest.clauses_[i];
    return joined;
  }

 private:
  struct Clause {
    Version until;
    Vendor vendor = Vendor::any;
    Outcome outcome;
  };
  static constexpr int kMaxClauses = 6;
  std::array<Clause, kMaxClauses> clauses_{};
  int count_ = 0;
};

constexpr Expect succeeds() { return Outcome{.kind = Outcome::Kind::any_success}; }
constexpr Expect succeeds(long long value) { return Outcome{.kind = Outcome::Kind::value, .value = value}; }
constexpr Expect fails(int error) { return Outcome{.kind = Outcome::Kind::error, .errors = {error}}; }
constexpr Expect fails_with_one_of(int a, int b, int c = 0) {
  return Outcome{.kind = Outcome::Kind::error, .errors = {a, b, c}};
}

// First half of before(...).then(...).
struct Before {
  Version until;
  Expect earlier;
  constexpr Expect then(const Expect& later) const { return Expect::join(earlier, until, Vendor::any, later); }
};
constexpr Before before(int major, int minor, const Expect& earlier) { return {{major, minor, 0}, earlier}; }
constexpr Before before(Version until, const Expect& earlier) { return {until, earlier}; }

// First half of on(...).otherwise(...).
struct OnVendor {
  Vendor vendor;
  Expect there;
  constexpr Expect otherwise(const Expect& elsewhere) const { return Expect::join(there, {}, vendor, elsewhere); }
};
constexpr OnVendor on(Vendor vendor, const Expect& there) { return {vendor, there}; }

}  // namespace conformance
