// Segment, control and system registers. api.rst 4.13, 4.14, 4.131, 4.132. Segment attributes as kvm_amd stores them.
#include <cerrno>
#include <cstring>

#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

constexpr u64 kApicEnable = u64{1} << 11, kApicX2 = u64{1} << 10;
constexpr u64 kSregs2PdptrsValid = 1;

u16 pack_attributes(const kvm_segment& s) {
  // QUIRK(AMD, all, svm_set_segment): the VMCB has no "unusable" bit, such a segment is stored as not present.
  const bool present = s.present && !s.unusable;
  return static_cast<u16>((s.type & 15) | (s.s & 1) << 4 | (s.dpl & 3) << 5 | present << 7 | (s.avl & 1) << 8 |
                          (s.l & 1) << 9 | (s.db & 1) << 10 | (s.g & 1) << 11);
}

Segment to_segment(const kvm_segment& s) {
  return {.base = s.base,
          .limit_bytes = s.limit,
          .selector = s.selector,
          .attributes = pack_attributes(s),
          .unusable = s.unusable || !s.present};
}

// The bytes of struct kvm_segment from `dpl` on, for bits 4 to 10 of the attributes.
constexpr auto kSegmentFlags = [] {
  std::array<u64, 128> flags{};
  for (u64 i = 0; i < flags.size(); ++i) {
    const u64 s = i & 1, dpl = i >> 1 & 3, present = i >> 3 & 1, avl = i >> 4 & 1, l = i >> 5 & 1, db = i >> 6 & 1;
    flags[i] = dpl | db << 8 | s << 16 | l << 24 | avl << 40 | u64{!present} << 48;
  }
  return flags;
}();

// Made of words: to read what was written byte by byte a moment ago takes ten times as long.
inline void put_segment(kvm_segment& out, const Segment& s, unsigned attributes) {
  const u64 type = attributes & 15, present = attributes >> 7 & 1, g = s.limit_bytes > 0xfffff;
  const u64 words[3] = {s.base, s.limit_bytes | u64{s.selector} << 32 | type << 48 | present << 56,
                        kSegmentFlags[attributes >> 4 & 127] | g << 32};
  static_assert(sizeof words == sizeof out);
  std::memcpy(&out, words, sizeof out);
}
static_assert(offsetof(kvm_segment, dpl) == 16 && offsetof(kvm_segment, g) == 20);

// svm_get_segment(): what hardware leaves undefined reads as an accessed segment, a busy TSS, the current privilege.
unsigned data_attributes(const Segment& s) { return s.attributes | (s.present() ? 1u : 0u); }

unsigned stack_attributes(const Segment& s, u8 cpl) {
  constexpr unsigned kDpl = 3 << 5, kDb = 1 << 10;
  return (s.attributes & ~kDpl & (s.present() ? ~0u : ~kDb)) | unsigned{cpl} << 5;
}

inline void put_table(kvm_dtable& out, const DescriptorTable& table) {
  const u64 words[2] = {table.base, table.limit};
  static_assert(sizeof words == sizeof out);
  std::memcpy(&out, words, sizeof out);
}

template <class Sregs>
void get_common(const State& state, Sregs& out) {
  put_segment(out.cs, state.seg[CS], state.seg[CS].attributes);
  put_segment(out.ds, state.seg[DS], data_attributes(state.seg[DS]));
  put_segment(out.es, state.seg[ES], data_attributes(state.seg[ES]));
  put_segment(out.fs, state.seg[FS], data_attributes(state.seg[FS]));
  put_segment(out.gs, state.seg[GS], data_attributes(state.seg[GS]));
  put_segment(out.ss, state.seg[SS], stack_attributes(state.seg[SS], state.cpl));
  put_segment(out.tr, state.tr, state.tr.attributes | 2u);
  put_segment(out.ldt, state.ldtr, state.ldtr.attributes);
  put_table(out.gdt, state.gdtr);
  put_table(out.idt, state.idtr);
  out.cr0 = state.cr0;
  out.cr2 = state.cr2;
  out.cr3 = state.cr3;
  out.cr4 = state.cr4;
  out.efer = state.efer;
}

}  // namespace

void Vcpu::read_sregs(kvm_sregs& out) const {
  get_common(state(), out);
  out.cr8 = current_cr8();
  out.apic_base = apic_base_;
  out.interrupt_bitmap = {};
  if (events_.interrupt.injected && !events_.interrupt.soft)
    out.interrupt_bitmap[events_.interrupt.vector / 64] |= u64{1} << (events_.interrupt.vector % 64);
}

