// Instructions whose immediate is part of the encoding, with an immediate known at run time: one instance per value,
// chosen by a table.
#pragma once

#include <utility>

#include "mock/cpu/simd.hpp"

namespace mock::cpu {

template <std::size_t values>
struct ImmediateTable {
  V (*functions[values])(V, V);
};
template <class Function, std::size_t... i>
constexpr ImmediateTable<sizeof...(i)> immediate_table(std::index_sequence<i...>) {
  return {{&Function::template run<static_cast<int>(i)>...}};
}

// Function::run<imm % values>(a, b)
template <class Function, std::size_t values>
V by_immediate(V a, V b, u8 imm) {
  static constexpr auto kTable = immediate_table<Function>(std::make_index_sequence<values>());
  return kTable.functions[imm % values](a, b);
}

}  // namespace mock::cpu
