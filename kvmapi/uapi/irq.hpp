// KVM ABI at kernel 7.3, x86-64. Interrupt controllers, timers, routing and eventfds. Sizes and offsets:
// kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_ioapic_state {
  u64 base_address;
  u32 ioregsel;
  u32 id;
  u32 irr;
  u32 pad;
  std::array<u64, 24> redirtbl;
};
static_assert(sizeof(kvm_ioapic_state) == 216 && alignof(kvm_ioapic_state) == 8);

struct kvm_ioeventfd {
  u64 datamatch;
  u64 addr;
  u32 len;
  s32 fd;
  u32 flags;
  std::array<u8, 36> pad;
};
static_assert(sizeof(kvm_ioeventfd) == 64 && alignof(kvm_ioeventfd) == 8);

struct kvm_irq_level {
  u32 irq;
  u32 level;
};
static_assert(sizeof(kvm_irq_level) == 8 && alignof(kvm_irq_level) == 4);

struct kvm_irq_routing_entry {
  u32 gsi;
  u32 type;
  u32 flags;
  u32 pad;
  Overlay<32> u;
};
static_assert(sizeof(kvm_irq_routing_entry) == 48 && alignof(kvm_irq_routing_entry) == 8);

struct alignas(8) kvm_irq_routing {
  u32 nr;
  u32 flags;
  // followed by kvm_irq_routing_entry entries[]
};
static_assert(sizeof(kvm_irq_routing) == 8 && alignof(kvm_irq_routing) == 8);

struct kvm_irq_routing_hv_sint {
  u32 vcpu;
  u32 sint;
};
static_assert(sizeof(kvm_irq_routing_hv_sint) == 8 && alignof(kvm_irq_routing_hv_sint) == 4);

struct kvm_irq_routing_irqchip {
  u32 irqchip;
  u32 pin;
};
static_assert(sizeof(kvm_irq_routing_irqchip) == 8 && alignof(kvm_irq_routing_irqchip) == 4);

struct kvm_irq_routing_msi {
  u32 address_lo;
  u32 address_hi;
  u32 data;
  u32 devid;
};
static_assert(sizeof(kvm_irq_routing_msi) == 16 && alignof(kvm_irq_routing_msi) == 4);

struct kvm_irq_routing_s390_adapter {
  u64 ind_addr;
  u64 summary_addr;
  u64 ind_offset;
  u32 summary_offset;
  u32 adapter_id;
};
static_assert(sizeof(kvm_irq_routing_s390_adapter) == 32 && alignof(kvm_irq_routing_s390_adapter) == 8);

struct kvm_irq_routing_xen_evtchn {
  u32 port;
  u32 vcpu;
  u32 priority;
};
static_assert(sizeof(kvm_irq_routing_xen_evtchn) == 12 && alignof(kvm_irq_routing_xen_evtchn) == 4);

struct kvm_irqchip {
  u32 chip_id;
  u32 pad;
  Overlay<512> chip;
};
static_assert(sizeof(kvm_irqchip) == 520 && alignof(kvm_irqchip) == 8);

struct kvm_irqfd {
  u32 fd;
  u32 gsi;
  u32 flags;
  u32 resamplefd;
  std::array<u8, 16> pad;
};
static_assert(sizeof(kvm_irqfd) == 32 && alignof(kvm_irqfd) == 4);

struct kvm_lapic_state {
  std::array<u8, 1024> regs;
};
static_assert(sizeof(kvm_lapic_state) == 1024 && alignof(kvm_lapic_state) == 1);

struct kvm_msi {
  u32 address_lo;
  u32 address_hi;
  u32 data;
  u32 flags;
  u32 devid;
  std::array<u8, 12> pad;
};
static_assert(sizeof(kvm_msi) == 32 && alignof(kvm_msi) == 4);

struct kvm_pic_state {
  u8 last_irr;
  u8 irr;
  u8 imr;
  u8 isr;
  u8 priority_add;
  u8 irq_base;
  u8 read_reg_select;
  u8 poll;
  u8 special_mask;
  u8 init_state;
  u8 auto_eoi;
  u8 rotate_on_auto_eoi;
  u8 special_fully_nested_mode;
  u8 init4;
  u8 elcr;
  u8 elcr_mask;
};
static_assert(sizeof(kvm_pic_state) == 16 && alignof(kvm_pic_state) == 1);

struct kvm_pit_channel_state {
  u32 count;
  u16 latched_count;
  u8 count_latched;
  u8 status_latched;
  u8 status;
  u8 read_state;
  u8 write_state;
  u8 write_latch;
  u8 rw_mode;
  u8 mode;
  u8 bcd;
  u8 gate;
  s64 count_load_time;
};
static_assert(sizeof(kvm_pit_channel_state) == 24 && alignof(kvm_pit_channel_state) == 8);

struct kvm_pit_config {
  u32 flags;
  std::array<u32, 15> pad;
};
static_assert(sizeof(kvm_pit_config) == 64 && alignof(kvm_pit_config) == 4);

struct kvm_pit_state {
  std::array<kvm_pit_channel_state, 3> channels;
};
static_assert(sizeof(kvm_pit_state) == 72 && alignof(kvm_pit_state) == 8);

struct kvm_pit_state2 {
  std::array<kvm_pit_channel_state, 3> channels;
  u32 flags;
  std::array<u32, 9> reserved;
};
static_assert(sizeof(kvm_pit_state2) == 112 && alignof(kvm_pit_state2) == 8);

struct kvm_reinject_control {
  u8 pit_reinject;
  std::array<u8, 31> reserved;
};
static_assert(sizeof(kvm_reinject_control) == 32 && alignof(kvm_reinject_control) == 1);

}  // namespace kvmapi
