// See smm.hpp.
#include "mock/cpu/smm.hpp"

#include <algorithm>

#include "mock/cpu/control.hpp"
#include "mock/cpu/guest_memory.hpp"
#include "mock/cpu/smm_save_area.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kEntry = 0x8000;
constexpr u16 kFlatData = 0x893;  // present, writable, accessed, 4 GiB

bool has_long_layout(const Core& core) { return core.features.efer_valid & EFER_LME; }

// Guest-physical bytes in SMM's address space.
bool copy(Core& core, SaveArea& area, Access access) {
  u64 address = core.s.smbase + SaveArea::kFirst;
  for (u32 done = 0; done < SaveArea::kBytes;) {
    const Page page = core.bus.page({address & ~(kPageSize - 1)}, access);
    if (page.kind != Page::Kind::ram) return false;
    u8* const host = page.host + address % kPageSize;
    const u32 part = static_cast<u32>(std::min<u64>(SaveArea::kBytes - done, kPageSize - address % kPageSize));
    if (access == Access::write)
      copy_to_guest(host, area.bytes.data() + done, part);
    else
      copy_from_guest(area.bytes.data() + done, host, part);
    done += part;
    address += part;
  }
  return true;
}

bool has_shadow(const State& s) { return s.interrupt_shadow_sti || s.interrupt_shadow_mov_ss; }

// What a segment register looks like to KVM: privilege in SS, TR busy, an unusable one not present.
Segment shown(const Core& core, const Segment& segment) {
  Segment out = segment;
  if (segment.unusable) out.attributes &= static_cast<u16>(~0x80);
  if (&segment == &core.s.seg[SS]) out.attributes = static_cast<u16>((out.attributes & ~0x60) | core.s.cpl << 5);
  if (&segment == &core.s.tr) out.attributes |= 2;
  return out;
}

void save32(const Core& core, SaveArea& area) {
  const State& s = core.s;
  area.put(smm32::kCr0, static_cast<u32>(s.cr0));
  area.put(smm32::kCr3, static_cast<u32>(s.cr3));
  area.put(smm32::kCr4, static_cast<u32>(s.cr4));
  area.put(smm32::kEflags, static_cast<u32>(core.rflags()));
  area.put(smm32::kEip, static_cast<u32>(s.rip));
  for (u32 i = 0; i < 8; ++i) area.put(smm32::kGpr + i * 4, static_cast<u32>(s.gpr[i]));
  area.put(smm32::kDr6, static_cast<u32>(s.dr6));
  area.put(smm32::kDr7, static_cast<u32>(s.dr7));
  for (u32 i = 0; i < 6; ++i) smm32::put(area, smm32::kSegments[i], shown(core, s.seg[i]));
  smm32::put(area, smm32::kLdtr, shown(core, s.ldtr));
  smm32::put(area, smm32::kTr, shown(core, s.tr));
  smm32::put(area, smm32::kGdtr, s.gdtr);
  smm32::put(area, smm32::kIdtr, s.idtr);
  area.put(smm32::kShadow, static_cast<u8>(has_shadow(s) ? 3 : 0));
  area.put(smm32::kRevision, smm32::kRevisionValue);
  area.put(smm32::kSmbase, static_cast<u32>(s.smbase));
}

void save64(const Core& core, SaveArea& area) {
  const State& s = core.s;
  for (u32 i = 0; i < 16; ++i) area.put(smm64::kRax - i * 8, s.gpr[i]);
  area.put(smm64::kRip, s.rip);
  area.put(smm64::kRflags, core.rflags());
  area.put(smm64::kDr6, s.dr6);
  area.put(smm64::kDr7, s.dr7);
  area.put(smm64::kCr0, s.cr0);
  area.put(smm64::kCr3, s.cr3);
  area.put(smm64::kCr4, s.cr4);
  area.put(smm64::kEfer, s.efer);
  for (u32 i = 0; i < 6; ++i) smm64::put(area, smm64::kSegments + i * 16, shown(core, s.seg[i]));
  smm64::put(area, smm64::kLdtr, shown(core, s.ldtr));
  smm64::put(area, smm64::kTr, shown(core, s.tr));
  smm64::put(area, smm64::kGdtr, s.gdtr);
  smm64::put(area, smm64::kIdtr, s.idtr);
  area.put(smm64::kShadow, static_cast<u8>(has_shadow(s) ? 3 : 0));
  area.put(smm64::kRevision, smm64::kRevisionValue);
  area.put(smm64::kSmbase, static_cast<u32>(s.smbase));
}

Segment flat(u16 selector, u64 base) {
  Segment segment;
  segment.selector = selector;
  segment.base = base;
  segment.limit_bytes = 0xffffffff;
  segment.attributes = kFlatData;
  return segment;
}

// Real mode with 4-GiB segments.
void start_handler(Core& core) {
  State& s = core.s;
  s.cr0 &= ~u64{CR0_PE | CR0_EM | CR0_TS | CR0_PG};
  s.cr4 = 0;
  s.efer = 0;
  s.idtr = {.base = 0, .limit = 0};
  s.dr7 = fixed_dr7(0);
  s.seg[CS] = flat(static_cast<u16>(s.smbase >> 4), s.smbase);
  for (const SegReg reg : {ES, SS, DS, FS, GS}) s.seg[reg] = flat(0, 0);
  s.cpl = 0;
  s.rip = kEntry;
  s.interrupt_shadow_sti = s.interrupt_shadow_mov_ss = false;
  core.set_rflags(kFlagsFixedOne);
  core.flush_tlb(false);
}

