#include "kvmapi/kinds.hpp"

namespace kvmapi {
namespace {

template <class Bit>
std::string join(BitSet<Bit> set, std::string_view empty) {
  std::string text;
  for (unsigned bit = 1; bit < 0x100; bit <<= 1) {
    if ((set.bits & bit) == 0) continue;
    if (!text.empty()) text += ", ";
    text += name(static_cast<Bit>(bit));
  }
  return text.empty() ? std::string(empty) : text;
}

}  // namespace

std::string_view name(FdKind kind) {
  switch (kind) {
    case FdKind::System:
      return "system";
    case FdKind::Vm:
      return "vm";
    case FdKind::Vcpu:
      return "vcpu";
    case FdKind::Device:
      return "device";
    case FdKind::Stats:
      return "stats";
    case FdKind::GuestMemfd:
      return "guest_memfd";
  }
  return "unknown kind of descriptor";
}

std::string_view name(Arch arch) {
  switch (arch) {
    case Arch::X86:
      return "x86";
    case Arch::Arm64:
      return "arm64";
    case Arch::S390:
      return "s390";
    case Arch::Ppc:
      return "ppc";
    case Arch::Mips:
      return "mips";
    case Arch::Riscv:
      return "riscv";
    case Arch::Loongarch:
      return "loongarch";
  }
  return "unknown architecture";
}

std::string_view name(Direction direction) {
  switch (direction) {
    case Direction::None:
      return "none";
    case Direction::In:
      return "in";
    case Direction::Out:
      return "out";
    case Direction::InOut:
      return "inout";
  }
  return "unknown direction";
}

std::string to_text(FdKinds kinds) { return join(kinds, "none"); }

std::string to_text(Architectures archs) { return archs == kEvery ? "all" : join(archs, "none"); }

}  // namespace kvmapi
