// Entry of layout claims into the registry: their ids come from tables, they need no KVM.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "conformance/support/rows.hpp"

namespace conformance {

// Adds the test layout.<suite>.<claim>. `describe`: what `explain` says beside the claim.
void add_layout_row(std::string_view suite, std::string_view claim, const char* source, const char* file, int line,
                    std::function<void(Ctx&)> body, std::string describe);

// "KVM_SET_REGS" -> "kvm_set_regs", "MemoryRegionFlags" -> "memory_region_flags".
std::string lower_words(std::string_view name);

// Runs `add` before main.
struct LayoutRegistrar {
  explicit LayoutRegistrar(void (*add)()) { add(); }
};

}  // namespace conformance
