// Rows of the system instructions. A mnemonic whose forms differ (MOV, JMP, CALL, RET, PUSH, POP) has its row elsewhere
// and picks functions of system_ops.hpp and far.hpp.
#include "mock/cpu/engine.hpp"
#include "mock/cpu/far.hpp"
#include "mock/cpu/row.hpp"
#include "mock/cpu/smm.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {
namespace {

constexpr u16 kMode = kEndsBlock | kSerialising;

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_CLTS, &call<clts>, kEndsBlock},
    {ZYDIS_MNEMONIC_LMSW, &call<lmsw>, kMode},
    {ZYDIS_MNEMONIC_SMSW, &call<smsw>, 0},
    {ZYDIS_MNEMONIC_XGETBV, &call<xgetbv>, 0},
    {ZYDIS_MNEMONIC_XSETBV, &call<xsetbv>, kEndsBlock},

    {ZYDIS_MNEMONIC_LGDT, &call<lgdt>, kMode},
    {ZYDIS_MNEMONIC_LIDT, &call<lidt>, kMode},
    {ZYDIS_MNEMONIC_SGDT, &call<sgdt>, 0},
    {ZYDIS_MNEMONIC_SIDT, &call<sidt>, 0},
    {ZYDIS_MNEMONIC_LLDT, &call<lldt>, kMode},
    {ZYDIS_MNEMONIC_LTR, &call<ltr>, kMode},
    {ZYDIS_MNEMONIC_SLDT, &call<sldt>, 0},
    {ZYDIS_MNEMONIC_STR, &call<str>, 0},

    {ZYDIS_MNEMONIC_LDS, &call<load_far_pointer<DS>>, kEndsBlock},
    {ZYDIS_MNEMONIC_LES, &call<load_far_pointer<ES>>, kEndsBlock},
    {ZYDIS_MNEMONIC_LSS, &call<load_far_pointer<SS>>, kEndsBlock},
    {ZYDIS_MNEMONIC_LFS, &call<load_far_pointer<FS>>, kEndsBlock},
    {ZYDIS_MNEMONIC_LGS, &call<load_far_pointer<GS>>, kEndsBlock},
    {ZYDIS_MNEMONIC_LAR, &call<lar>, 0},
    {ZYDIS_MNEMONIC_LSL, &call<lsl>, 0},
    {ZYDIS_MNEMONIC_VERR, &call<verr>, 0},
    {ZYDIS_MNEMONIC_VERW, &call<verw>, 0},
    {ZYDIS_MNEMONIC_ARPL, &call<arpl>, 0},

    {ZYDIS_MNEMONIC_SYSCALL, &call<syscall>, kEndsBlock},
    {ZYDIS_MNEMONIC_SYSRET, &call<sysret>, kEndsBlock},
    {ZYDIS_MNEMONIC_SYSENTER, &call<sysenter>, kEndsBlock},
    {ZYDIS_MNEMONIC_SYSEXIT, &call<sysexit>, kEndsBlock},
    {ZYDIS_MNEMONIC_SWAPGS, &call<swapgs>, kEndsBlock},
    {ZYDIS_MNEMONIC_RDFSBASE, &call<rdfsbase>, 0},
    {ZYDIS_MNEMONIC_RDGSBASE, &call<rdgsbase>, 0},
    {ZYDIS_MNEMONIC_WRFSBASE, &call<wrfsbase>, kEndsBlock},
    {ZYDIS_MNEMONIC_WRGSBASE, &call<wrgsbase>, kEndsBlock},

    {ZYDIS_MNEMONIC_INT, &call<int_n>, kEndsBlock},
    {ZYDIS_MNEMONIC_INT3, &call<int3>, kEndsBlock},
    {ZYDIS_MNEMONIC_INT1, &call<int1>, kEndsBlock},
    {ZYDIS_MNEMONIC_INTO, &call<into>, kEndsBlock},
    {ZYDIS_MNEMONIC_BOUND, &call<bound>, 0},
    {ZYDIS_MNEMONIC_RSM, &call<rsm>, kMode},
    {ZYDIS_MNEMONIC_IRET, &call<iret>, kMode},
    {ZYDIS_MNEMONIC_IRETD, &call<iret>, kMode},
    {ZYDIS_MNEMONIC_IRETQ, &call<iret>, kMode},
    {ZYDIS_MNEMONIC_CLI, &call<cli>, kEndsBlock},
    {ZYDIS_MNEMONIC_STI, &call<sti>, kEndsBlock},
    {ZYDIS_MNEMONIC_CLAC, &call<clac>, kEndsBlock},
    {ZYDIS_MNEMONIC_STAC, &call<stac>, kEndsBlock},

    {ZYDIS_MNEMONIC_RDMSR, &call<rdmsr>, kEndsBlock | kAlone},
    {ZYDIS_MNEMONIC_WRMSR, &call<wrmsr>, kMode},
    {ZYDIS_MNEMONIC_HLT, &call<hlt>, kEndsBlock},
    {ZYDIS_MNEMONIC_CPUID, &call<cpuid>, kMode},
    {ZYDIS_MNEMONIC_RDTSC, &call<rdtsc>, kAlone},
    {ZYDIS_MNEMONIC_RDTSCP, &call<rdtscp>, kAlone},
    {ZYDIS_MNEMONIC_RDPID, &call<rdpid>, 0},
    {ZYDIS_MNEMONIC_RDPMC, &call<rdpmc>, kAlone},
    {ZYDIS_MNEMONIC_RDRAND, &call<rdrand>, 0},
    {ZYDIS_MNEMONIC_RDSEED, &call<rdseed>, 0},
    {ZYDIS_MNEMONIC_MONITOR, &call<monitor>, 0},
    {ZYDIS_MNEMONIC_MWAIT, &call<mwait>, 0},
    {ZYDIS_MNEMONIC_VMCALL, &call<vmcall>, kMode},
    {ZYDIS_MNEMONIC_VMMCALL, &call<vmmcall>, kEndsBlock},
    {ZYDIS_MNEMONIC_INVLPG, &call<invlpg>, kMode},
    {ZYDIS_MNEMONIC_INVPCID, &call<invpcid>, kMode},
    {ZYDIS_MNEMONIC_INVD, &call<wbinvd>, kMode},
    {ZYDIS_MNEMONIC_WBINVD, &call<wbinvd>, kMode},
    {ZYDIS_MNEMONIC_VMRUN, &call<svm_instruction>, 0},
    {ZYDIS_MNEMONIC_VMLOAD, &call<svm_instruction>, 0},
    {ZYDIS_MNEMONIC_VMSAVE, &call<svm_instruction>, 0},
    {ZYDIS_MNEMONIC_STGI, &call<svm_instruction>, 0},
    {ZYDIS_MNEMONIC_CLGI, &call<svm_instruction>, 0},
    {ZYDIS_MNEMONIC_INVLPGA, &call<svm_instruction>, 0},
    {ZYDIS_MNEMONIC_SKINIT, &call<svm_instruction>, 0},
};

