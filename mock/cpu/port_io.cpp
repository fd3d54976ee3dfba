#include "mock/cpu/port_io.hpp"

#include <algorithm>
#include <cstring>

namespace mock::cpu {

namespace {

constexpr u32 kMaxBatchBytes = 4096;  // one page of kvm_run's data area

void describe(Core& core, bool is_in, u16 port, unsigned size, u32 count, u64 data) {
  core.info.is_in = is_in;
  core.info.port = port;
  core.info.size = static_cast<u8>(size);
  core.info.count = count;
  core.info.data = data;
  core.completion.size = static_cast<u8>(size);
}

}  // namespace

bool bitmap_allows(Core& core, u16 port, unsigned size) {
  constexpr u64 kBitmapOffset = 0x66;  // of the field with the bitmap's offset
  const Segment& tr = core.s.tr;
  const bool is_32bit_tss = (tr.type() & 0xd) == 9;
  if (!is_32bit_tss || tr.limit_bytes < kBitmapOffset + 1) return core.raise(GP, 0);
  u16 bitmap, bits;
  if (!core.read_system(tr.base + kBitmapOffset, bitmap)) return false;
  const u64 at = bitmap + port / 8u;
  if (at + 1 > tr.limit_bytes) return core.raise(GP, 0);
  if (!core.read_system(tr.base + at, bits)) return false;
  if ((bits >> (port % 8u)) & ((1u << size) - 1)) return core.raise(GP, 0);
  return true;
}

bool port_in(Core& core, u16 port, unsigned size, u64 batch, u64& value) {
  value = 0;
  if (core.ins_used < core.ins_count) {
    std::memcpy(&value, core.ins_data.get() + size * core.ins_used++, size);
    return true;
  }
  if (core.bus.port_in(port, size, &value) == Reply::done) return true;
  const u32 count = static_cast<u32>(std::min<u64>(batch, kMaxBatchBytes / size));
  describe(core, true, port, size, count, 0);
  if (!core.ins_data) core.ins_data = std::make_unique<u8[]>(kMaxBatchBytes);
  core.ins_count = count;
  core.ins_used = count;  // until the data are there
  core.completion.kind = Completion::Kind::ins;
  return core.stop(Stop::io);
}

bool port_in_register(Core& core, u16 port, unsigned size, u64& value) {
  if (core.bus.port_in(port, size, &value) == Reply::done) return core.is_intercepted = true;
  describe(core, true, port, size, 1, 0);
  core.completion.kind = Completion::Kind::in;
  return core.stop(Stop::io);
}

bool port_out(Core& core, u16 port, unsigned size, u64 value) {
  if (core.bus.port_out(port, size, &value) == Reply::done) return core.is_intercepted = true;
  describe(core, false, port, size, 1, value);
  core.completion.kind = Completion::Kind::out;
  return core.stop(Stop::io);
}

void port_out_retiring(Core& core, u16 port, unsigned size, u64 value) {
  if (core.bus.port_out(port, size, &value) == Reply::done) return;
  describe(core, false, port, size, 1, value);
  core.stop_after(Stop::io);
}

}  // namespace mock::cpu