Result<kvm_sregs> Vcpu::get_sregs() {
  kvm_sregs sregs;
  read_sregs(sregs);
  return sregs;
}

Result<kvm_sregs2> Vcpu::get_sregs2() {
  kvm_sregs2 out{};
  get_common(state(), out);
  out.cr8 = read_cr8();
  out.apic_base = apic_base_;
  const bool pae = (state().cr0 & CR0_PG) && (state().cr4 & CR4_PAE) && !(state().efer & EFER_LMA);
  if (pae) {
    out.pdptrs = state().pdptr;
    out.flags = kSregs2PdptrsValid;
  }
  return out;
}

bool Vcpu::is_valid_cr4(u64 cr4) {
  // What this CPU executes at all; the guest's CPUID narrows it once it is set.
  u64 allowed = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
                CR4_OSXMMEXCPT;
  struct Optional {
    u64 bit;
    u32 leaf;
    u32 kvm_cpuid_entry2::*reg;
    unsigned feature;
  };
  static constexpr Optional kOptional[] = {
      {CR4_UMIP, 7, &kvm_cpuid_entry2::ecx, 2},     {CR4_LA57, 7, &kvm_cpuid_entry2::ecx, 16},
      {CR4_FSGSBASE, 7, &kvm_cpuid_entry2::ebx, 0}, {CR4_PCIDE, 1, &kvm_cpuid_entry2::ecx, 17},
      {CR4_OSXSAVE, 1, &kvm_cpuid_entry2::ecx, 26}, {CR4_SMEP, 7, &kvm_cpuid_entry2::ebx, 7},
      {CR4_SMAP, 7, &kvm_cpuid_entry2::ebx, 20},    {CR4_PKE, 7, &kvm_cpuid_entry2::ecx, 3},
  };
  const bool guest_rules = !cpuid_.empty() || vm_.profile().since(7, 0);
  for (const Optional& optional : kOptional) {
    bool host = false;
    for (const kvm_cpuid_entry2& entry : vm_.profile().supported_cpuid)
      if (entry.function == optional.leaf && entry.index == 0) host |= (entry.*optional.reg >> optional.feature) & 1;
    // UMIP is emulated everywhere.
    host |= optional.bit == CR4_UMIP;
    if (host && (!guest_rules || has_cpuid_bit(optional.leaf, optional.reg, optional.feature))) allowed |= optional.bit;
  }
  return !(cr4 & ~allowed);
}

bool Vcpu::is_valid_efer(u64 efer) {
  if (efer & ~u64{EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_SVME | EFER_LMSLE | EFER_FFXSR | EFER_TCE})
    return false;
  if ((efer & EFER_FFXSR) && !has_cpuid_bit(0x80000001, &kvm_cpuid_entry2::edx, 25)) return false;
  if ((efer & EFER_SVME) && !has_cpuid_bit(0x80000001, &kvm_cpuid_entry2::ecx, 2)) return false;
  if ((efer & (EFER_LME | EFER_LMA)) && !has_cpuid_bit(0x80000001, &kvm_cpuid_entry2::edx, 29)) return false;
  return !(efer & EFER_NX) || has_cpuid_bit(0x80000001, &kvm_cpuid_entry2::edx, 20);
}

// kvm_is_valid_sregs() and, before 6.1, its predecessor without a look at CR0.
bool Vcpu::are_valid_sregs(const kvm_sregs& sregs) {
  if ((sregs.efer & EFER_LME) && (sregs.cr0 & CR0_PG)) {
    const bool pae_and_lma = (sregs.cr4 & CR4_PAE) && (sregs.efer & EFER_LMA);
    if (!pae_and_lma && !vm_.has_defect(Defect::sregs_accepts_long_mode_without_pae)) return false;
    if (sregs.cr3 >> max_physical_bits()) return false;
  } else if ((sregs.efer & EFER_LMA) || sregs.cs.l) {
    return false;
  }
  if (!is_valid_cr4(sregs.cr4)) return false;
  if (!vm_.profile().since(6, 1)) return true;
  if (sregs.cr0 >> 32) return false;
  if ((sregs.cr0 & CR0_NW) && !(sregs.cr0 & CR0_CD)) return false;
  if ((sregs.cr0 & CR0_PG) && !(sregs.cr0 & CR0_PE)) return false;
  return !vm_.profile().since(7, 0) || is_valid_efer(sregs.efer);
}

