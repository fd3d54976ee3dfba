// See debug.hpp.
#include "mock/cpu/debug.hpp"

namespace mock::cpu {
namespace {

bool is_enabled(u64 dr7, unsigned n) { return dr7 >> (n * 2) & 3; }
Watch condition(u64 dr7, unsigned n) { return static_cast<Watch>(dr7 >> (16 + n * 4) & 3); }
unsigned length_bytes(u64 dr7, unsigned n) {
  constexpr unsigned kLengths[] = {1, 2, 8, 4};
  return kLengths[dr7 >> (18 + n * 4) & 3];
}

bool concerns(Watch condition, Watch event) {
  return condition == event || (condition == Watch::access && event == Watch::write);
}

}  // namespace

bool watches_data(const State& state) {
  for (unsigned n = 0; n < 4; ++n) {
    const Watch watch = condition(state.dr7, n);
    if (is_enabled(state.dr7, n) && (watch == Watch::write || watch == Watch::access)) return true;
  }
  return false;
}

u64 breakpoint_hits(const State& state, Watch watch, u64 address, unsigned size_bytes) {
  u64 hits = 0;
  for (unsigned n = 0; n < 4; ++n) {
    if (!is_enabled(state.dr7, n) || !concerns(condition(state.dr7, n), watch)) continue;
    const unsigned length = watch == Watch::execute ? 1 : length_bytes(state.dr7, n);
    const u64 first = state.dr[n] & ~u64{length - 1};
    if (address < first + length && first < address + size_bytes) hits |= u64{1} << n;
  }
  return hits;
}

}  // namespace mock::cpu
