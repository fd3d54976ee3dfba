// XSAVE, XSAVEOPT, XSAVEC, XRSTOR, RDPKRU, WRPKRU. SDM vol. 1 chapter 13, APM vol. 2 11.5. Components: x87, SSE, AVX,
// PKRU; where a component lies in the standard format is the guest's CPUID leaf 0Dh, in the compacted format follows
// from what is saved.
#include "mock/cpu/fpu.hpp"
#include "mock/cpu/fpu_ops.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kX87 = 1, kSse = 2, kAvx = 4, kPkru = u64{1} << 9;
constexpr u64 kCompacted = u64{1} << 63;

struct Header {
  u64 xstate_bv = 0, xcomp_bv = 0;
  std::array<u64, 6> reserved{};
};
static_assert(sizeof(Header) == 64);

struct Component {
  unsigned number;
  unsigned bytes;
};
constexpr Component kExtended[] = {{2, 256}, {9, 8}};

u64 offset_of(Core& core, const Component& component, u64 in_compacted_format) {
  if (!in_compacted_format) return core.bus.cpuid(0xd, component.number).ebx;
  u64 offset = 576;
  for (const Component& c : kExtended) {
    if (c.number == component.number) break;
    if (in_compacted_format >> c.number & 1) offset += c.bytes;
  }
  return offset;
}

// Which components are not in their initial configuration.
u64 in_use(const FpuState& fpu) {
  static const FpuState initial;
  u64 used = 0;
  if (fpu.fcw != initial.fcw || fpu.fsw || fpu.ftw || fpu.last_ip || fpu.last_dp || fpu.last_opcode ||
      fpu.st != initial.st) {
    used |= kX87;
  }
  for (const XmmOrYmm& reg : fpu.ymm) {
    if (reg.q[0] | reg.q[1]) used |= kSse;
    if (reg.q[2] | reg.q[3]) used |= kAvx;
  }
  if (fpu.mxcsr != initial.mxcsr) used |= kSse;
  if (fpu.pkru) used |= kPkru;
  return used;
}

bool enabled(Core& core) {
  if (!(core.s.cr4 & CR4_OSXSAVE)) return core.raise(UD);
  return core.s.cr0 & CR0_TS ? core.raise(NM) : true;
}

u64 requested(const Core& core) {
  return (static_cast<u32>(core.s.gpr[RAX]) | core.s.gpr[RDX] << 32) & core.s.fpu.xcr0;
}

unsigned register_count(const Core& core) { return core.is_64bit() ? 16 : 8; }

bool locate_area(Core& core, const Op& op, Access access, u64& linear) {
  if (!enabled(core)) return false;
  if (!core.linear(op.segment(), core.effective_address(op), 576, access, linear)) return false;
  if (linear & 63) return core.raise(GP, 0);
  return is_ram(core, linear, 576, access);
}

bool write_legacy(Core& core, u64 area, u64 components, u64 mask, bool is_64) {
  const FpuState& fpu = core.s.fpu;
  FxArea image;
  store_x87(fpu, image);
  if (!is_64) image.fip &= 0xffffffff, image.fdp &= 0xffffffff;
  if (components & kX87) {
    if (!core.write_linear(area, &image, 24) || !core.write_linear(area + 32, image.st.data(), 128)) return false;
  }
  if (mask & (kSse | kAvx)) {
    const u32 control[2] = {fpu.mxcsr, mxcsr_mask()};
    if (!core.write_linear(area + 24, control, 8)) return false;
  }
  for (unsigned i = 0; (components & kSse) && i < register_count(core); ++i) {
    if (!core.write_linear(area + 160 + i * 16, fpu.ymm[i].q.data(), 16)) return false;
  }
  return true;
}

bool write_extended(Core& core, u64 area, u64 components, u64 format) {
  const FpuState& fpu = core.s.fpu;
  if (components & kAvx) {
    const u64 at = area + offset_of(core, kExtended[0], format);
    for (unsigned i = 0; i < register_count(core); ++i) {
      if (!core.write_linear(at + i * 16, fpu.ymm[i].q.data() + 2, 16)) return false;
    }
  }
  if (components & kPkru) {
    const u64 pkru = fpu.pkru;
    if (!core.write_linear(area + offset_of(core, kExtended[1], format), &pkru, 8)) return false;
  }
  return true;
}

enum class Form : u8 { standard, optimised, compacted };

bool save(Core& core, const Op& op, Form form, bool is_64) {
  u64 area;
  if (!locate_area(core, op, Access::write, area)) return false;
  const u64 mask = requested(core), used = in_use(core.s.fpu) & mask;
  const u64 written = form == Form::standard ? mask : used;
  const u64 format = form == Form::compacted ? mask | kCompacted : 0;
  if (!write_legacy(core, area, written, mask, is_64) || !write_extended(core, area, written, format)) return false;
  Header header;
  if (form == Form::compacted) {
    header = {.xstate_bv = used, .xcomp_bv = format};
    return core.write_linear(area + 512, &header, 16);
  }
  if (!core.read_linear(area + 512, &header.xstate_bv, 8)) return false;
  header.xstate_bv = (header.xstate_bv & ~mask) | used;
  return core.write_linear(area + 512, &header.xstate_bv, 8);
}

