// x87, SSE and extended state. api.rst 4.22, 4.23, 4.42-4.45, 4.134. The XSAVE image is the standard form: legacy area,
// header, AVX at 576, PKRU at 2688.
#include <cerrno>
#include <cstring>

#include "mock/cpu/xstate.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

constexpr u32 kMxcsrMask = 0xffff;

unsigned top(const FpuState& fpu) { return (fpu.fsw >> 11) & 7; }

// The image holds ST(i); the state holds physical registers.
void put_stack(const FpuState& fpu, u8* out) {
  for (unsigned i = 0; i < 8; ++i) {
    const auto& reg = fpu.st[(top(fpu) + i) & 7];
    std::memcpy(out + 16 * i, reg.data(), 10);
  }
}
void get_stack(FpuState& fpu, const u8* in) {
  for (unsigned i = 0; i < 8; ++i) {
    auto& reg = fpu.st[(top(fpu) + i) & 7];
    reg = {};
    std::memcpy(reg.data(), in + 16 * i, 10);
  }
}

// FXSAVE64 layout.
struct Legacy {
  u16 fcw, fsw;
  u8 ftw, reserved;
  u16 fop;
  u64 ip, dp;
  u32 mxcsr, mxcsr_mask;
  std::array<u8, 128> st;
  std::array<u8, 256> xmm;
  std::array<u8, 96> unused;
};
static_assert(sizeof(Legacy) == 512);

struct XsaveImage {
  Legacy legacy;
  u64 xstate_bv, xcomp_bv;
  std::array<u64, 6> reserved;
  std::array<u8, 256> ymm_high;
  std::array<u8, kXstatePkruWord.standard_offset - 832> other_components;
  u64 pkru;
};
static_assert(offsetof(XsaveImage, ymm_high) == kXstateAvxHigh.standard_offset);
static_assert(offsetof(XsaveImage, pkru) == kXstatePkruWord.standard_offset);

}  // namespace

Result<kvm_fpu> Vcpu::get_fpu() {
  const FpuState& fpu = state().fpu;
  kvm_fpu out{};
  put_stack(fpu, out.fpr[0].data());
  out.fcw = fpu.fcw;
  out.fsw = fpu.fsw;
  out.ftwx = fpu.ftw;
  out.last_opcode = fpu.last_opcode;
  out.last_ip = fpu.last_ip;
  out.last_dp = fpu.last_dp;
  for (unsigned i = 0; i < 16; ++i) std::memcpy(out.xmm[i].data(), fpu.ymm[i].q.data(), 16);
  return out;  // mxcsr is not filled on x86
}

Result<int> Vcpu::set_fpu(const kvm_fpu& in) {
  FpuState& fpu = state().fpu;
  fpu.fcw = in.fcw;
  fpu.fsw = in.fsw;
  fpu.ftw = in.ftwx;
  fpu.last_opcode = in.last_opcode;
  fpu.last_ip = in.last_ip;
  fpu.last_dp = in.last_dp;
  get_stack(fpu, in.fpr[0].data());
  const unsigned count = vm_.has_defect(Defect::fpu_loses_xmm15) ? 15 : 16;
  for (unsigned i = 0; i < count; ++i) std::memcpy(fpu.ymm[i].q.data(), in.xmm[i].data(), 16);
  return 0;
}

u64 Vcpu::supported_xcr0() const {
  for (const kvm_cpuid_entry2& entry : vm_.profile().supported_cpuid)
    if (entry.function == 0xd && entry.index == 0) return entry.eax | (u64{entry.edx} << 32);
  return kXstateX87 | kXstateSse;
}

// What the guest may enable: by its CPUID leaf 0xd.
u64 Vcpu::guest_xcr0() const {
  const kvm_cpuid_entry2* leaf = find_cpuid(0xd, 0);
  return leaf ? (leaf->eax | (u64{leaf->edx} << 32)) & supported_xcr0() : 0;
}

void Vcpu::note_components_in_use() { xstate_bv_ |= components_in_use(state().fpu) & supported_xcr0(); }

