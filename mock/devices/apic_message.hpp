// What travels between I/O APIC, MSI sources and local APICs. SDM vol. 3 11.6, 11.11; Intel 82093AA data sheet.
#pragma once

#include "kvmapi/types.hpp"

namespace mock::devices {

using namespace kvmapi;  // u8 ... s64

enum class DeliveryMode : u8 {
  fixed = 0,
  lowest_priority = 1,
  smi = 2,
  remote_read = 3,
  nmi = 4,
  init = 5,
  start_up = 6,
  ext_int = 7
};
enum class Shorthand : u8 { none = 0, self = 1, all = 2, all_but_self = 3 };

struct ApicMessage {
  u32 destination = 0;
  bool is_logical = false;
  DeliveryMode mode = DeliveryMode::fixed;
  u8 vector = 0;
  bool is_level_triggered = false;
  bool is_asserted = true;
  Shorthand shorthand = Shorthand::none;
  bool redirection_hint = false;  // MSI: deliver to the one with the lowest priority
};

// A message-signalled interrupt as written to 0xfeexxxxx. `extended_id`: bits 8-31 of the destination from address_hi
// (KVM_CAP_X2APIC_API).
constexpr ApicMessage msi_message(u32 address_lo, u32 address_hi, u32 data, bool extended_id) {
  ApicMessage message;
  message.destination = (address_lo >> 12) & 0xff;
  if (extended_id) message.destination |= address_hi & 0xffffff00;
  message.is_logical = address_lo & 0x4;
  message.redirection_hint = address_lo & 0x8;
  message.vector = static_cast<u8>(data);
  message.mode = static_cast<DeliveryMode>((data >> 8) & 7);
  message.is_asserted = true;
  message.is_level_triggered = data & 0x8000;
  return message;
}
static_assert(msi_message(0xfee01000, 0, 0x4041, false).vector == 0x41);
static_assert(msi_message(0xfee01000, 0, 0x4041, false).destination == 1);

}  // namespace mock::devices