bool check_header(Core& core, const Header& header) {
  const u64 xcr0 = core.s.fpu.xcr0;
  bool ok = !(header.xstate_bv & ~xcr0);
  if (header.xcomp_bv & kCompacted) {
    ok = ok && !(header.xcomp_bv & ~kCompacted & ~xcr0) && !(header.xstate_bv & ~header.xcomp_bv);
    for (const u64 word : header.reserved) ok = ok && word == 0;
  } else {
    ok = ok && header.xcomp_bv == 0 && header.reserved[0] == 0;
  }
  return ok || core.raise(GP, 0);
}

// What the area holds, read before anything is changed.
struct Image {
  FxArea legacy;
  std::array<std::array<u64, 2>, 16> ymm_high{};
  u64 pkru = 0;
};

bool read_image(Core& core, u64 area, u64 components, u64 format, Image& image) {
  if (!core.read_linear(area, &image.legacy, 512)) return false;
  if (components & kAvx) {
    const u64 at = area + offset_of(core, kExtended[0], format);
    for (unsigned i = 0; i < register_count(core); ++i) {
      if (!core.read_linear(at + i * 16, image.ymm_high[i].data(), 16)) return false;
    }
  }
  return !(components & kPkru) || core.read_linear(area + offset_of(core, kExtended[1], format), &image.pkru, 8);
}

void restore_x87(FpuState& fpu, const Image& image, bool present, bool is_64) {
  FxArea area = present ? image.legacy : FxArea{};
  if (!is_64) area.fip &= 0xffffffff, area.fdp &= 0xffffffff;
  load_x87(fpu, area);
  fpu.fcw = static_cast<u16>((fpu.fcw & 0x1f3f) | 0x40);
  fpu.last_opcode &= 0x7ff;
  update_summary(fpu);
}

bool restore(Core& core, const Op& op, bool is_64) {
  u64 area;
  Header header;
  Image image;
  if (!locate_area(core, op, Access::read, area)) return false;
  if (!core.read_linear(area + 512, &header, sizeof header) || !check_header(core, header)) return false;
  const u64 mask = requested(core), present = mask & header.xstate_bv;
  if (!read_image(core, area, present, header.xcomp_bv, image)) return false;
  const bool loads_mxcsr = header.xcomp_bv & kCompacted ? present & (kSse | kAvx) : mask & (kSse | kAvx);
  if (loads_mxcsr && (image.legacy.mxcsr & ~mxcsr_mask())) return core.raise(GP, 0);
  FpuState& fpu = core.s.fpu;
  if (mask & kX87) restore_x87(fpu, image, present & kX87, is_64);
  if (loads_mxcsr) {
    fpu.mxcsr = image.legacy.mxcsr;
  } else if (mask & (kSse | kAvx)) {
    fpu.mxcsr = 0x1f80;
  }
  for (unsigned i = 0; i < register_count(core); ++i) {
    XmmOrYmm& reg = fpu.ymm[i];
    if (mask & kSse) {
      reg.q[0] = present & kSse ? image.legacy.xmm[i][0] : 0;
      reg.q[1] = present & kSse ? image.legacy.xmm[i][1] : 0;
    }
    if (mask & kAvx) {
      reg.q[2] = image.ymm_high[i][0];
      reg.q[3] = image.ymm_high[i][1];
    }
  }
  if (mask & kPkru) {
    fpu.pkru = static_cast<u32>(image.pkru);
    core.flush_tlb(true);
  }
  return true;
}

}  // namespace

template <bool is_64>
bool xsave(Core& core, const Op& op) {
  return save(core, op, Form::standard, is_64);
}
template <bool is_64>
bool xsaveopt(Core& core, const Op& op) {
  return save(core, op, Form::optimised, is_64);
}
template <bool is_64>
bool xsavec(Core& core, const Op& op) {
  return save(core, op, Form::compacted, is_64);
}
template <bool is_64>
bool xrstor(Core& core, const Op& op) {
  return restore(core, op, is_64);
}
template bool xsave<false>(Core&, const Op&);
template bool xsave<true>(Core&, const Op&);
template bool xsaveopt<false>(Core&, const Op&);
template bool xsaveopt<true>(Core&, const Op&);
template bool xsavec<false>(Core&, const Op&);
template bool xsavec<true>(Core&, const Op&);
template bool xrstor<false>(Core&, const Op&);
template bool xrstor<true>(Core&, const Op&);

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
