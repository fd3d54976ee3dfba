// What a row may hold: its name with the line it stands on, and code as a function pointer made from a captureless
// lambda.
#pragma once

#include <string_view>
#include <type_traits>

#include "conformance/support/expect.hpp"

namespace conformance {

class Ctx;

// A row's name. Remembers where it is written, so that a failure points there.
struct RowName {
  const char* text = "";
  const char* file = "";
  int line = 0;
  consteval RowName() = default;
  consteval RowName(const char* name, const char* in = __builtin_FILE(), int at = __builtin_LINE())  // NOLINT
      : text(name), file(in), line(at) {}
};

// [](Ctx& t) { return t.vm().create_vcpu(0); }: any captureless lambda that returns a Result.
struct Call {
  Answer (*function)(Ctx&) = nullptr;

  consteval Call() = default;
  template <class F>
  requires std::is_invocable_v<F, Ctx&>
  consteval Call(F)
      : function([](Ctx& t) -> Answer { return Answer(F{}(t)); }) {}  // NOLINT(google-explicit-constructor)

  explicit constexpr operator bool() const { return function != nullptr; }
};

// [](Ctx& t) { EXPECT_EQ(...); }: a captureless lambda that returns nothing.
struct Step {
  void (*function)(Ctx&) = nullptr;

  consteval Step() = default;
  template <class F>
  requires std::is_invocable_r_v<void, F, Ctx&>
  consteval Step(F) : function([](Ctx& t) { F{}(t); }) {}  // NOLINT(google-explicit-constructor)

  explicit constexpr operator bool() const { return function != nullptr; }
};

// How firm a claim is.
enum class Abi : unsigned char {
  promised,  // documented
  observed,  // not documented, the same on every kernel that was measured
  sane,      // neither: what any implementation should do
};
const char* name(Abi status);

}  // namespace conformance
