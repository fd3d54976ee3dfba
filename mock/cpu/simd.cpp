// Memory operands and floating-point flags of vector instructions; see simd.hpp.
#include "mock/cpu/simd.hpp"

namespace mock::cpu {
namespace {

bool find(Core& core, const Op& op, unsigned size, bool aligned, Access access, u64& linear) {
  if (!core.linear(op.segment(), core.effective_address(op), size, access, linear)) return false;
  return aligned && (linear & (size - 1)) ? core.raise(GP, 0) : true;
}

}  // namespace

bool load_vector_move(Core& core, const Op& op, unsigned size, bool aligned, V& value) {
  u64 linear;
  value = _mm_setzero_si128();
  return find(core, op, size, aligned, Access::read, linear) && core.read_linear(linear, &value, size);
}

bool store_vector_move(Core& core, const Op& op, unsigned size, bool aligned, V value) {
  u64 linear;
  return find(core, op, size, aligned, Access::write, linear) && core.write_linear(linear, &value, size);
}

bool load_vector(Core& core, const Op& op, unsigned size, bool aligned, V& value) {
  u64 linear;
  value = _mm_setzero_si128();
  return find(core, op, size, aligned, Access::read, linear) && is_ram(core, linear, size, Access::read) &&
         core.read_linear(linear, &value, size);
}

bool store_vector(Core& core, const Op& op, unsigned size, bool aligned, V value) {
  u64 linear;
  return find(core, op, size, aligned, Access::write, linear) && is_ram(core, linear, size, Access::write) &&
         core.write_linear(linear, &value, size);
}

bool merge_fp_flags(Core& core, u32 flags) {
  constexpr u32 kBeforeComputation = 7;  // invalid, denormal, divide by zero
  u32& mxcsr = core.s.fpu.mxcsr;
  const u32 unmasked = flags & ~(mxcsr >> 7) & 0x3f;
  if (unmasked) [[unlikely]] {
    mxcsr |= unmasked & kBeforeComputation ? flags & kBeforeComputation : flags;
    return core.raise(core.s.cr4 & CR4_OSXMMEXCPT ? XM : UD);
  }
  mxcsr |= flags;
  return true;
}

}  // namespace mock::cpu
