#include "mock/vm/dispatch.hpp"

#include <fmt/format.h>

#include "mock/faults/diagnostics.hpp"

namespace mock::vm {

std::atomic<u32> g_process_generation{0};

void note_unmodelled(const Context& context, FdKind kind, u32 request, std::string_view note) {
  if (!context.diagnostics || !context.diagnostics->enabled()) return;
  if (note.empty())
    context.diagnostics->note(explain_unknown(kind, request));
  else
    context.diagnostics->note(fmt::format("{}: {}", c_name(static_cast<Ioctl>(request)), note));
}

}  // namespace mock::vm
