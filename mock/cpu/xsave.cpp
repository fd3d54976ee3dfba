// XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS, RDPKRU, WRPKRU. SDM vol. 1 chapter 13, APM vol. 2 11.5. No
// supervisor components, so IA32_XSS is 0.
#include "mock/cpu/fpu.hpp"
#include "mock/cpu/fpu_ops.hpp"
#include "mock/cpu/xstate.hpp"

namespace mock::cpu {
namespace {

struct Header {
  u64 xstate_bv = 0, xcomp_bv = 0;
  std::array<u64, 6> reserved{};
};
static_assert(sizeof(Header) == 64);

constexpr u64 kSseOrAvx = kXstateSse | kXstateAvx;

bool is_compacted(XsaveForm form) { return form == XsaveForm::compacted || form == XsaveForm::supervisor; }

bool enabled(Core& core, XsaveForm form) {
  if (!(core.s.cr4 & CR4_OSXSAVE)) return core.raise(UD);
  if (core.s.cr0 & CR0_TS) return core.raise(NM);
  return form == XsaveForm::supervisor && core.s.cpl ? core.raise(GP, 0) : true;
}

u64 requested(const Core& core) {
  return (static_cast<u32>(core.s.gpr[RAX]) | core.s.gpr[RDX] << 32) & core.s.fpu.xcr0;
}

unsigned register_count(const Core& core) { return core.is_64bit() ? 16 : 8; }

bool locate_area(Core& core, const Op& op, Access access, unsigned size, u64& linear) {
  if (!core.linear(op.segment(), core.effective_address(op), size, access, linear)) return false;
  if (linear & 63) return core.raise(GP, 0);
  return is_ram(core, linear, size, access);
}

// `components`: whose data is written; with_mxcsr: MXCSR and its mask too.
bool write_legacy(Core& core, u64 area, u64 components, bool with_mxcsr, bool is_64) {
  const FpuState& fpu = core.s.fpu;
  FxArea image;
  store_x87(fpu, image);
  if (!is_64) image.fip &= 0xffffffff, image.fdp &= 0xffffffff;
  if (components & kXstateX87) {
    if (!core.write_linear(area, &image, 24) || !core.write_linear(area + 32, image.st.data(), 128)) return false;
  }
  if (with_mxcsr) {
    const u32 control[2] = {fpu.mxcsr, kMxcsrMask};
    if (!core.write_linear(area + 24, control, 8)) return false;
  }
  for (unsigned i = 0; (components & kXstateSse) && i < register_count(core); ++i) {
    if (!core.write_linear(area + 160 + i * 16, fpu.ymm[i].q.data(), 16)) return false;
  }
  return true;
}

bool write_extended(Core& core, u64 area, u64 components, u64 xcomp_bv) {
  const FpuState& fpu = core.s.fpu;
  if (components & kXstateAvx) {
    const u64 at = area + xsave_offset(kXstateAvxHigh, xcomp_bv);
    for (unsigned i = 0; i < register_count(core); ++i) {
      if (!core.write_linear(at + i * 16, fpu.ymm[i].q.data() + 2, 16)) return false;
    }
  }
  if (components & kXstatePkru) {
    const u64 pkru = fpu.pkru;
    if (!core.write_linear(area + xsave_offset(kXstatePkruWord, xcomp_bv), &pkru, 8)) return false;
  }
  return true;
}

// The modified optimisation is never applied, so nothing of the last XRSTOR need be remembered.
bool save(Core& core, const Op& op, XsaveForm form, bool is_64) {
  if (!enabled(core, form)) return false;
  const bool compacted = is_compacted(form);
  const u64 mask = requested(core);
  u64 area;
  if (!locate_area(core, op, Access::write, xsave_bytes(mask, compacted), area)) return false;
  u64 used = components_in_use(core.s.fpu) & mask;
  if (compacted && core.s.fpu.mxcsr != kMxcsrAtReset) used |= mask & kXstateSse;
  const u64 written = form == XsaveForm::standard ? mask : used;
  const bool with_mxcsr = compacted ? written & kXstateSse : mask & kSseOrAvx;
  Header header{.xstate_bv = used, .xcomp_bv = compacted ? mask | kXcompCompacted : 0};
  if (!write_legacy(core, area, written, with_mxcsr, is_64) || !write_extended(core, area, written, header.xcomp_bv)) {
    return false;
  }
  if (compacted) return core.write_linear(area + 512, &header, 16);
  u64 before;
  if (!core.read_linear(area + 512, &before, 8)) return false;
  header.xstate_bv |= before & ~mask;
  return core.write_linear(area + 512, &header.xstate_bv, 8);
}

bool check_header(Core& core, const Header& header, XsaveForm form) {
  const u64 xcr0 = core.s.fpu.xcr0;
  bool ok = !(header.xstate_bv & ~xcr0);
  if (header.xcomp_bv & kXcompCompacted) {
    ok = ok && core.features.compacted_xrstor && !(header.xcomp_bv & ~kXcompCompacted & ~xcr0) &&
         !(header.xstate_bv & ~header.xcomp_bv);
    for (const u64 word : header.reserved) ok = ok && word == 0;
  } else {
    ok = ok && form != XsaveForm::supervisor && header.xcomp_bv == 0 && header.reserved[0] == 0;
  }
  return ok || core.raise(GP, 0);
}

// What the area holds, read before anything is changed.
struct Image {
  FxArea legacy;
  std::array<std::array<u64, 2>, 16> ymm_high{};
  u64 pkru = 0;
};

bool read_image(Core& core, u64 area, u64 components, u64 xcomp_bv, Image& image) {
  if (!core.read_linear(area, &image.legacy, 512)) return false;
  if (components & kXstateAvx) {
    const u64 at = area + xsave_offset(kXstateAvxHigh, xcomp_bv);
    for (unsigned i = 0; i < register_count(core); ++i) {
      if (!core.read_linear(at + i * 16, image.ymm_high[i].data(), 16)) return false;
    }
  }
  return !(components & kXstatePkru) ||
         core.read_linear(area + xsave_offset(kXstatePkruWord, xcomp_bv), &image.pkru, 8);
}

void restore_x87(FpuState& fpu, const Image& image, bool present, bool is_64) {
  FxArea area = present ? image.legacy : FxArea{};
  if (!is_64) area.fip &= 0xffffffff, area.fdp &= 0xffffffff;
  load_x87(fpu, area);
  fpu.fcw = static_cast<u16>((fpu.fcw & 0x1f3f) | 0x40);
  fpu.last_opcode &= 0x7ff;
  update_summary(fpu);
}

void restore_vectors(Core& core, const Image& image, u64 mask, u64 present) {
  for (unsigned i = 0; i < register_count(core); ++i) {
    XmmOrYmm& reg = core.s.fpu.ymm[i];
    if (mask & kXstateSse) {
      reg.q[0] = present & kXstateSse ? image.legacy.xmm[i][0] : 0;
      reg.q[1] = present & kXstateSse ? image.legacy.xmm[i][1] : 0;
    }
    if (mask & kXstateAvx) {
      reg.q[2] = image.ymm_high[i][0];
      reg.q[3] = image.ymm_high[i][1];
    }
  }
}

// MXCSR belongs to SSE in the compacted format; in the standard one SSE or AVX loads it whatever XSTATE_BV says.
bool restore_mxcsr(Core& core, const Image& image, u64 mask, u64 present, bool compacted) {
  const bool loads = compacted ? present & kXstateSse : mask & kSseOrAvx;
  if (loads && (image.legacy.mxcsr & ~kMxcsrMask)) return core.raise(GP, 0);
  if (loads) {
    core.s.fpu.mxcsr = image.legacy.mxcsr;
  } else if (mask & kXstateSse) {
    core.s.fpu.mxcsr = kMxcsrAtReset;
  }
  return true;
}

bool restore(Core& core, const Op& op, XsaveForm form, bool is_64) {
  u64 area;
  Header header;
  Image image;
  if (!enabled(core, form) || !locate_area(core, op, Access::read, kXsaveHeaderEnd, area)) return false;
  if (!core.read_linear(area + 512, &header, sizeof header) || !check_header(core, header, form)) return false;
  const u64 mask = requested(core), present = mask & header.xstate_bv;
  const bool compacted = header.xcomp_bv & kXcompCompacted;
  const unsigned bytes = compacted ? xsave_bytes(header.xcomp_bv, true) : xsave_bytes(present, false);
  if (!is_ram(core, area, bytes, Access::read)) return false;
  if (!read_image(core, area, present, header.xcomp_bv, image)) return false;
  if (!restore_mxcsr(core, image, mask, present, compacted)) return false;
  if (mask & kXstateX87) restore_x87(core.s.fpu, image, present & kXstateX87, is_64);
  restore_vectors(core, image, mask, present);
  if (mask & kXstatePkru) {
    core.s.fpu.pkru = static_cast<u32>(image.pkru);
    core.flush_tlb(true);
  }
  return true;
}

}  // namespace

u64 components_in_use(const FpuState& fpu) {
  static const FpuState initial;
  u64 used = 0;
  if (fpu.fcw != initial.fcw || fpu.fsw || fpu.ftw || fpu.last_ip || fpu.last_dp || fpu.last_opcode ||
      fpu.st != initial.st) {
    used |= kXstateX87;
  }
  for (const XmmOrYmm& reg : fpu.ymm) {
    if (reg.q[0] | reg.q[1]) used |= kXstateSse;
    if (reg.q[2] | reg.q[3]) used |= kXstateAvx;
  }
  if (fpu.pkru) used |= kXstatePkru;
  return used;
}

template <XsaveForm form, bool is_64>
bool xsave(Core& core, const Op& op) {
  return save(core, op, form, is_64);
}
template <XsaveForm form, bool is_64>
bool xrstor(Core& core, const Op& op) {
  return restore(core, op, form, is_64);
}
#define INSTANTIATE(function, form)                                 \
  template bool function<XsaveForm::form, false>(Core&, const Op&); \
  template bool function<XsaveForm::form, true>(Core&, const Op&)
INSTANTIATE(xsave, standard);
INSTANTIATE(xsave, optimised);
INSTANTIATE(xsave, compacted);
INSTANTIATE(xsave, supervisor);
INSTANTIATE(xrstor, standard);
INSTANTIATE(xrstor, supervisor);
#undef INSTANTIATE

bool rdpkru(Core& core, const Op&) {
  if (!(core.s.cr4 & CR4_PKE)) return core.raise(UD);
  if (static_cast<u32>(core.s.gpr[RCX])) return core.raise(GP, 0);
  core.s.gpr[RAX] = core.s.fpu.pkru;
  core.s.gpr[RDX] = 0;
  return true;
}

bool wrpkru(Core& core, const Op&) {
  if (!(core.s.cr4 & CR4_PKE)) return core.raise(UD);
  if (static_cast<u32>(core.s.gpr[RCX]) || static_cast<u32>(core.s.gpr[RDX])) return core.raise(GP, 0);
  core.s.fpu.pkru = static_cast<u32>(core.s.gpr[RAX]);
  core.flush_tlb(true);
  return true;
}

}  // namespace mock::cpu