void choose(Op& op, Selection& selection, Handler* handler, bool ends_block) {
  selection.handler = handler;
  if (ends_block) op.prefixes |= 16;
}

ZydisRegisterClass class_of(const Decoded& d, unsigned operand) {
  return d.is_register(operand) ? ZydisRegisterGetClass(d.operands[operand].reg.value) : ZYDIS_REGCLASS_INVALID;
}

}  // namespace

void select_system_move(const Decoded& d, Op& op, Selection& selection) {
  switch (class_of(d, 0)) {
    case ZYDIS_REGCLASS_SEGMENT:
      return choose(op, selection, &call<mov_to_segment>, true);
    case ZYDIS_REGCLASS_CONTROL:
      return choose(op, selection, &call<mov_to_cr>, true);
    case ZYDIS_REGCLASS_DEBUG:
      return choose(op, selection, &call<mov_to_dr>, true);
    default:
      break;
  }
  switch (class_of(d, 1)) {
    case ZYDIS_REGCLASS_SEGMENT:
      return choose(op, selection, &call<mov_from_segment>, false);
    case ZYDIS_REGCLASS_CONTROL:
      return choose(op, selection, &call<mov_from_cr>, false);
    case ZYDIS_REGCLASS_DEBUG:
      return choose(op, selection, &call<mov_from_dr>, false);
    default:
      break;
  }
}

std::span<const Row> system_rows() { return kRows; }

}  // namespace mock::cpu
