// Every ioctl whose argument is a pointer, with pointers that lead nowhere: EFAULT. The few that look at their state
// first, or that allow NULL, are listed here.
#include "conformance/sweeps/sweep.hpp"

namespace conformance {
namespace {

struct Exception {
  Ioctl ioctl;
  FdKind kind;
  Expect null;   // with NULL
  Expect other;  // with other bad pointers
};
constexpr Exception kExceptions[] = {
    // NULL takes the mask away.
    {Ioctl::SetSignalMask, FdKind::Vcpu, succeeds(0), fails(EFAULT)},
    // Without SEV and TDX there is no such operation; with SEV, NULL asks whether there is.
    {Ioctl::MemoryEncryptOp, FdKind::Vm, Outcome{}, fails_with_one_of(ENOTTY, EFAULT, EINVAL)},
    {Ioctl::MemoryEncryptOp, FdKind::Vcpu, fails_with_one_of(ENOTTY, EINVAL, EFAULT),
     fails_with_one_of(ENOTTY, EINVAL, EFAULT)},
    {Ioctl::MemoryEncryptRegRegion, FdKind::Vm, fails_with_one_of(EFAULT, ENOTTY), fails_with_one_of(EFAULT, ENOTTY)},
    {Ioctl::MemoryEncryptUnregRegion, FdKind::Vm, fails_with_one_of(EFAULT, ENOTTY), fails_with_one_of(EFAULT, ENOTTY)},
};

const Exception* exception(const IoctlInfo& ioctl, FdKind kind) {
  for (const Exception& e : kExceptions) {
    if (e.ioctl == ioctl.id && e.kind == kind) return &e;
  }
  return nullptr;
}

void expect_answer(Ctx& t, const Expect& expect, const kvmapi::Result<int>& answer, u64 pointer) {
  const Outcome& outcome = expect.resolve(t.kernel(), t.vendor());
  if (outcome.kind == Outcome::Kind::unset) return;
  EXPECT_TRUE(outcome.accepts(answer)) << fmt::format("pointer {:#x}: expected {}, got {}", pointer, outcome.text(),
                                                      Answer(answer).text());
}

// Pointers into nothing: low, not canonical, of the kernel.
constexpr u64 kNowhere[] = {8, 0x0000800000000000, 0x8000000000000000, 0xffff800000000000, ~u64{0} - 7};

const bool kRegistered = [] {
  for (const IoctlInfo& ioctl : kvmapi::ioctls()) {
    if (!ioctl.is_x86 || ioctl.passing != kvmapi::Passing::Pointer) continue;
    for (FdKind kind : kKinds) {
      if (!ioctl.fds.has(kind)) continue;
      const Exception* special = exception(ioctl, kind);
      const Expect null = special != nullptr ? special->null : fails(EFAULT);
      const Expect other = special != nullptr ? special->other : fails(EFAULT);
      const std::string suite = suite_of(ioctl, kind);
      add_sweep(
          suite + ".null_pointer", "copy_from_user, copy_to_user", needs_of(ioctl, kind), __FILE__, __LINE__,
          [&ioctl, kind, null](Ctx& t) { expect_answer(t, null, prepared(t, kind).raw(ioctl.id, u64{0}), 0); },
          "with NULL answers " + null.text());
      add_sweep(
          suite + ".pointer_to_nowhere", "copy_from_user, copy_to_user", needs_of(ioctl, kind), __FILE__, __LINE__,
          [&ioctl, kind, other](Ctx& t) {
            const kvmapi::Fd& fd = prepared(t, kind);
            for (u64 pointer : kNowhere) expect_answer(t, other, fd.raw(ioctl.id, pointer), pointer);
          },
          "with pointers to nothing answers " + other.text());
      // KVM_GET_NESTED_STATE reads its size field alone, which lies in the first half.
      if (ioctl.argument_bytes < 2 || special != nullptr || ioctl.id == Ioctl::GetNestedState) continue;
      add_sweep(
          suite + ".argument_half_in_unmapped_memory", "copy_from_user, copy_to_user", needs_of(ioctl, kind), __FILE__,
          __LINE__,
          [&ioctl, kind, other](Ctx& t) {
            const LastBytes end(ioctl.argument_bytes / 2);
            expect_answer(t, other, prepared(t, kind).raw(ioctl.id, end.address()),
                          reinterpret_cast<u64>(end.address()));
          },
          "with its second half unmapped answers " + other.text());
    }
  }
  return true;
}();

// Read-only memory: as good as any for an argument that is read, EFAULT for one that is written.
kvmapi::Result<int> with_page(Ctx& t, const IoctlInfo& ioctl, FdKind kind, int protection) {
  HostPages pages(16 * 4096);
  if (::mprotect(pages.data(), pages.size_bytes(), protection) != 0) t.broken("mprotect failed");
  return prepared(t, kind).raw(ioctl.id, pages.data());
}

// For what is only read, zeros in read-only memory get the answer that zeros in writable memory get.
const bool kReadOnlyInputRegistered = [] {
  for (const IoctlInfo& ioctl : kvmapi::ioctls()) {
    if (!ioctl.is_x86 || ioctl.direction != kvmapi::Direction::In || ioctl.passing != kvmapi::Passing::Pointer)
      continue;
    for (FdKind kind : kKinds) {
      if (!ioctl.fds.has(kind)) continue;
      add_sweep(
          suite_of(ioctl, kind) + ".read_only_argument_is_as_good_as_writable", "copy_from_user", needs_of(ioctl, kind),
          __FILE__, __LINE__,
          [&ioctl, kind](Ctx& t) {
            Ctx other(t.target());
            const Answer writable = with_page(other, ioctl, kind, PROT_READ | PROT_WRITE);
            const Answer read_only = with_page(t, ioctl, kind, PROT_READ);
            const bool returns_descriptor = writable.error == 0 && writable.value > 0;
            EXPECT_EQ(read_only.error, writable.error) << read_only.text() << " and " << writable.text();
            if (!returns_descriptor) {
              EXPECT_EQ(read_only.value, writable.value);
            }
          },
          "with zeros in read-only memory answers as with zeros in writable memory");
    }
  }
  return true;
}();

const bool kReadOnlyRegistered = [] {
  for (const IoctlInfo& ioctl : kvmapi::ioctls()) {
    if (!ioctl.is_x86 || ioctl.direction != kvmapi::Direction::Out || ioctl.passing != kvmapi::Passing::Pointer)
      continue;
    for (FdKind kind : kKinds) {
      if (!ioctl.fds.has(kind)) continue;
      add_sweep(
          suite_of(ioctl, kind) + ".read_only_memory_for_the_answer_is_efault", "copy_to_user", needs_of(ioctl, kind),
          __FILE__, __LINE__,
          [&ioctl, kind](Ctx& t) { EXPECT_THAT(with_page(t, ioctl, kind, PROT_READ), FailsWith(EFAULT)); },
          "with memory that cannot be written answers -1 EFAULT");
    }
  }
  return true;
}();

}  // namespace
}  // namespace conformance
