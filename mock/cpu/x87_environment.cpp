// FLDENV, FNSTENV, FRSTOR, FNSAVE, FWAIT, EMMS. Memory formats: SDM vol. 1 figures 8-9 to 8-12. The code and data
// selectors are stored as 0, as CPUs do that no longer keep them.
#include "mock/cpu/fpu.hpp"
#include "mock/cpu/fpu_ops.hpp"

namespace mock::cpu {
namespace {

// Two bits per physical register: 0 valid, 1 zero, 2 special, 3 empty.
u16 full_tags(const FpuState& fpu) {
  u16 tags = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const u64 significand = fpu.st[i][0], exponent = fpu.st[i][1] & 0x7fff;
    unsigned tag = 3;
    if (fpu.ftw >> i & 1) {
      if (exponent == 0) {
        tag = significand == 0 ? 1 : 2;
      } else {
        tag = exponent == 0x7fff || !(significand >> 63) ? 2 : 0;
      }
    }
    tags = static_cast<u16>(tags | tag << (i * 2));
  }
  return tags;
}

u8 abridged_tags(u16 tags) {
  u8 ftw = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if ((tags >> (i * 2) & 3) != 3) ftw |= static_cast<u8>(1u << i);
  }
  return ftw;
}

bool has_real_format(const Core& core) { return core.is_real() || core.is_v86(); }

// Seven fields of 2 or 4 bytes.
using Environment = std::array<u32, 7>;

Environment environment_of(const Core& core, bool is_32) {
  const FpuState& f = core.s.fpu;
  const u32 ip = static_cast<u32>(f.last_ip), dp = static_cast<u32>(f.last_dp), opcode = f.last_opcode & 0x7ffu;
  Environment e{f.fcw, f.fsw, full_tags(f), ip, 0, dp, 0};
  if (has_real_format(core)) {
    e[3] = ip & 0xffff;
    e[4] = opcode | (is_32 ? ip >> 16 << 12 : (ip >> 16 & 0xf) << 12);
    e[5] = dp & 0xffff;
    e[6] = is_32 ? dp >> 16 << 12 : (dp >> 16 & 0xf) << 12;
  } else if (is_32) {
    e[4] = opcode << 16;
  }
  if (is_32) {
    for (const unsigned i : {0u, 1u, 2u}) e[i] |= 0xffff0000;
    if (has_real_format(core)) {
      e[3] |= 0xffff0000;
      e[5] |= 0xffff0000;
    } else {
      e[6] |= 0xffff0000;
    }
  }
  return e;
}

void set_environment(Core& core, const Environment& e, bool is_32) {
  FpuState& f = core.s.fpu;
  f.fcw = static_cast<u16>((e[0] & 0x1f3f) | 0x40);
  f.fsw = static_cast<u16>(e[1]);
  f.ftw = abridged_tags(static_cast<u16>(e[2]));
  if (has_real_format(core)) {
    f.last_ip = (e[3] & 0xffff) | (is_32 ? (e[4] >> 12 & 0xffff) << 16 : (e[4] >> 12 & 0xf) << 16);
    f.last_dp = (e[5] & 0xffff) | (is_32 ? (e[6] >> 12 & 0xffff) << 16 : (e[6] >> 12 & 0xf) << 16);
    f.last_opcode = e[4] & 0x7ff;
  } else {
    f.last_ip = e[3];
    f.last_dp = e[5];
    if (is_32) f.last_opcode = e[4] >> 16 & 0x7ff;
  }
  update_summary(f);
}

struct Image {
  std::array<u8, 108> bytes{};
  unsigned size = 0;

  void put(u32 value, unsigned width) {
    std::memcpy(bytes.data() + size, &value, width);
    size += width;
  }
  u32 get(unsigned width) {
    u32 value = 0;
    std::memcpy(&value, bytes.data() + size, width);
    size += width;
    return value;
  }
};

unsigned field_bytes(const Op& op) { return op.size_bytes() == 2 ? 2 : 4; }

Image environment_image(const Core& core, const Op& op) {
  Image image;
  for (const u32 field : environment_of(core, field_bytes(op) == 4)) image.put(field, field_bytes(op));
  return image;
}

Environment environment_from(Image& image, const Op& op) {
  Environment e;
  for (u32& field : e) field = image.get(field_bytes(op));
  return e;
}

}  // namespace

bool fnstenv(Core& core, const Op& op) {
  if (!x87_ready(core, false)) return false;
  const Image image = environment_image(core, op);
  if (!write_ram(core, op, image.bytes.data(), image.size)) return false;
  core.s.fpu.fcw |= kFswExceptions;
  update_summary(core.s.fpu);
  return true;
}

bool fldenv(Core& core, const Op& op) {
  if (!x87_ready(core, true)) return false;
  Image image;
  if (!read_ram(core, op, image.bytes.data(), field_bytes(op) * 7)) return false;
  set_environment(core, environment_from(image, op), field_bytes(op) == 4);
  return true;
}

bool fnsave(Core& core, const Op& op) {
  if (!x87_ready(core, false)) return false;
  FpuState& fpu = core.s.fpu;
  Image image = environment_image(core, op);
  for (unsigned i = 0; i < 8; ++i) {
    std::memcpy(image.bytes.data() + image.size, fpu.st[(x87_top(fpu) + i) & 7].data(), 10);
    image.size += 10;
  }
  if (!write_ram(core, op, image.bytes.data(), image.size)) return false;
  fpu.fcw = 0x37f;
  fpu.fsw = 0;
  fpu.ftw = 0;
  fpu.last_opcode = 0;
  fpu.last_ip = fpu.last_dp = 0;
  return true;
}

bool frstor(Core& core, const Op& op) {
  if (!x87_ready(core, true)) return false;
  FpuState& fpu = core.s.fpu;
  Image image;
  if (!read_ram(core, op, image.bytes.data(), field_bytes(op) * 7 + 80)) return false;
  set_environment(core, environment_from(image, op), field_bytes(op) == 4);
  for (unsigned i = 0; i < 8; ++i) {
    auto& reg = fpu.st[(x87_top(fpu) + i) & 7];
    reg = {};
    std::memcpy(reg.data(), image.bytes.data() + image.size, 10);
    image.size += 10;
  }
  return true;
}

bool fwait(Core& core, const Op&) {
  constexpr u64 kBoth = CR0_MP | CR0_TS;
  if ((core.s.cr0 & kBoth) == kBoth) return core.raise(NM);
  return core.s.fpu.fsw & kFswSummary ? core.raise(MF) : true;
}

bool emms(Core& core, const Op&) {
  if (!mmx_ready(core)) return false;
  core.s.fpu.ftw = 0;
  core.s.fpu.fsw &= static_cast<u16>(~0x3800);
  return true;
}

}  // namespace mock::cpu
