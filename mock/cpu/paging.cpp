// The page walk as the engine asks for it: faults recorded in the core. The walk itself is page_walk.cpp.
#include "mock/cpu/paging.hpp"

#include "mock/cpu/page_walk.hpp"

namespace mock::cpu {
namespace {

page_walk::Limits limits_of(const Core& core) {
  return {.physical_bits = core.features.physical_bits,
          .has_1g_pages = core.features.pages_1g,
          .is_amd = core.features.is_amd};
}

}  // namespace

bool walk(Core& core, u64 linear, Access access, Privilege privilege, Translation& out) {
  const page_walk::Request request{.linear = {linear},
                                   .access = access,
                                   .user = privilege == Privilege::user,
                                   .smap_override = privilege == Privilege::supervisor_ac};
  const page_walk::Result result =
      page_walk::walk(core.s, limits_of(core), core.bus, request, page_walk::Effects::accessed_dirty);
  switch (result.status) {
    case page_walk::Result::Status::page_fault:
      return core.page_fault(linear, result.error_code);
    case page_walk::Result::Status::absent:
      return core.stop_host_fault(result.physical.value);
    case page_walk::Result::Status::ok:
      break;
  }
  out.page = result.physical.value & ~(kPageSize - 1);
  out.global = result.global;
  out.writable = result.dirty && !page_walk::refuse(core.s, result, Access::write, request.user, request.smap_override);
  return true;
}

bool translate_debug(Core& core, u64 linear, u64& gpa) {
  const page_walk::Result result = page_walk::walk(
      core.s, limits_of(core), core.bus, {.linear = {linear}, .smap_override = true}, page_walk::Effects::none);
  if (result.status != page_walk::Result::Status::ok) return false;
  gpa = result.physical.value;
  return true;
}

}  // namespace mock::cpu