// A state from which control registers can be loaded in any combination.
void leave_to_real_mode(Core& core) {
  State& s = core.s;
  s.cr4 &= ~u64{CR4_PCIDE | CR4_PAE};
  s.cr0 &= ~u64{CR0_PE | CR0_PG};
  s.efer = 0;
  s.seg[CS].attributes = 0x89b;
}

// PCID needs long mode, and bits 0-11 of CR3 clear when it is turned on.
bool load_control(Core& core, u64 cr0, u64 cr3, u64 cr4) {
  const u64 pcid = cr4 & CR4_PCIDE ? cr3 & 0xfff : 0;
  if (!set_cr3(core, cr3 & ~pcid) || !set_cr4(core, cr4 & ~u64{CR4_PCIDE}) || !set_cr0(core, cr0)) return false;
  if (!(cr4 & CR4_PCIDE)) return true;
  return set_cr4(core, cr4) && set_cr3(core, cr3);
}

bool load_debug(State& s, u64 dr6, u64 dr7) {
  if (dr6 >> 32 || dr7 >> 32) return false;
  s.dr6 = fixed_dr6(dr6);
  s.dr7 = fixed_dr7(dr7);
  return true;
}

bool load32(Core& core, const SaveArea& area, u32& flags) {
  State& s = core.s;
  flags = area.get<u32>(smm32::kEflags);
  s.rip = area.get<u32>(smm32::kEip);
  for (u32 i = 0; i < 8; ++i) s.gpr[i] = area.get<u32>(smm32::kGpr + i * 4);
  if (!load_debug(s, area.get<u32>(smm32::kDr6), area.get<u32>(smm32::kDr7))) return false;
  s.tr = smm32::get(area, smm32::kTr);
  s.ldtr = smm32::get(area, smm32::kLdtr);
  s.gdtr = smm32::get_table(area, smm32::kGdtr);
  s.idtr = smm32::get_table(area, smm32::kIdtr);
  for (u32 i = 0; i < 6; ++i) s.seg[i] = smm32::get(area, smm32::kSegments[i]);
  s.interrupt_shadow_sti = area.get<u8>(smm32::kShadow);
  s.smbase = area.get<u32>(smm32::kSmbase);
  return load_control(core, area.get<u32>(smm32::kCr0), area.get<u32>(smm32::kCr3), area.get<u32>(smm32::kCr4));
}

bool load64(Core& core, const SaveArea& area, u32& flags) {
  State& s = core.s;
  flags = area.get<u32>(smm64::kRflags);
  s.rip = area.get<u64>(smm64::kRip);
  for (u32 i = 0; i < 16; ++i) s.gpr[i] = area.get<u64>(smm64::kRax - i * 8);
  if (!load_debug(s, area.get<u64>(smm64::kDr6), area.get<u64>(smm64::kDr7))) return false;
  s.smbase = area.get<u32>(smm64::kSmbase);
  if (!set_efer(core, area.get<u64>(smm64::kEfer) & ~u64{EFER_LMA})) return false;
  s.tr = smm64::get(area, smm64::kTr);
  s.ldtr = smm64::get(area, smm64::kLdtr);
  s.gdtr = smm64::get_table(area, smm64::kGdtr);
  s.idtr = smm64::get_table(area, smm64::kIdtr);
  if (!load_control(core, area.get<u64>(smm64::kCr0), area.get<u64>(smm64::kCr3), area.get<u64>(smm64::kCr4)))
    return false;
  for (u32 i = 0; i < 6; ++i) s.seg[i] = smm64::get(area, smm64::kSegments + i * 16);
  s.interrupt_shadow_sti = area.get<u8>(smm64::kShadow);
  return true;
}

void unblock_nmi(State& s) {
  if (!s.smm_inside_nmi) s.nmi_blocked = false;
  s.smm_inside_nmi = false;
  s.attention.fetch_or((s.nmi_pending ? kAttentionNmi : 0u) | (s.smi_pending ? kAttentionSmi : 0u));
}

}  // namespace

bool enter_smm(Core& core) {
  State& s = core.s;
  SaveArea area;
  has_long_layout(core) ? save64(core, area) : save32(core, area);
  s.in_smm = true;
  const bool saved = copy(core, area, Access::write);
  s.smm_inside_nmi = s.nmi_blocked;
  s.nmi_blocked = true;
  start_handler(core);
  return saved || core.stop(Stop::no_save_state);
}

bool rsm(Core& core, const Op&) {
  State& s = core.s;
  SaveArea area;
  if (!s.in_smm) return core.raise(UD);
  if (!copy(core, area, Access::read)) return core.stop(Stop::bad_save_state);
  s.in_smm = false;
  leave_to_real_mode(core);
  u32 flags = 0;
  if (!(has_long_layout(core) ? load64(core, area, flags) : load32(core, area, flags)))
    return core.stop(Stop::bad_save_state);
  s.interrupt_shadow_mov_ss = false;
  s.cpl = s.seg[SS].dpl();
  unblock_nmi(s);
  core.shadow_renewed = core.keep_rf = true;
  core.set_rflags(flags | kFlagsFixedOne);
  core.flush_tlb(false);
  return true;
}

}  // namespace mock::cpu
