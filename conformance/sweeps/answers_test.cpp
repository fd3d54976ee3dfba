// Ioctls that only write: every byte of the announced struct is written, and none behind it. What is not written keeps
// what the caller had there before, or leaks what the kernel had.
#include "conformance/sweeps/sweep.hpp"

namespace conformance {
namespace {

constexpr std::size_t kRoom = 64 * 1024;

// Size of the answer: what the table says, or for KVM_GET_XSAVE2 what KVM_CAP_XSAVE2 says.
std::size_t answer_bytes(Ctx& t, const IoctlInfo& ioctl) {
  if (ioctl.id == Ioctl::GetXsave2) return static_cast<std::size_t>(t.must(t.vm().check_extension(Cap::Xsave2)));
  return ioctl.argument_bytes;
}

std::vector<u8> answer(Ctx& t, const kvmapi::Fd& fd, const IoctlInfo& ioctl, u8 before) {
  std::vector<u8> buffer(kRoom, before);
  t.must(fd.raw(ioctl.id, buffer.data()), ioctl.c_name.data());
  return buffer;
}

const bool kRegistered = [] {
  for (const IoctlInfo& ioctl : kvmapi::ioctls()) {
    if (!ioctl.is_x86 || ioctl.direction != kvmapi::Direction::Out || ioctl.passing != kvmapi::Passing::Pointer)
      continue;
    for (FdKind kind : kKinds) {
      if (!ioctl.fds.has(kind)) continue;
      const std::string suite = suite_of(ioctl, kind);
      add_sweep(
          suite + ".every_byte_of_the_answer_is_written", "copy_to_user", needs_of(ioctl, kind), __FILE__, __LINE__,
          [&ioctl, kind](Ctx& t) {
            const kvmapi::Fd& fd = prepared(t, kind);
            const std::vector<u8> a = answer(t, fd, ioctl, 0x5a);
            const std::vector<u8> b = answer(t, fd, ioctl, 0xa5);
            for (std::size_t i = 0; i < answer_bytes(t, ioctl); ++i) {
              ASSERT_FALSE(a[i] == 0x5a && b[i] == 0xa5) << "byte " << i << " was not written";
            }
          },
          "writes the whole struct");
      add_sweep(
          suite + ".no_byte_behind_the_answer_is_written", "copy_to_user", needs_of(ioctl, kind), __FILE__, __LINE__,
          [&ioctl, kind](Ctx& t) {
            const std::vector<u8> a = answer(t, prepared(t, kind), ioctl, kPoison);
            for (std::size_t i = answer_bytes(t, ioctl); i < a.size(); ++i) {
              ASSERT_EQ(a[i], kPoison) << "byte " << i << " was written";
            }
          },
          "writes nothing behind the struct");
    }
  }
  return true;
}();

}  // namespace
}  // namespace conformance
