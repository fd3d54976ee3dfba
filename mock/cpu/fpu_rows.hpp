// Tables and selectors of the floating-point and vector families.
#pragma once

#include "mock/cpu/row.hpp"

namespace mock::cpu {

void select_x87(const Decoded& decoded, Op& op, Selection& selection);

std::span<const Row> x87_rows();        // dispatch_x87.cpp
std::span<const Row> fpu_state_rows();  // FXSAVE, XSAVE, MXCSR ...: dispatch_x87.cpp

std::span<const Row> simd_int_rows();
std::span<const Row> simd_move_rows();
std::span<const Row> simd_fp_rows();
std::span<const Row> simd_shuffle_rows();
std::span<const Row> simd_avx_rows();
std::span<const Row> simd_sse4_rows();
std::span<const Row> simd_fma_rows();
std::span<const Row> simd_string_rows();

}  // namespace mock::cpu
