// KVM ABI at kernel 7.3, x86-64. Registers and other per-vcpu state. Sizes and offsets: kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_debug_exit_arch {
  u32 exception;
  u32 pad;
  u64 pc;
  u64 dr6;
  u64 dr7;
};
static_assert(sizeof(kvm_debug_exit_arch) == 32 && alignof(kvm_debug_exit_arch) == 8);

struct kvm_debugregs {
  std::array<u64, 4> db;
  u64 dr6;
  u64 dr7;
  u64 flags;
  std::array<u64, 9> reserved;
};
static_assert(sizeof(kvm_debugregs) == 128 && alignof(kvm_debugregs) == 8);

struct kvm_dtable {
  u64 base;
  u16 limit;
  std::array<u16, 3> padding;
};
static_assert(sizeof(kvm_dtable) == 16 && alignof(kvm_dtable) == 8);

struct kvm_fpu {
  std::array<std::array<u8, 16>, 8> fpr;
  u16 fcw;
  u16 fsw;
  u8 ftwx;
  u8 pad1;
  u16 last_opcode;
  u64 last_ip;
  u64 last_dp;
  std::array<std::array<u8, 16>, 16> xmm;
  u32 mxcsr;
  u32 pad2;
};
static_assert(sizeof(kvm_fpu) == 416 && alignof(kvm_fpu) == 8);

struct kvm_guest_debug_arch {
  std::array<u64, 8> debugreg;
};
static_assert(sizeof(kvm_guest_debug_arch) == 64 && alignof(kvm_guest_debug_arch) == 8);

struct kvm_guest_debug {
  u32 control;
  u32 pad;
  kvm_guest_debug_arch arch;
};
static_assert(sizeof(kvm_guest_debug) == 72 && alignof(kvm_guest_debug) == 8);

struct kvm_interrupt {
  u32 irq;
};
static_assert(sizeof(kvm_interrupt) == 4 && alignof(kvm_interrupt) == 4);

struct kvm_mp_state {
  u32 mp_state;
};
static_assert(sizeof(kvm_mp_state) == 4 && alignof(kvm_mp_state) == 4);

struct kvm_regs {
  u64 rax;
  u64 rbx;
  u64 rcx;
  u64 rdx;
  u64 rsi;
  u64 rdi;
  u64 rsp;
  u64 rbp;
  u64 r8;
  u64 r9;
  u64 r10;
  u64 r11;
  u64 r12;
  u64 r13;
  u64 r14;
  u64 r15;
  u64 rip;
  u64 rflags;
};
static_assert(sizeof(kvm_regs) == 144 && alignof(kvm_regs) == 8);

struct kvm_segment {
  u64 base;
  u32 limit;
  u16 selector;
  u8 type;
  u8 present;
  u8 dpl;
  u8 db;
  u8 s;
  u8 l;
  u8 g;
  u8 avl;
  u8 unusable;
  u8 padding;
};
static_assert(sizeof(kvm_segment) == 24 && alignof(kvm_segment) == 8);

struct kvm_sregs {
  kvm_segment cs;
  kvm_segment ds;
  kvm_segment es;
  kvm_segment fs;
  kvm_segment gs;
  kvm_segment ss;
  kvm_segment tr;
  kvm_segment ldt;
  kvm_dtable gdt;
  kvm_dtable idt;
  u64 cr0;
  u64 cr2;
  u64 cr3;
  u64 cr4;
  u64 cr8;
  u64 efer;
  u64 apic_base;
  std::array<u64, 4> interrupt_bitmap;
};
static_assert(sizeof(kvm_sregs) == 312 && alignof(kvm_sregs) == 8);

struct kvm_sregs2 {
  kvm_segment cs;
  kvm_segment ds;
  kvm_segment es;
  kvm_segment fs;
  kvm_segment gs;
  kvm_segment ss;
  kvm_segment tr;
  kvm_segment ldt;
  kvm_dtable gdt;
  kvm_dtable idt;
  u64 cr0;
  u64 cr2;
  u64 cr3;
  u64 cr4;
  u64 cr8;
  u64 efer;
  u64 apic_base;
  u64 flags;
  std::array<u64, 4> pdptrs;
};
static_assert(sizeof(kvm_sregs2) == 320 && alignof(kvm_sregs2) == 8);

struct kvm_vcpu_events_exception {
  u8 injected;
  u8 nr;
  u8 has_error_code;
  u8 pending;
  u32 error_code;
};

struct kvm_vcpu_events_interrupt {
  u8 injected;
  u8 nr;
  u8 soft;
  u8 shadow;
};

struct kvm_vcpu_events_nmi {
  u8 injected;
  u8 pending;
  u8 masked;
  u8 pad;
};

struct kvm_vcpu_events_smi {
  u8 smm;
  u8 pending;
  u8 smm_inside_nmi;
  u8 latched_init;
};

struct kvm_vcpu_events_triple_fault {
  u8 pending;
};

struct kvm_vcpu_events {
  kvm_vcpu_events_exception exception;
  kvm_vcpu_events_interrupt interrupt;
  kvm_vcpu_events_nmi nmi;
  u32 sipi_vector;
  u32 flags;
  kvm_vcpu_events_smi smi;
  kvm_vcpu_events_triple_fault triple_fault;
  std::array<u8, 26> reserved;
  u8 exception_has_payload;
  u64 exception_payload;
};
static_assert(sizeof(kvm_vcpu_events) == 64 && alignof(kvm_vcpu_events) == 8);

struct kvm_sync_regs {
  kvm_regs regs;
  kvm_sregs sregs;
  kvm_vcpu_events events;
};
static_assert(sizeof(kvm_sync_regs) == 520 && alignof(kvm_sync_regs) == 8);

struct kvm_vapic_addr {
  u64 vapic_addr;
};
static_assert(sizeof(kvm_vapic_addr) == 8 && alignof(kvm_vapic_addr) == 8);

struct kvm_tpr_access_ctl {
  u32 enabled;
  u32 flags;
  std::array<u32, 8> reserved;
};
static_assert(sizeof(kvm_tpr_access_ctl) == 40 && alignof(kvm_tpr_access_ctl) == 4);

struct kvm_translation {
  u64 linear_address;
  u64 physical_address;
  u8 valid;
  u8 writeable;
  u8 usermode;
  std::array<u8, 5> pad;
};
static_assert(sizeof(kvm_translation) == 24 && alignof(kvm_translation) == 8);

struct kvm_x86_mce {
  u64 status;
  u64 addr;
  u64 misc;
  u64 mcg_status;
  u8 bank;
  std::array<u8, 7> pad1;
  std::array<u64, 3> pad2;
};
static_assert(sizeof(kvm_x86_mce) == 64 && alignof(kvm_x86_mce) == 8);

struct kvm_xcr {
  u32 xcr;
  u32 reserved;
  u64 value;
};
static_assert(sizeof(kvm_xcr) == 16 && alignof(kvm_xcr) == 8);

struct kvm_xcrs {
  u32 nr_xcrs;
  u32 flags;
  std::array<kvm_xcr, 16> xcrs;
  std::array<u64, 16> padding;
};
static_assert(sizeof(kvm_xcrs) == 392 && alignof(kvm_xcrs) == 8);

struct kvm_xsave {
  std::array<u32, 1024> region;
  // followed by __u32 extra[]
};
static_assert(sizeof(kvm_xsave) == 4096 && alignof(kvm_xsave) == 4);

}  // namespace kvmapi
