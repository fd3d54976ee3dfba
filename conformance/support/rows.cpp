// Entry of free-form tests into the registry. See rows.hpp.
#include "conformance/support/rows.hpp"

namespace conformance {

Registrar::Registrar(const char* suite, const char* claim, const char* source, const char* file, int line,
                     void (*body)(Ctx&), const TestOptions& options) {
  Registry::global().add(Test{.id = std::string(suite) + "." + claim,
                              .source = source,
                              .status = options.status,
                              .needs = options.needs,
                              .file = file,
                              .line = line,
                              .body = body,
                              .describe = [] { return std::string("a sequence of steps (see the source)"); }});
}

}  // namespace conformance
