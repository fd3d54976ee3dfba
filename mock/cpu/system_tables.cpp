// LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR. SDM vol. 2 (their pages), vol. 3 2.4; APM vol. 3.
#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {
namespace {

bool is_umip_protected(const Core& core) { return core.s.cpl && (core.s.cr4 & CR4_UMIP); }

bool load_table(Core& core, const Op& op, DescriptorTable& table) {
  if (core.s.cpl) return core.raise(GP, 0);
  const unsigned base_bytes = core.is_64bit() ? 8 : 4;
  u64 linear, base = 0;
  u16 limit;
  if (!core.linear(op.segment(), core.effective_address(op), 2 + base_bytes, Access::read, linear)) return false;
  if (!core.read_linear(linear, &limit, 2) || !core.read_linear(linear + 2, &base, base_bytes)) return false;
  if (base_bytes == 8 && !page_walk::is_canonical(base, core.s.cr4 & CR4_LA57)) return core.raise(GP, 0);
  if (base_bytes == 4 && op.size_bytes() == 2) base &= 0xffffff;
  table = {.base = base, .limit = limit};
  return true;
}

// The whole base is stored whatever the operand size (APM vol. 3 SGDT).
bool store_table(Core& core, const Op& op, const DescriptorTable& table) {
  if (is_umip_protected(core)) return core.raise(GP, 0);
  const unsigned base_bytes = core.is_64bit() ? 8 : 4;
  u64 linear;
  if (!core.linear(op.segment(), core.effective_address(op), 2 + base_bytes, Access::write, linear)) return false;
  std::array<u8, 10> bytes;
  std::memcpy(bytes.data(), &table.limit, 2);
  std::memcpy(bytes.data() + 2, &table.base, 8);
  return core.write_linear(linear, bytes.data(), 2 + base_bytes);
}

bool is_protected_only(Core& core) { return core.is_real() || core.is_v86() ? core.raise(UD) : true; }

// The descriptor that LLDT and LTR name; `types`: allowed types as a bit set.
bool read_system_segment(Core& core, Selector selector, u32 types, Descriptor& d) {
  const u32 error = selector.error_code();
  if (selector.is_local()) return core.raise(GP, error);
  const bool read =
      core.is_long() ? read_long_descriptor(core, selector, GP, d) : read_descriptor(core, selector, GP, d);
  if (!read) return false;
  if (d.is_code_or_data() || !(types >> d.type() & 1)) return core.raise(GP, error);
  if (!d.present()) return core.raise(NP, error);
  if (!page_walk::is_canonical(d.base(), core.s.cr4 & CR4_LA57)) return core.raise(GP, error);
  return true;
}

bool store_table_selector(Core& core, const Op& op, u16 selector) {
  if (!is_protected_only(core)) return false;
  if (is_umip_protected(core)) return core.raise(GP, 0);
  return store_selector(core, op, selector, true);
}

}  // namespace

bool lgdt(Core& core, const Op& op) { return load_table(core, op, core.s.gdtr); }
bool lidt(Core& core, const Op& op) { return load_table(core, op, core.s.idtr); }
bool sgdt(Core& core, const Op& op) { return store_table(core, op, core.s.gdtr); }
bool sidt(Core& core, const Op& op) { return store_table(core, op, core.s.idtr); }

bool lldt(Core& core, const Op& op) {
  u64 value;
  if (!is_protected_only(core)) return false;
  if (core.s.cpl) return core.raise(GP, 0);
  if (!core.read_operand(op, 0, 2, value)) return false;
  const Selector selector{static_cast<u16>(value)};
  if (selector.is_null()) {
    core.s.ldtr = null_segment(selector.value, 0);
    return true;
  }
  Descriptor d;
  if (!read_system_segment(core, selector, 1u << kLdt, d)) return false;
  core.s.ldtr = segment_of(selector, d);
  return true;
}

bool ltr(Core& core, const Op& op) {
  u64 value;
  if (!is_protected_only(core)) return false;
  if (core.s.cpl) return core.raise(GP, 0);
  if (!core.read_operand(op, 0, 2, value)) return false;
  const Selector selector{static_cast<u16>(value)};
  if (selector.is_null()) return core.raise(GP, 0);
  Descriptor d;
  const u32 types = 1u << kTss32Available | (core.is_long() ? 0 : 1u << kTss16Available);
  if (!read_system_segment(core, selector, types, d)) return false;
  d.raw |= u64{2} << 40;  // busy
  if (!core.write_system(core.s.gdtr.base + selector.offset() + 5, static_cast<u8>(d.raw >> 40))) return false;
  core.s.tr = segment_of(selector, d);
  return true;
}

bool sldt(Core& core, const Op& op) { return store_table_selector(core, op, core.s.ldtr.selector); }
bool str(Core& core, const Op& op) { return store_table_selector(core, op, core.s.tr.selector); }

}  // namespace mock::cpu