bool Vcpu::is_valid_apic_base(u64 value) const {
  if (vm_.profile().since(7, 0) && value == apic_base_) return true;
  const u64 reserved =
      (~u64{0} << max_physical_bits()) | 0x2ff | (has_cpuid_bit(1, &kvm_cpuid_entry2::ecx, 21) ? 0 : kApicX2);
  return !(value & reserved) && !((value & kApicX2) && !(value & kApicEnable));
}

// A failing look into guest memory leaves the old values, as load_pdptrs() does.
void Vcpu::load_pdptrs_from_memory() {
  const u64 table = state().cr3 & ~u64{31};
  const cpu::Page found = page(Gpa{table & ~(kPageSize - 1)}, Access::read);
  if (found.kind != cpu::Page::Kind::ram) return;
  std::array<u64, 4> entries;
  if (copy_from_user(&entries, reinterpret_cast<u64>(found.host) + table % kPageSize, sizeof entries))
    state().pdptr = entries;
}

// The order of __set_sregs_common().
Result<int> Vcpu::set_common_sregs(const kvm_sregs& sregs, bool load_pdptrs) {
  if (!are_valid_sregs(sregs)) return err(EINVAL);
  if (!is_valid_apic_base(sregs.apic_base)) return err(EINVAL);
  set_apic_base(sregs.apic_base);
  State& s = state();
  s.idtr = {sregs.idt.base, sregs.idt.limit};
  s.gdtr = {sregs.gdt.base, sregs.gdt.limit};
  if (!vm_.has_defect(Defect::sregs_loses_cr2)) s.cr2 = sregs.cr2;
  s.cr3 = sregs.cr3;
  if (!(sregs.cr8 & ~u64{15})) set_cr8(static_cast<u8>(sregs.cr8));
  s.efer = sregs.efer;
  s.cr0 = sregs.cr0;
  s.cr4 = sregs.cr4;
  if (load_pdptrs && (s.cr0 & CR0_PG) && (s.cr4 & CR4_PAE) && !(s.efer & EFER_LMA)) load_pdptrs_from_memory();
  s.seg[CS] = to_segment(sregs.cs);
  s.seg[DS] = to_segment(sregs.ds);
  s.seg[ES] = to_segment(sregs.es);
  s.seg[FS] = to_segment(sregs.fs);
  s.seg[GS] = to_segment(sregs.gs);
  s.seg[SS] = to_segment(sregs.ss);
  s.tr = to_segment(sregs.tr);
  s.ldtr = to_segment(sregs.ldt);
  s.cpl = sregs.ss.dpl & 3;  // svm_set_segment(): the VMCB's CPL follows SS.DPL
  // Older users put the boot processor back to its reset state and expect it to run.
  if (is_bsp() && s.rip == 0xfff0 && sregs.cs.selector == 0xf000 && sregs.cs.base == 0xffff0000 && !(s.cr0 & CR0_PE))
    mp_state_ = kMpStateRunnable;
  state_changed_ = translations_changed_ = true;
  return 0;
}

Result<int> Vcpu::set_sregs(const kvm_sregs& sregs) {
  if (Result<int> set = set_common_sregs(sregs, true); !set) return set;
  for (unsigned vector = 0; vector < 256; ++vector) {
    if (!(sregs.interrupt_bitmap[vector / 64] >> (vector % 64) & 1)) continue;
    events_.interrupt = {.injected = true, .soft = false, .vector = static_cast<u8>(vector)};
    break;
  }
  return 0;
}

// __set_sregs2().
Result<int> Vcpu::set_sregs2(const kvm_sregs2& sregs) {
  const bool has_pdptrs = sregs.flags & kSregs2PdptrsValid;
  const bool pae = (sregs.cr0 & CR0_PG) && (sregs.cr4 & CR4_PAE) && !(sregs.efer & EFER_LMA);
  if (sregs.flags & ~kSregs2PdptrsValid) return err(EINVAL);
  if (has_pdptrs && !pae) return err(EINVAL);
  kvm_sregs common{};
  std::memcpy(&common, &sregs, offsetof(kvm_sregs, interrupt_bitmap));
  if (Result<int> set = set_common_sregs(common, !has_pdptrs); !set) return set;
  if (has_pdptrs) state().pdptr = sregs.pdptrs;
  return 0;
}

}  // namespace mock::vm
