// Request numbers: every ioctl on descriptors of other kinds, numbers with other size or direction bits, numbers that
// nobody has, numbers of other architectures, and closed descriptors.
#include "conformance/sweeps/sweep.hpp"

namespace conformance {
namespace {

using kvmapi::Direction;
using kvmapi::make_request;
using kvmapi::RequestParts;
using kvmapi::split_request;

// Tracing of long ago: known to older kernels, which answer EOPNOTSUPP.
constexpr u32 kTracePause = 0xae07, kTraceDisable = 0xae08;

bool is_known(FdKind kind, u32 number) {
  if (kind == FdKind::System && (number == kTracePause || number == kTraceDisable)) return true;
  const IoctlInfo* found = kvmapi::find_ioctl(kind, number);
  return found != nullptr && found->is_x86;
}

void expect_unknown(Ctx& t, const kvmapi::Fd& fd, FdKind kind, u32 number) {
  (void)t;
  EXPECT_THAT(fd.raw(number, u64{0}), FailsWith(unknown_errno(kind)))
      << fmt::format("{:#010x} on a {} descriptor", number, kvmapi::name(kind));
}

const kvmapi::Fd& plain(Ctx& t, FdKind kind) {
  if (kind == FdKind::System) return t.system();
  if (kind == FdKind::Vm) return t.vm();
  return t.vcpu();
}

const bool kRegistered = [] {
  for (const IoctlInfo& ioctl : kvmapi::ioctls()) {
    if (!ioctl.is_x86) {
      add_sweep(
          suite_of(ioctl, home(ioctl)) + ".of_another_architecture_is_unknown", "kvm_arch_vm_ioctl and others", {},
          __FILE__, __LINE__,
          [&ioctl](Ctx& t) {
            for (FdKind kind : kKinds) {
              if (!is_known(kind, ioctl.number())) expect_unknown(t, plain(t, kind), kind, ioctl.number());
            }
          },
          "answers as an unknown number on every kind of descriptor");
      continue;
    }
    const std::string suite = suite_of(ioctl, home(ioctl));
    add_sweep(
        suite + ".other_kinds_of_descriptor_do_not_know_it", "api.rst 1", {}, __FILE__, __LINE__,
        [&ioctl](Ctx& t) {
          for (FdKind kind : kKinds) {
            if (!is_known(kind, ioctl.number())) expect_unknown(t, plain(t, kind), kind, ioctl.number());
          }
        },
        "answers -1 EINVAL (system, vcpu) or -1 ENOTTY (vm) elsewhere");
    add_sweep(
        suite + ".number_with_another_size_is_unknown", "ioctl numbers are compared whole", {}, __FILE__, __LINE__,
        [&ioctl](Ctx& t) {
          const RequestParts parts = split_request(ioctl.number());
          for (u32 bytes : {parts.bytes + 4u, parts.bytes + 8u, parts.bytes ^ 0x2000u}) {
            const u32 number = make_request(parts.nr, parts.direction, bytes);
            for (FdKind kind : kKinds) {
              if (ioctl.fds.has(kind) && !is_known(kind, number)) expect_unknown(t, plain(t, kind), kind, number);
            }
          }
        },
        "answers as an unknown number when the size bits differ");
    add_sweep(
        suite + ".number_with_other_direction_bits_is_unknown", "ioctl numbers are compared whole", {}, __FILE__,
        __LINE__,
        [&ioctl](Ctx& t) {
          const RequestParts parts = split_request(ioctl.number());
          for (Direction direction : {Direction::None, Direction::In, Direction::Out, Direction::InOut}) {
            const u32 number = make_request(parts.nr, direction, parts.bytes);
            if (direction == parts.direction) continue;
            for (FdKind kind : kKinds) {
              if (ioctl.fds.has(kind) && !is_known(kind, number)) expect_unknown(t, plain(t, kind), kind, number);
            }
          }
        },
        "answers as an unknown number when the direction bits differ");
  }
  for (FdKind kind : kKinds) {
    const std::string suite = fmt::format("{}.unknown_ioctl", kvmapi::name(kind));
    const char* const says = kind == FdKind::Vm ? "enotty" : "einval";
    add_sweep(
        fmt::format("{}.every_free_number_is_{}", suite, says),
        "kvm_arch_dev_ioctl, kvm_arch_vm_ioctl, kvm_arch_vcpu_ioctl", {}, __FILE__, __LINE__,
        [kind](Ctx& t) {
          const kvmapi::Fd& fd = plain(t, kind);
          for (u32 nr = 0; nr < 256; ++nr) {
            for (Direction direction : {Direction::None, Direction::In, Direction::Out, Direction::InOut}) {
              const u32 number = make_request(static_cast<u8>(nr), direction, 12);
              if (!is_known(kind, number)) expect_unknown(t, fd, kind, number);
              const u32 plain_number = make_request(static_cast<u8>(nr), direction, 0);
              if (!is_known(kind, plain_number)) expect_unknown(t, fd, kind, plain_number);
            }
          }
        },
        "answers the same errno for all numbers that no ioctl has");
    add_sweep(
        fmt::format("{}.number_of_another_driver_is_{}", suite, says), "kvm_vcpu_ioctl and others", {}, __FILE__,
        __LINE__,
        [kind](Ctx& t) {
          // TCGETS, VHOST_SET_OWNER, and KVM numbers with another type byte.
          for (u32 number : {0x5401u, 0xaf01u, 0x0000ad00u, 0x8090ad81u})
            expect_unknown(t, plain(t, kind), kind, number);
        },
        "answers the same errno for numbers with another type byte");
    add_sweep(
        fmt::format("{}.fd.every_ioctl_on_a_closed_descriptor_is_ebadf", kvmapi::name(kind)), "ioctl(2)", {}, __FILE__,
        __LINE__,
        [kind](Ctx& t) {
          // A descriptor number that was one of this kind, then closed.
          int number = -1;
          kvmapi::Vm other = t.new_vm();
          if (kind == FdKind::System) {
            auto system = t.must(kvmapi::System::open(t.backend(), t.target().device.c_str()));
            number = system.fd();
          } else if (kind == FdKind::Vm) {
            kvmapi::Vm vm = t.new_vm();
            number = vm.fd();
          } else {
            auto vcpu = t.must(other.create_vcpu(0));
            number = vcpu.fd();
          }
          for (const IoctlInfo& ioctl : kvmapi::ioctls()) {
            if (!ioctl.is_x86 || !ioctl.fds.has(kind)) continue;
            EXPECT_THAT(t.backend().ioctl(number, ioctl.number(), 0), FailsWith(EBADF)) << ioctl.c_name;
          }
        },
        "answers -1 EBADF");
  }
  return true;
}();

// What a capability announces is not there without it: the number is unknown. Left out: ioctls that exist although
// their capability is 0, because it announces more than that (TSC scaling, two-dimensional paging, private memory), and
// KVM_SMI.
bool exists_without_its_capability(Ioctl ioctl) {
  return ioctl == Ioctl::SetTscKhz || ioctl == Ioctl::GetTscKhz || ioctl == Ioctl::Smi ||
         ioctl == Ioctl::CreateDevice || ioctl == Ioctl::CreateGuestMemfd || ioctl == Ioctl::PreFaultMemory;
}

const bool kWithoutRegistered = [] {
  for (const IoctlInfo& ioctl : kvmapi::ioctls()) {
    if (!ioctl.is_x86 || exists_without_its_capability(ioctl.id)) continue;
    for (FdKind kind : kKinds) {
      const Cap cap = announcing(ioctl, kind);
      if (!ioctl.fds.has(kind) || cap == Cap::None) continue;
      add_sweep(
          suite_of(ioctl, kind) + ".without_its_capability_is_unknown", "api.rst 3, 4", {}, __FILE__, __LINE__,
          [&ioctl, kind, cap](Ctx& t) {
            if (t.must(t.system().check_extension(cap)) != 0) t.skip(fmt::format("{} is there", kvmapi::c_name(cap)));
            expect_unknown(t, plain(t, kind), kind, ioctl.number());
          },
          "answers as an unknown number where its capability is 0");
    }
  }
  return true;
}();

constexpr auto kTrace = before(6, 2, fails(EOPNOTSUPP)).then(before(6, 12, Outcome{}).then(fails(EINVAL)));

constexpr IoctlCase kRemoved[] = {
    {.name = "trace_pause_is_eopnotsupp_up_to_6_1",
     .call = [](Ctx& t) { return t.system().raw(kTracePause); },
     .expect = kTrace,
     .status = Abi::observed},
    {.name = "trace_disable_is_eopnotsupp_up_to_6_1",
     .call = [](Ctx& t) { return t.system().raw(kTraceDisable); },
     .expect = kTrace,
     .status = Abi::observed},
};
KVM_ROWS("system.unknown_ioctl", "kvm_dev_ioctl", kRemoved);

// Ioctls of the documentation of 2.6.3x that are gone.
constexpr IoctlCase kRemovedOfVm[] = {
    {.name = "set_memory_region_of_old_is_enotty",
     .call = [](Ctx& t) { return t.vm().raw(make_request(0x40, Direction::In, 24)); },
     .expect = fails(ENOTTY)},
    {.name = "set_memory_alias_of_old_is_enotty",
     .call = [](Ctx& t) { return t.vm().raw(make_request(0x43, Direction::In, 32)); },
     .expect = fails(ENOTTY)},
};
KVM_ROWS("vm.unknown_ioctl", "api.rst 4.6, 4.9 (KVM_SET_MEMORY_REGION, KVM_SET_MEMORY_ALIAS: removed)", kRemovedOfVm);

constexpr IoctlCase kRemovedOfVcpu[] = {
    {.name = "debug_guest_of_old_is_einval",
     .call = [](Ctx& t) { return t.vcpu().raw(make_request(0x87, Direction::In, 80)); },
     .expect = fails(EINVAL)},
};
KVM_ROWS("vcpu.unknown_ioctl", "api.rst 4.17 (KVM_DEBUG_GUEST: removed)", kRemovedOfVcpu);

}  // namespace
}  // namespace conformance
