// System instructions, one function each: `bool f(Core&, const Op&)` as row.hpp describes. Their rows are in
// dispatch_system.cpp; the forms of MOV, JMP, CALL and RET that are system instructions are chosen by the tables of
// those mnemonics.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// control_registers.cpp
bool mov_to_cr(Core& core, const Op& op);    // operand 0: CR, operand 1: general register
bool mov_from_cr(Core& core, const Op& op);  // operand 0: general register, operand 1: CR
bool clts(Core& core, const Op& op);
bool lmsw(Core& core, const Op& op);
bool smsw(Core& core, const Op& op);
bool xgetbv(Core& core, const Op& op);
bool xsetbv(Core& core, const Op& op);

// debug_registers.cpp
bool mov_to_dr(Core& core, const Op& op);
bool mov_from_dr(Core& core, const Op& op);

// system_tables.cpp
bool lgdt(Core& core, const Op& op);
bool lidt(Core& core, const Op& op);
bool sgdt(Core& core, const Op& op);
bool sidt(Core& core, const Op& op);
bool lldt(Core& core, const Op& op);
bool ltr(Core& core, const Op& op);
// To a register or memory; `is_read_first` matters to devices alone.
bool store_selector(Core& core, const Op& op, u16 selector, bool is_read_first);
bool sldt(Core& core, const Op& op);
bool str(Core& core, const Op& op);

// segment_ops.cpp
bool mov_to_segment(Core& core, const Op& op);    // operand 0: segment register
bool mov_from_segment(Core& core, const Op& op);  // operand 1: segment register
bool pop_segment(Core& core, const Op& op);
bool push_segment(Core& core, const Op& op);
template <SegReg reg>
bool load_far_pointer(Core& core, const Op& op);  // LDS, LES, LSS, LFS, LGS
bool lar(Core& core, const Op& op);
bool lsl(Core& core, const Op& op);
bool verr(Core& core, const Op& op);
bool verw(Core& core, const Op& op);
bool arpl(Core& core, const Op& op);

// fast_system_calls.cpp
bool syscall(Core& core, const Op& op);
bool sysret(Core& core, const Op& op);
bool sysenter(Core& core, const Op& op);
bool sysexit(Core& core, const Op& op);
bool swapgs(Core& core, const Op& op);
bool rdfsbase(Core& core, const Op& op);
bool rdgsbase(Core& core, const Op& op);
bool wrfsbase(Core& core, const Op& op);
bool wrgsbase(Core& core, const Op& op);

// interrupts.cpp
bool int_n(Core& core, const Op& op);
bool int3(Core& core, const Op& op);
bool int1(Core& core, const Op& op);
bool into(Core& core, const Op& op);
bool bound(Core& core, const Op& op);
bool cli(Core& core, const Op& op);
bool sti(Core& core, const Op& op);
bool clac(Core& core, const Op& op);
bool stac(Core& core, const Op& op);

// msr.cpp
bool rdmsr(Core& core, const Op& op);
bool wrmsr(Core& core, const Op& op);

// machine.cpp
bool hlt(Core& core, const Op& op);
bool cpuid(Core& core, const Op& op);
bool rdtsc(Core& core, const Op& op);
bool rdtscp(Core& core, const Op& op);
bool rdpid(Core& core, const Op& op);
bool rdpmc(Core& core, const Op& op);
bool rdrand(Core& core, const Op& op);
bool rdseed(Core& core, const Op& op);
bool monitor(Core& core, const Op& op);
bool mwait(Core& core, const Op& op);
bool vmcall(Core& core, const Op& op);
bool vmmcall(Core& core, const Op& op);
bool invlpg(Core& core, const Op& op);
bool invpcid(Core& core, const Op& op);
bool wbinvd(Core& core, const Op& op);  // INVD, WBINVD, WBNOINVD
bool svm_instruction(Core& core, const Op& op);

}  // namespace mock::cpu
