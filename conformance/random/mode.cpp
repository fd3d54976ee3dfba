// Start states. SDM vol. 3: 3.4.5 (descriptors), 9.8 (mode switching), 20.2 (virtual-8086 mode).
#include "conformance/random/mode.hpp"

namespace conformance::random {

using kvmapi::kvm_segment;
using kvmapi::kvm_sregs;

namespace {

constexpr std::string_view kNames[] = {"real", "v86", "prot16", "prot32", "paged32", "pae", "compat", "long64"};

constexpr u64 kPe = 1, kMp = 2, kEt = 0x10, kNe = 0x20, kWp = 0x10000, kPg = 0x80000000;
constexpr u64 kPse = 0x10, kPae = 0x20, kPge = 0x80, kOsfxsr = 0x200, kOsxmmexcpt = 0x400;
constexpr u64 kSce = 1, kLme = 0x100, kLma = 0x400, kNx = 0x800;

kvm_segment flat(u16 selector, u8 type, u8 dpl, bool db, bool l = false) {
  return {.base = 0,
          .limit = 0xffffffff,
          .selector = selector,
          .type = type,
          .present = 1,
          .dpl = dpl,
          .db = db,
          .s = 1,
          .l = l,
          .g = 1};
}

kvm_segment real_segment(u16 selector, u8 type, u8 dpl) {
  return {.base = u64{selector} << 4,
          .limit = 0xffff,
          .selector = selector,
          .type = type,
          .present = 1,
          .dpl = dpl,
          .s = 1};
}

void set_real_segments(u8 dpl, kvm_sregs& s) {
  const u8 code = dpl ? 3 : 11;  // virtual-8086 mode has data segments alone
  s.cs = real_segment(0, code, dpl);
  s.ss = real_segment(0, 3, dpl);
  s.ds = real_segment(kData >> 4, 3, dpl);
  s.es = real_segment((kData >> 4) + 0x80, 3, dpl);
  s.fs = real_segment(kMmio >> 4, 3, dpl);
  s.gs = real_segment((kData >> 4) - 0x100, 3, dpl);
}

void set_segments(const Variant& v, kvm_sregs& s) {
  const bool user = v.ring == 3;
  u16 code = user ? kUserCs : kKernelCs;
  if (v.bits == 16) code = user ? kUserCode16 : kCode16;
  if (v.bits == 32 && v.mode == Mode::compat) code = user ? kUserCode32 : kCode32;
  s.cs = flat(code, 11, v.ring, v.bits == 32, v.bits == 64);
  s.ds = s.es = s.fs = s.gs = s.ss = flat(user ? kUserDs : kKernelDs, 3, v.ring, true);
  if (v.bits != 16) return;
  s.cs.limit = 0xffff;
  s.cs.g = 0;
  s.ss = {.base = 0,
          .limit = 0xffff,
          .selector = static_cast<u16>(user ? kUserStack16 : kStack16),
          .type = 3,
          .present = 1,
          .dpl = v.ring,
          .s = 1};
  s.ds = s.es = {.base = kData, .limit = 0xffff, .selector = kDataAt64K | 3, .type = 3, .present = 1, .dpl = 3, .s = 1};
}

void set_control(Mode mode, kvm_sregs& s) {
  s.cr0 = kMp | kEt | kNe;
  s.cr2 = s.cr3 = s.cr8 = s.efer = 0;
  s.cr4 = kOsfxsr | kOsxmmexcpt;
  if (mode != Mode::real) s.cr0 |= kPe;
  if (has_paging(mode)) {
    s.cr0 |= kPg | kWp;
    s.cr3 = mode == Mode::pae ? kPdpt : kTopTable;
    s.cr4 |= mode == Mode::pae || is_long(mode) ? kPae : kPse;
    s.cr4 |= kPge;
  }
  if (mode == Mode::pae) s.efer = kNx;
  if (is_long(mode)) s.efer = kNx | kLme | kLma | kSce;
}

}  // namespace

std::string_view name(Mode mode) { return kNames[static_cast<unsigned>(mode)]; }

std::optional<Mode> mode_from_name(std::string_view wanted) {
  for (const Mode mode : kEveryMode)
    if (name(mode) == wanted) return mode;
  return std::nullopt;
}

std::string_view mode_names() { return "real, v86, prot16, prot32, paged32, pae, compat, long64"; }

void set_start(const Variant& variant, kvm_sregs& s) {
  const Mode mode = variant.mode;
  set_control(mode, s);
  if (mode == Mode::real || mode == Mode::v86) {
    set_real_segments(mode == Mode::v86 ? 3 : 0, s);
  } else {
    set_segments(variant, s);
  }
  s.tr = {.base = kTss, .limit = 0x7ff, .selector = kTssSelector, .type = 9, .present = 1};
  s.ldt = {.base = kLdt, .limit = 0x7f, .selector = kLdtSelector, .type = 2, .present = 1};
  if (mode == Mode::real) s.tr.selector = s.ldt.selector = 0;
  s.gdt = {.base = kGdt, .limit = kGdtEnd - 1, .padding = {}};
  s.idt = {.base = mode == Mode::real ? kVectorTable : kIdt, .limit = 0xfff, .padding = {}};
  if (mode == Mode::real) s.idt.limit = 0x3ff;
  if (mode != Mode::real && !is_long(mode)) s.idt.limit = 0x7ff;
  s.interrupt_bitmap = {};
}

}  // namespace conformance::random
