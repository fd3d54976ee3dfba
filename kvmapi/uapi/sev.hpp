// KVM ABI at kernel 7.3, x86-64. AMD SEV commands passed to KVM_MEMORY_ENCRYPT_OP. Sizes and offsets:
// kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_enc_region {
  u64 addr;
  u64 size;
};
static_assert(sizeof(kvm_enc_region) == 16 && alignof(kvm_enc_region) == 8);

struct kvm_sev_attestation_report {
  std::array<u8, 16> mnonce;
  u64 uaddr;
  u32 len;
  u32 pad0;
};
static_assert(sizeof(kvm_sev_attestation_report) == 32 && alignof(kvm_sev_attestation_report) == 8);

struct kvm_sev_cmd {
  u32 id;
  u32 pad0;
  u64 data;
  u32 error;
  u32 sev_fd;
};
static_assert(sizeof(kvm_sev_cmd) == 24 && alignof(kvm_sev_cmd) == 8);

struct kvm_sev_dbg {
  u64 src_uaddr;
  u64 dst_uaddr;
  u32 len;
  u32 pad0;
};
static_assert(sizeof(kvm_sev_dbg) == 24 && alignof(kvm_sev_dbg) == 8);

struct kvm_sev_guest_status {
  u32 handle;
  u32 policy;
  u32 state;
};
static_assert(sizeof(kvm_sev_guest_status) == 12 && alignof(kvm_sev_guest_status) == 4);

struct kvm_sev_init {
  u64 vmsa_features;
  u32 flags;
  u16 ghcb_version;
  u16 pad1;
  std::array<u32, 8> pad2;
};
static_assert(sizeof(kvm_sev_init) == 48 && alignof(kvm_sev_init) == 8);

struct kvm_sev_launch_measure {
  u64 uaddr;
  u32 len;
  u32 pad0;
};
static_assert(sizeof(kvm_sev_launch_measure) == 16 && alignof(kvm_sev_launch_measure) == 8);

struct kvm_sev_launch_secret {
  u64 hdr_uaddr;
  u32 hdr_len;
  u32 pad0;
  u64 guest_uaddr;
  u32 guest_len;
  u32 pad1;
  u64 trans_uaddr;
  u32 trans_len;
  u32 pad2;
};
static_assert(sizeof(kvm_sev_launch_secret) == 48 && alignof(kvm_sev_launch_secret) == 8);

struct kvm_sev_launch_start {
  u32 handle;
  u32 policy;
  u64 dh_uaddr;
  u32 dh_len;
  u32 pad0;
  u64 session_uaddr;
  u32 session_len;
  u32 pad1;
};
static_assert(sizeof(kvm_sev_launch_start) == 40 && alignof(kvm_sev_launch_start) == 8);

struct kvm_sev_launch_update_data {
  u64 uaddr;
  u32 len;
  u32 pad0;
};
static_assert(sizeof(kvm_sev_launch_update_data) == 16 && alignof(kvm_sev_launch_update_data) == 8);

struct kvm_sev_receive_start {
  u32 handle;
  u32 policy;
  u64 pdh_uaddr;
  u32 pdh_len;
  u32 pad0;
  u64 session_uaddr;
  u32 session_len;
  u32 pad1;
};
static_assert(sizeof(kvm_sev_receive_start) == 40 && alignof(kvm_sev_receive_start) == 8);

struct kvm_sev_receive_update_data {
  u64 hdr_uaddr;
  u32 hdr_len;
  u32 pad0;
  u64 guest_uaddr;
  u32 guest_len;
  u32 pad1;
  u64 trans_uaddr;
  u32 trans_len;
  u32 pad2;
};
static_assert(sizeof(kvm_sev_receive_update_data) == 48 && alignof(kvm_sev_receive_update_data) == 8);

struct kvm_sev_send_start {
  u32 policy;
  u32 pad0;
  u64 pdh_cert_uaddr;
  u32 pdh_cert_len;
  u32 pad1;
  u64 plat_certs_uaddr;
  u32 plat_certs_len;
  u32 pad2;
  u64 amd_certs_uaddr;
  u32 amd_certs_len;
  u32 pad3;
  u64 session_uaddr;
  u32 session_len;
  u32 pad4;
};
static_assert(sizeof(kvm_sev_send_start) == 72 && alignof(kvm_sev_send_start) == 8);

struct kvm_sev_send_update_data {
  u64 hdr_uaddr;
  u32 hdr_len;
  u32 pad0;
  u64 guest_uaddr;
  u32 guest_len;
  u32 pad1;
  u64 trans_uaddr;
  u32 trans_len;
  u32 pad2;
};
static_assert(sizeof(kvm_sev_send_update_data) == 48 && alignof(kvm_sev_send_update_data) == 8);

struct kvm_sev_snp_launch_finish {
  u64 id_block_uaddr;
  u64 id_auth_uaddr;
  u8 id_block_en;
  u8 auth_key_en;
  u8 vcek_disabled;
  std::array<u8, 32> host_data;
  std::array<u8, 3> pad0;
  u16 flags;
  std::array<u64, 4> pad1;
};
static_assert(sizeof(kvm_sev_snp_launch_finish) == 88 && alignof(kvm_sev_snp_launch_finish) == 8);

struct kvm_sev_snp_launch_start {
  u64 policy;
  std::array<u8, 16> gosvw;
  u16 flags;
  std::array<u8, 6> pad0;
  std::array<u64, 4> pad1;
};
static_assert(sizeof(kvm_sev_snp_launch_start) == 64 && alignof(kvm_sev_snp_launch_start) == 8);

struct kvm_sev_snp_launch_update {
  u64 gfn_start;
  u64 uaddr;
  u64 len;
  u8 type;
  u8 pad0;
  u16 flags;
  u32 pad1;
  std::array<u64, 4> pad2;
};
static_assert(sizeof(kvm_sev_snp_launch_update) == 64 && alignof(kvm_sev_snp_launch_update) == 8);

}  // namespace kvmapi
