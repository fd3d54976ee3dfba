// MOV DRn. SDM vol. 3 17.2, APM vol. 2 13.1.1.
#include "mock/cpu/control.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kDr6Bd = 1u << 13;
constexpr u64 kDr7Gd = 1u << 13;

// The checks that reads and writes share; `number` loses its alias (DR4, DR5).
bool check(Core& core, u8& number) {
  if (number > 7) return core.raise(UD);
  if (core.s.cpl) return core.raise(GP, 0);
  if (number == 4 || number == 5) {
    if (core.s.cr4 & CR4_DE) return core.raise(UD);
    number += 2;
  }
  if (core.s.dr7 & kDr7Gd) {
    core.raise(DB);
    core.fault.event.has_payload = true;
    core.fault.event.payload = kDr6Bd;
    return false;
  }
  return true;
}

}  // namespace

u64 fixed_dr6(u64 value) { return (value & 0xe00f) | 0xffff0ff0; }

u64 fixed_dr7(u64 value) { return (value & 0xffff2bff) | 0x400; }

bool mov_to_dr(Core& core, const Op& op) {
  u8 number = op.slot[0];
  if (!check(core, number)) return false;
  const u64 value = core.register_value(op.slot[1], core.is_64bit() ? 8 : 4);
  if (number < 4) {
    core.s.dr[number] = value;
  } else {
    if (value >> 32) return core.raise(GP, 0);
    (number == 6 ? core.s.dr6 : core.s.dr7) = number == 6 ? fixed_dr6(value) : fixed_dr7(value);
  }
  core.mode_changed();
  return true;
}

bool mov_from_dr(Core& core, const Op& op) {
  u8 number = op.slot[1];
  if (!check(core, number)) return false;
  const u64 value = number < 4 ? core.s.dr[number] : number == 6 ? core.s.dr6 : core.s.dr7;
  core.set_register(op.slot[0], core.is_64bit() ? 8 : 4, value);
  return true;
}

}  // namespace mock::cpu