Result<kvm_xsave> Vcpu::get_xsave() {
  if (has_run_since_xsave_) note_components_in_use();
  has_run_since_xsave_ = false;
  const FpuState& fpu = state().fpu;
  XsaveImage image{};
  image.legacy = {.fcw = fpu.fcw,
                  .fsw = fpu.fsw,
                  .ftw = fpu.ftw,
                  .reserved = 0,
                  .fop = fpu.last_opcode,
                  .ip = fpu.last_ip,
                  .dp = fpu.last_dp,
                  .mxcsr = fpu.mxcsr,
                  .mxcsr_mask = kMxcsrMask,
                  .st = {},
                  .xmm = {},
                  .unused = {}};
  put_stack(fpu, image.legacy.st.data());
  for (unsigned i = 0; i < 16; ++i) {
    std::memcpy(image.legacy.xmm.data() + 16 * i, &fpu.ymm[i].q[0], 16);
    std::memcpy(image.ymm_high.data() + 16 * i, &fpu.ymm[i].q[2], 16);
  }
  image.pkru = fpu.pkru;
  // QUIRK(kvm, 5.16, kvm_arch_vcpu_ioctl_set_fpu): what KVM_SET_FPU stored does not show before the component is in
  // use.
  image.xstate_bv = vm_.profile().since(6, 1) ? xstate_bv_ : (xstate_bv_ | components_in_use(fpu)) & supported_xcr0();
  // QUIRK(kvm, 6.1, kvm_vcpu_ioctl_x86_get_xsave2): components that the guest's CPUID does not have are left out.
  if (vm_.profile().since(6, 1)) image.xstate_bv &= guest_xcr0() | kXstateX87 | kXstateSse;
  if (!(image.xstate_bv & kXstateX87)) {
    const FpuState fresh;
    image.legacy.fcw = fresh.fcw;
    image.legacy.fsw = image.legacy.fop = 0;
    image.legacy.ftw = 0;
    image.legacy.ip = image.legacy.dp = 0;
    image.legacy.st = {};
  }
  if (!(image.xstate_bv & kXstateSse)) image.legacy.xmm = {};
  if (!(image.xstate_bv & kXstateAvx)) image.ymm_high = {};
  if (!(image.xstate_bv & kXstatePkru)) image.pkru = 0;
  if (!(image.xstate_bv & (kXstateSse | kXstateAvx))) image.legacy.mxcsr = kMxcsrAtReset;
  if (!vm_.profile().since(6, 1)) image.legacy.mxcsr_mask = 0;
  // QUIRK(kvm, 6.1, copy_xstate_to_uabi_buf): bytes 464-471 of the legacy area tell the host's features.
  const u64 supported = supported_xcr0();
  if (vm_.profile().since(6, 1)) std::memcpy(image.legacy.unused.data() + 48, &supported, 8);
  kvm_xsave out{};
  std::memcpy(out.region.data(), &image, sizeof image);
  return out;
}

Result<int> Vcpu::set_xsave(const kvm_xsave& in) {
  XsaveImage image;
  std::memcpy(&image, in.region.data(), sizeof image);
  if (image.xstate_bv & ~supported_xcr0()) return err(EINVAL);
  if (image.xcomp_bv) return err(EINVAL);
  for (u64 word : image.reserved)
    if (word) return err(EINVAL);
  if (image.legacy.mxcsr & ~kMxcsrMask) return err(EINVAL);
  FpuState& fpu = state().fpu;
  const FpuState power_up;
  xstate_bv_ = image.xstate_bv;
  const bool x87 = image.xstate_bv & kXstateX87;
  fpu.fcw = x87 ? image.legacy.fcw : power_up.fcw;
  fpu.fsw = x87 ? image.legacy.fsw : power_up.fsw;
  fpu.ftw = x87 ? image.legacy.ftw : power_up.ftw;
  fpu.last_opcode = x87 ? image.legacy.fop : 0;
  fpu.last_ip = x87 ? image.legacy.ip : 0;
  fpu.last_dp = x87 ? image.legacy.dp : 0;
  if (x87)
    get_stack(fpu, image.legacy.st.data());
  else
    fpu.st = {};
  if (image.xstate_bv & (kXstateSse | kXstateAvx)) fpu.mxcsr = image.legacy.mxcsr;
  if (image.xstate_bv & kXstatePkru && fpu.pkru != static_cast<u32>(image.pkru)) {
    fpu.pkru = static_cast<u32>(image.pkru);
    state_changed_ = translations_changed_ = true;
  }
  for (unsigned i = 0; i < 16; ++i) {
    fpu.ymm[i].q = {};
    if (image.xstate_bv & kXstateSse) std::memcpy(&fpu.ymm[i].q[0], image.legacy.xmm.data() + 16 * i, 16);
    if (image.xstate_bv & kXstateAvx) std::memcpy(&fpu.ymm[i].q[2], image.ymm_high.data() + 16 * i, 16);
  }
  return 0;
}

Result<kvm_xcrs> Vcpu::get_xcrs() {
  kvm_xcrs out{};
  out.nr_xcrs = 1;
  out.xcrs[0] = {.xcr = 0, .reserved = 0, .value = state().fpu.xcr0};
  return out;
}

// As __kvm_set_xcr().
bool Vcpu::is_valid_xcr0(u64 value) const {
  if (!(value & kXstateX87)) return false;
  if ((value & kXstateAvx) && !(value & kXstateSse)) return false;
  return !(value & ~(guest_xcr0() | kXstateX87));
}

Result<int> Vcpu::set_xcrs(const kvm_xcrs& in) {
  if (in.nr_xcrs > kMaxXcrs || in.flags) return err(EINVAL);
  for (u32 i = 0; i < in.nr_xcrs; ++i) {
    if (in.xcrs[i].xcr != 0) continue;
    if (!is_valid_xcr0(in.xcrs[i].value)) return err(EINVAL);
    state().fpu.xcr0 = in.xcrs[i].value;
    return 0;
  }
  return 0;
}

}  // namespace mock::vm
