// Instructions that save, restore or control floating-point state as a whole: `bool f(Core&, const Op&)` as row.hpp
// says.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// x87_environment.cpp
bool fldenv(Core& core, const Op& op);
bool fnstenv(Core& core, const Op& op);
bool frstor(Core& core, const Op& op);
bool fnsave(Core& core, const Op& op);
bool fwait(Core& core, const Op& op);
bool emms(Core& core, const Op& op);

// fxsave.cpp
bool fxsave(Core& core, const Op& op);
bool fxsave64(Core& core, const Op& op);
bool fxrstor(Core& core, const Op& op);
bool fxrstor64(Core& core, const Op& op);
bool ldmxcsr(Core& core, const Op& op);
bool stmxcsr(Core& core, const Op& op);
bool vldmxcsr(Core& core, const Op& op);
bool vstmxcsr(Core& core, const Op& op);

// xsave.cpp; is_64: with REX.W
enum class XsaveForm : u8 { standard, optimised, compacted, supervisor };  // XSAVE, XSAVEOPT, XSAVEC, XSAVES
template <XsaveForm form, bool is_64>
bool xsave(Core& core, const Op& op);
template <XsaveForm form, bool is_64>
bool xrstor(Core& core, const Op& op);  // standard: XRSTOR, which takes both formats; supervisor: XRSTORS
bool rdpkru(Core& core, const Op& op);
bool wrpkru(Core& core, const Op& op);

}  // namespace mock::cpu
