// IoctlCase: running one row, and the failure text. See ioctl_case.hpp.
#include "conformance/support/ioctl_case.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "conformance/support/ctx.hpp"

namespace conformance {
namespace {

void run_row(const IoctlCase& row, Ctx& t) {
  if (!row.call || !row.expect.is_set()) {
    ADD_FAILURE_AT(row.name.file, row.name.line) << "the row has no " << (row.call ? ".expect" : ".call");
    return;
  }
  const Outcome& expected = row.expect.resolve(t.kernel(), t.vendor());
  if (expected.kind == Outcome::Kind::unset) {
    t.skip(fmt::format("nothing is claimed for kernel {} on {}", t.kernel().text(), name(t.vendor())));
  }
  const Answer got = row.call.function(t);
  if (!expected.accepts(got)) {
    ADD_FAILURE_AT(row.name.file, row.name.line) << "expected: " << expected.text() << "\n     got: " << got.text();
    return;
  }
  if (row.check) row.check.function(t);
}

std::string describe(const IoctlCase& row) {
  return fmt::format("answers {}{}", row.expect.text(), row.check ? ", then more is checked (see the source)" : "");
}

}  // namespace

void add_rows(Registry& registry, const char* suite, const char* source, std::span<const IoctlCase> rows) {
  for (const IoctlCase& row : rows) {
    registry.add(Test{.id = fmt::format("{}.{}", suite, row.name.text),
                      .source = row.source != nullptr ? row.source : source,
                      .status = row.status,
                      .needs = row.needs,
                      .file = row.name.file,
                      .line = row.name.line,
                      .body = [&row](Ctx& t) { run_row(row, t); },
                      .describe = [&row] { return describe(row); }});
  }
}

}  // namespace conformance
