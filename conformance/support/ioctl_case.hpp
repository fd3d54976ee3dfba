// IoctlCase: a claim about one call, as a row. See conformance/README.md for how to write one.
#pragma once

#include <span>

#include "conformance/support/call.hpp"
#include "conformance/support/expect.hpp"
#include "conformance/support/needs.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

struct IoctlCase {
  RowName name;     // the claim, a sentence in snake_case
  Call call{};      // the call under test; set-up inside it goes through t.must()
  Expect expect{};  // what it answers
  Needs needs{};
  Step check{};  // more assertions, after a call that answered as expected
  Abi status = Abi::promised;
  const char* source = nullptr;  // where this claim differs from the suite's source
};

void add_rows(Registry& registry, const char* suite, const char* source, std::span<const IoctlCase> rows);

}  // namespace conformance
