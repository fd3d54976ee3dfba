#include "mock/devices/lapic.hpp"

#include <bit>
#include <cstring>

namespace mock::devices {
namespace {

constexpr u32 kVersion = 0x14 | 5u << 16;  // six LVT entries
constexpr u32 kVersionDirectedEoi = 1u << 24;
constexpr u32 kSpuriousEnable = 1u << 8, kSpuriousDirectedEoi = 1u << 12;
constexpr u32 kLvtMasked = 1u << 16;
constexpr u32 kIcrBusy = 1u << 12, kIcrLogical = 1u << 11, kIcrAssert = 1u << 14, kIcrLevel = 1u << 15;
constexpr u64 kX2apicIcrReserved = 0xfff32000;
constexpr u32 kX2apicMsrBase = 0x800;
constexpr u32 kVectorWords = 8;

constexpr std::array<u32, 6> kLvts = {kApicLvtTimer, kApicLvtThermal, kApicLvtPerformance,
                                      kApicLvt0,     kApicLvt1,       kApicLvtError};

// Bits of an LVT entry that can be written (the timer's mode bits are added where they are known).
constexpr u32 lvt_mask(u32 offset) {
  constexpr u32 kCommon = kLvtMasked | 1u << 12 | 0xff;
  constexpr u32 kMode = 7u << 8;
  switch (offset) {
    case kApicLvtThermal:
    case kApicLvtPerformance:
      return kCommon | kMode;
    case kApicLvt0:
    case kApicLvt1:
      return kCommon | kMode | 1u << 13 | 1u << 14 | 1u << 15;
    default:
      return kCommon;
  }
}

constexpr u32 x2apic_ldr(u32 id) { return (id >> 4) << 16 | 1u << (id & 0xf); }

}  // namespace

Lapic::Lapic(u32 id, bool is_bsp, World& world, Clock& clock) : id_(id), is_bsp_(is_bsp), world_(world), clock_(clock) {
  reset(false);
}

// SDM 11.4.7. The BSP's LINT0 comes up as ExtINT: KVM_X86_QUIRK_LINT0_REENABLED.
void Lapic::reset(bool is_init) {
  stop_timer();
  tsc_deadline_ = 0;
  period_ns_ = 0;
  if (!is_init) {
    for (std::atomic<u32>& word : regs_) word.store(0, std::memory_order_relaxed);
    base_ = kDefaultBase | kBaseEnable | (is_bsp_ ? kBaseBsp : 0);
    set_reg(kApicId, id_ << 24);
    signals_.store(0, std::memory_order_release);
  }
  update_version();
  for (const u32 lvt : kLvts) set_reg(lvt, kLvtMasked);
  last_timer_mode_ = 0;
  if (is_bsp_) set_reg(kApicLvt0, static_cast<u32>(DeliveryMode::ext_int) << 8);
  set_reg(kApicDfr, 0xffffffff);
  set_reg(kApicSpurious, 0xff);
  for (const u32 offset : {kApicTpr, kApicEsr, kApicIcr, kApicIcr2, kApicTimerDivide, kApicTimerInitial})
    set_reg(offset, 0);
  if (!is_x2apic()) set_reg(kApicLdr, 0);
  for (u32 word = 0; word < kVectorWords; ++word) {
    for (const u32 vectors : {kApicIrr, kApicIsr, kApicTmr}) set_reg(vectors + word * 0x10, 0);
  }
  arbitration_.store(0, std::memory_order_relaxed);
  update_ppr();
}

void Lapic::update_version() { set_reg(kApicVersion, kVersion | (has_directed_eoi_ ? kVersionDirectedEoi : 0)); }

void Lapic::set_has_directed_eoi(bool offered) {
  has_directed_eoi_ = offered;
  update_version();
}

void Lapic::set_base(u64 value) {
  const u64 changed = base_ ^ value;
  base_ = value;
  if ((changed & kBaseEnable) && (value & kBaseEnable)) set_reg(kApicId, id_ << 24);
  if (changed & kBaseX2apic) {
    if (value & kBaseX2apic) {
      set_reg(kApicId, id_);
      set_reg(kApicLdr, x2apic_ldr(id_));
    } else if (value & kBaseEnable) {
      set_reg(kApicId, id_ << 24);
    }
  }
}

// --- Vectors: 256 bits in eight words, 16 bytes apart.

int Lapic::highest(u32 base_offset) const {
  for (u32 word = kVectorWords; word-- > 0;) {
    const u32 bits = regs_[(base_offset + word * 0x10) / 4].load(std::memory_order_acquire);
    if (bits != 0) return static_cast<int>(word * 32 + 31 - static_cast<u32>(std::countl_zero(bits)));
  }
  return -1;
}

void Lapic::set_vector(u32 base_offset, u8 vector, bool on) {
  std::atomic<u32>& word = regs_[(base_offset + vector / 32u * 0x10) / 4];
  const u32 mask = 1u << (vector & 31);
  if (on) {
    word.fetch_or(mask, std::memory_order_acq_rel);
  } else {
    word.fetch_and(~mask, std::memory_order_acq_rel);
  }
}

bool Lapic::vector_is_set(u32 base_offset, u8 vector) const {
  return regs_[(base_offset + vector / 32u * 0x10) / 4].load(std::memory_order_acquire) & (1u << (vector & 31));
}

void Lapic::update_ppr() {
  const u32 tpr = reg(kApicTpr);
  const int in_service = highest(kApicIsr);
  const u32 isr_class = in_service < 0 ? 0 : static_cast<u32>(in_service) & 0xf0;
  set_reg(kApicPpr, (tpr & 0xf0) >= isr_class ? tpr & 0xff : isr_class);
}

int Lapic::pending_vector() {
  if (!is_enabled()) return -1;
  const int vector = highest(kApicIrr);
  if (vector < 0) return -1;
  update_ppr();
  return (static_cast<u32>(vector) & 0xf0) > (reg(kApicPpr) & 0xf0) ? vector : -1;
}

void Lapic::acknowledge(u8 vector) {
  set_vector(kApicIrr, vector, false);
  set_vector(kApicIsr, vector, true);
  update_ppr();
}

void Lapic::set_tpr(u8 value) {
  set_reg(kApicTpr, value);
  update_ppr();
}

void Lapic::end_of_interrupt() {
  const int vector = highest(kApicIsr);
  if (vector < 0) return;
  set_vector(kApicIsr, static_cast<u8>(vector), false);
  update_ppr();
  world_.end_of_interrupt(static_cast<u8>(vector), vector_is_set(kApicTmr, static_cast<u8>(vector)), *this);
}

// --- Messages

bool Lapic::matches(const ApicMessage& message, const Lapic* source, bool broadcast_quirk) const {
  switch (message.shorthand) {
    case Shorthand::self:
      return source == this;
    case Shorthand::all:
      return true;
    case Shorthand::all_but_self:
      return source != this;
    case Shorthand::none:
      break;
  }
  constexpr u32 kXapicBroadcast = 0xff, kX2apicBroadcast = 0xffffffff;
  u32 destination = message.destination;
  if (source == nullptr && broadcast_quirk && destination == kXapicBroadcast && is_x2apic())
    destination = kX2apicBroadcast;
  if (destination == (is_x2apic() ? kX2apicBroadcast : kXapicBroadcast)) return true;
  if (!message.is_logical) {
    // An id that xAPIC can not spell reaches a CPU that has not switched yet.
    return destination == (is_x2apic() || destination > 0xff ? id_ : xapic_id());
  }
  if (is_x2apic()) {
    const u32 ldr = reg(kApicLdr);
    return ldr >> 16 == destination >> 16 && (ldr & destination & 0xffff) != 0;
  }
  const u32 logical_id = reg(kApicLdr) >> 24;
  switch (reg(kApicDfr)) {
    case 0xffffffff:  // flat
      return (logical_id & destination) != 0;
    case 0x0fffffff:  // cluster
      return logical_id >> 4 == destination >> 4 && (logical_id & destination & 0xf) != 0;
    default:
      return false;
  }
}

bool Lapic::accept(const ApicMessage& message) {
  const auto signal = [this](u32 which) {
    signals_.fetch_or(which, std::memory_order_acq_rel);
    return true;
  };
  switch (message.mode) {
    case DeliveryMode::lowest_priority:
      arbitration_.fetch_add(1, std::memory_order_relaxed);
      [[fallthrough]];
    case DeliveryMode::fixed:
      if (message.is_level_triggered && !message.is_asserted) return false;
      if (!is_enabled()) return false;
      set_vector(kApicTmr, message.vector, message.is_level_triggered);
      set_vector(kApicIrr, message.vector, true);
      return true;
    case DeliveryMode::remote_read:  // KVM's paravirtual kick: wakes a halted CPU
      return signal(kWake);
    case DeliveryMode::smi:
      return signal(kSmi);
    case DeliveryMode::nmi:
      return signal(kNmi);
    case DeliveryMode::init:
      if (message.is_level_triggered && !message.is_asserted) return false;
      signals_.fetch_and(~u32{kStartUp}, std::memory_order_acq_rel);
      return signal(kInit);
    case DeliveryMode::start_up:
      start_up_vector_.store(message.vector, std::memory_order_release);
      return signal(kStartUp);
    case DeliveryMode::ext_int:
      return false;
  }
  return false;
}

bool Lapic::deliver_local(u32 lvt_offset) {
  const u32 lvt = reg(lvt_offset);
  if (!is_enabled_by_base() || (lvt & kLvtMasked)) return false;
  const bool accepted = accept({.mode = static_cast<DeliveryMode>((lvt >> 8) & 7),
                                .vector = static_cast<u8>(lvt),
                                .is_level_triggered = (lvt & kIcrLevel) != 0});
  if (accepted && lvt_offset == kApicLvtPerformance) set_reg(lvt_offset, lvt | kLvtMasked);
  return accepted;
}

bool Lapic::accepts_pic() const {
  if (!is_enabled_by_base()) return true;
  const u32 lvt = reg(kApicLvt0);
  return !(lvt & kLvtMasked) && ((lvt >> 8) & 7) == static_cast<u32>(DeliveryMode::ext_int);
}

void Lapic::send(u32 icr_low, u32 destination) {
  world_.send_ipi({.destination = destination,
                   .is_logical = (icr_low & kIcrLogical) != 0,
                   .mode = static_cast<DeliveryMode>((icr_low >> 8) & 7),
                   .vector = static_cast<u8>(icr_low),
                   .is_level_triggered = (icr_low & kIcrLevel) != 0,
                   .is_asserted = (icr_low & kIcrAssert) != 0,
                   .shorthand = static_cast<Shorthand>((icr_low >> 18) & 3)},
                  *this);
}

// --- Registers

bool Lapic::is_readable(u32 offset) const {
  if (offset > 0x3f0) return false;
  switch (offset) {
    case kApicArbitration:
    case kApicDfr:
    case kApicIcr2:
      return !is_x2apic();
    case kApicId:
    case kApicVersion:
    case kApicTpr:
    case kApicPpr:
    case kApicLdr:
    case kApicSpurious:
    case kApicEsr:
    case kApicIcr:
    case kApicLvtTimer:
    case kApicLvtThermal:
    case kApicLvtPerformance:
    case kApicLvt0:
    case kApicLvt1:
    case kApicLvtError:
    case kApicTimerInitial:
    case kApicTimerCurrent:
    case kApicTimerDivide:
      return true;
    default:
      return offset >= kApicIsr && offset < kApicEsr;
  }
}

bool Lapic::read(u32 offset, u32& value) {
  offset &= ~0xfu;
  if (!is_readable(offset)) return false;
  switch (offset) {
    case kApicArbitration:
      value = 0;
      return true;
    case kApicPpr:
      update_ppr();
      break;
    case kApicTimerCurrent:
      value = is_tsc_deadline() ? 0 : current_count();
      return true;
    default:
      break;
  }
  value = reg(offset);
  return true;
}

bool Lapic::write(u32 offset, u32 value) {
  switch (offset) {
    case kApicId:
      if (is_x2apic()) return false;
      set_reg(kApicId, value & 0xff000000);
      return true;
    case kApicTpr:
      set_tpr(static_cast<u8>(value));
      return true;
    case kApicEoi:
      end_of_interrupt();
      return true;
    case kApicLdr:
      if (is_x2apic()) return false;
      set_reg(kApicLdr, value & 0xff000000);
      return true;
    case kApicDfr:
      if (is_x2apic()) return false;
      set_reg(kApicDfr, value | 0x0fffffff);
      return true;
    case kApicSpurious:
      write_spurious(value);
      return true;
    case kApicIcr:
      value &= ~kIcrBusy;
      send(value, reg(kApicIcr2) >> 24);
      set_reg(kApicIcr, value);
      return true;
    case kApicIcr2:
      if (is_x2apic()) return false;
      set_reg(kApicIcr2, value & 0xff000000);
      return true;
    case kApicTimerInitial:
      if (is_tsc_deadline()) return true;
      set_reg(kApicTimerInitial, value);
      start_timer();
      return true;
    case kApicTimerDivide: {
      const u32 count_left = current_count();
      const bool was_running = deadline_ns_ != kNever;
      set_reg(kApicTimerDivide, value & 0xb);
      if (was_running && !is_tsc_deadline()) start_timer(count_left);
      return true;
    }
    case kApicEsr:
      return !is_x2apic() || value == 0;
    case kApicSelfIpi:
      if (!is_x2apic() || (value & ~0xffu)) return false;
      send(static_cast<u32>(Shorthand::self) << 18 | value, 0);
      return true;
    default:
      return write_lvt(offset, value);
  }
}

void Lapic::write_spurious(u32 value) {
  const u32 writable = 0x3ff | (has_directed_eoi_ ? kSpuriousDirectedEoi : 0);
  set_reg(kApicSpurious, value & writable);
  if (value & kSpuriousEnable) return;
  for (const u32 lvt : kLvts) set_reg(lvt, reg(lvt) | kLvtMasked);
  timer_mode_changed();
}

bool Lapic::write_lvt(u32 offset, u32 value) {
  if (offset < kApicLvtTimer || offset > kApicLvtError || (offset & 0xf)) return false;
  if (!(reg(kApicSpurious) & kSpuriousEnable)) value |= kLvtMasked;
  u32 writable = lvt_mask(offset);
  if (offset == kApicLvtTimer) writable |= timer_mode_mask_;
  set_reg(offset, value & writable);
  if (offset == kApicLvtTimer) timer_mode_changed();
  return true;
}

// x2APIC: one 64-bit register, kept in the places of the two 32-bit ones.
bool Lapic::write_icr(u64 value) {
  if (value & kX2apicIcrReserved & ~u64{kIcrBusy}) return false;
  value &= ~u64{kIcrBusy};
  send(static_cast<u32>(value), static_cast<u32>(value >> 32));
  set_reg(kApicIcr, static_cast<u32>(value));
  set_reg(kApicIcr2, static_cast<u32>(value >> 32));
  return true;
}

bool Lapic::read_msr(u32 msr, u64& value) {
  if (!is_x2apic()) return false;
  const u32 offset = (msr - kX2apicMsrBase) << 4;
  if (offset == kApicIcr) {
    value = reg(kApicIcr) | u64{reg(kApicIcr2)} << 32;
    return true;
  }
  u32 low;
  if (!read(offset, low)) return false;
  value = low;
  return true;
}

bool Lapic::write_msr(u32 msr, u64 value) {
  if (!is_x2apic()) return false;
  const u32 offset = (msr - kX2apicMsrBase) << 4;
  if (offset == kApicIcr) return write_icr(value);
  if (value >> 32) return false;
  return write(offset, static_cast<u32>(value));
}

// --- Save and restore

std::array<u8, Lapic::kStateBytes> Lapic::state(bool wide_id) {
  std::array<u8, kStateBytes> bytes;
  for (u32 offset = 0; offset < kStateBytes; offset += 4) {
    const u32 value = reg(offset);
    std::memcpy(&bytes[offset], &value, sizeof value);
  }
  const u32 count = is_tsc_deadline() ? 0 : current_count();
  std::memcpy(&bytes[kApicTimerCurrent], &count, sizeof count);
  if (is_x2apic()) {
    const u32 id = wide_id ? id_ : id_ << 24;
    std::memcpy(&bytes[kApicId], &id, sizeof id);
  }
  return bytes;
}

bool Lapic::set_state(const std::array<u8, kStateBytes>& bytes, bool wide_id) {
  const auto word = [&bytes](u32 offset) {
    u32 value;
    std::memcpy(&value, &bytes[offset], sizeof value);
    return value;
  };
  set_reg(kApicSpurious, word(kApicSpurious));  // applied even when the id is refused
  if (is_x2apic() && wide_id && word(kApicId) != id_) return false;
  for (u32 offset = 0; offset < kStateBytes; offset += 4) set_reg(offset, word(offset));
  if (is_x2apic()) {
    set_reg(kApicId, id_);
    set_reg(kApicLdr, x2apic_ldr(id_));
  }
  update_version();
  update_ppr();
  stop_timer();
  timer_mode_changed();
  const u32 remaining = word(kApicTimerCurrent);
  if (is_tsc_deadline()) {
    start_tsc_deadline();
  } else {
    start_timer(remaining);
  }
  set_reg(kApicTimerCurrent, 0);
  arbitration_.store(0, std::memory_order_relaxed);
  return true;
}

}  // namespace mock::devices
