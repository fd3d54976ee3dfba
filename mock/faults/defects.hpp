// Deliberate breakages of the mock, one at a time, so that the suite can be shown to notice them. Off in every use but
// that test: only MockOptions::defect turns one on, and hot paths never look.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "kvmapi/types.hpp"

namespace mock {

enum class Defect : kvmapi::u8 {
#define DEFECT(name, what) name,
#include "mock/faults/defects.def"
#undef DEFECT
};

struct DefectInfo {
  Defect defect;
  std::string_view name;  // as in defects.def
  std::string_view what;  // what is broken
};

// Every defect but `none`.
std::span<const DefectInfo> defects();
std::optional<Defect> defect_from_name(std::string_view name);

}  // namespace mock
