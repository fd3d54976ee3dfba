#include "mock/faults/defects.hpp"

namespace mock {
namespace {

constexpr DefectInfo kDefects[] = {
#define DEFECT(name, what) {Defect::name, #name, what},
#include "mock/faults/defects.def"
#undef DEFECT
};

}  // namespace

std::span<const DefectInfo> defects() { return std::span(kDefects).subspan(1); }

std::optional<Defect> defect_from_name(std::string_view name) {
  for (const DefectInfo& info : kDefects)
    if (info.name == name) return info.defect;
  return std::nullopt;
}

}  // namespace mock
