// KVM ABI at kernel 7.3: struct kvm_run, the page shared between KVM_RUN and its caller, and the payload of every exit
// reason of every architecture. The kernel's anonymous union is `exit`; a payload is read with
// run.exit.as<kvm_exit_io>(). api.rst section 5. Offsets: kvmapi/layout.def (payload offsets there count from the start
// of kvm_run).
#pragma once

#include "kvmapi/types.hpp"
#include "kvmapi/uapi/hyperv.hpp"
#include "kvmapi/uapi/vcpu.hpp"
#include "kvmapi/uapi/xen.hpp"

namespace kvmapi {

struct kvm_exit_hw {
  u64 hardware_exit_reason;
};

struct kvm_exit_fail_entry {
  u64 hardware_entry_failure_reason;
  u32 cpu;
};

struct kvm_exit_ex {
  u32 exception;
  u32 error_code;
};

struct kvm_exit_io {
  u8 direction;
  u8 size;
  u16 port;
  u32 count;
  u64 data_offset;
};

struct kvm_exit_debug {
  kvm_debug_exit_arch arch;
};

struct kvm_exit_mmio {
  u64 phys_addr;
  std::array<u8, 8> data;
  u32 len;
  u8 is_write;
};

struct kvm_exit_iocsr_io {
  u64 phys_addr;
  std::array<u8, 8> data;
  u32 len;
  u8 is_write;
};

struct kvm_exit_hypercall {
  u64 nr;
  std::array<u64, 6> args;
  u64 ret;
  u64 flags;  // its low half is the older field longmode
};

struct kvm_exit_tpr_access {
  u64 rip;
  u32 is_write;
  u32 pad;
};

struct kvm_exit_s390_sieic {
  u8 icptcode;
  u16 ipa;
  u32 ipb;
};

struct kvm_exit_s390_reset {
  u64 s390_reset_flags;
};

struct kvm_exit_s390_ucontrol {
  u64 trans_exc_code;
  u32 pgm_code;
};

struct kvm_exit_dcr {
  u32 dcrn;
  u32 data;
  u8 is_write;
};

struct kvm_exit_internal {
  u32 suberror;
  u32 ndata;
  std::array<u64, 16> data;
};

struct kvm_exit_emulation_failure {
  u32 suberror;
  u32 ndata;
  u64 flags;
  u8 insn_size;
  std::array<u8, 15> insn_bytes;
};

struct kvm_exit_osi {
  std::array<u64, 32> gprs;
};

struct kvm_exit_papr_hcall {
  u64 nr;
  u64 ret;
  std::array<u64, 9> args;
};

struct kvm_exit_s390_tsch {
  u16 subchannel_id;
  u16 subchannel_nr;
  u32 io_int_parm;
  u32 io_int_word;
  u32 ipb;
  u8 dequeued;
};

struct kvm_exit_epr {
  u32 epr;
};

struct kvm_exit_system_event {
  u32 type;
  u32 ndata;
  std::array<u64, 16> data;  // data[0] is the older field flags
};

struct kvm_exit_s390_stsi {
  u64 addr;
  u8 ar;
  u8 reserved;
  u8 fc;
  u8 sel1;
  u16 sel2;
};

struct kvm_exit_eoi {
  u8 vector;
};

struct kvm_exit_arm_nisv {
  u64 esr_iss;
  u64 fault_ipa;
};

struct kvm_exit_msr {
  u8 error;
  std::array<u8, 7> pad;
  u32 reason;
  u32 index;
  u64 data;
};

struct kvm_exit_riscv_sbi {
  u64 extension_id;
  u64 function_id;
  std::array<u64, 6> args;
  std::array<u64, 2> ret;
};

struct kvm_exit_riscv_csr {
  u64 csr_num;
  u64 new_value;
  u64 write_mask;
  u64 ret_value;
};

struct kvm_exit_notify {
  u32 flags;
};

struct kvm_exit_memory_fault {
  u64 flags;
  u64 gpa;
  u64 size;
};

struct kvm_exit_tdx_unknown {
  u64 ret;
  std::array<u64, 5> data;
};

struct kvm_exit_tdx_get_quote {
  u64 ret;
  u64 gpa;
  u64 size;
};

struct kvm_exit_tdx_get_tdvmcall_info {
  u64 ret;
  u64 leaf;
  u64 r11;
  u64 r12;
  u64 r13;
  u64 r14;
};

struct kvm_exit_tdx_setup_event_notify {
  u64 ret;
  u64 vector;
};

struct kvm_exit_tdx {
  u64 flags;
  u64 nr;
  Overlay<48> u;  // kvm_exit_tdx_unknown, _get_quote, _get_tdvmcall_info, _setup_event_notify
};

struct kvm_exit_arm_sea {
  u64 flags;
  u64 esr;
  u64 gva;
  u64 gpa;
};

struct kvm_exit_snp_req_certs {
  u64 gpa;
  u64 npages;
  u64 ret;
};

struct kvm_run {
  u8 request_interrupt_window;  // in
  u8 immediate_exit;            // in
  std::array<u8, 6> padding1;
  u32 exit_reason;                   // out
  u8 ready_for_interrupt_injection;  // out
  u8 if_flag;                        // out
  u16 flags;                         // out
  u64 cr8;                           // in and out
  u64 apic_base;                     // in and out
  Overlay<256> exit;                 // out, some payloads in on the next run
  u64 kvm_valid_regs;                // in: which parts of s to store on exit
  u64 kvm_dirty_regs;                // in: which parts of s to load on entry
  Overlay<2048> s;                   // kvm_sync_regs
};
static_assert(sizeof(kvm_run) == 2352 && alignof(kvm_run) == 8);
static_assert(offsetof(kvm_run, exit) == 32 && offsetof(kvm_run, kvm_valid_regs) == 288 && offsetof(kvm_run, s) == 304);

}  // namespace kvmapi
