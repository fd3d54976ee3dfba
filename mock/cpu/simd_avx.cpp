// VEX instructions that are not an SSE operation on two lanes: VZEROUPPER, VZEROALL.
#include "mock/cpu/simd.hpp"

namespace mock::cpu {
namespace {

template <bool all>
bool zero(Core& core, const Op&) {
  if (!avx_ready(core)) return false;
  const unsigned count = core.is_64bit() ? 16 : 8;
  for (unsigned i = 0; i < count; ++i) {
    if (all) set_xmm(&core, i, _mm_setzero_si128());
    set_high(&core, i, _mm_setzero_si128());
  }
  return true;
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_VZEROUPPER, &call<zero<false>>},
    {ZYDIS_MNEMONIC_VZEROALL, &call<zero<true>>},
};

}  // namespace

std::span<const Row> simd_avx_rows() { return kRows; }

}  // namespace mock::cpu
