// KVM_GET_STATS_FD of a VM and of a vcpu: a descriptor whose content is a header, an id, descriptions and values.
#include <fcntl.h>
#include <unistd.h>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

template <class Fd>
kvmapi::kvm_stats_header header_of(Ctx& t, const Fd& fd) {
  kvmapi::kvm_stats_header header{};
  if (::pread(fd.fd(), &header, sizeof header, 0) != sizeof header) t.broken("reading the statistics header failed");
  return header;
}

void expect_sound(Ctx& t, const kvmapi::Fd& fd, std::string_view id_begins) {
  const auto header = header_of(t, fd);
  EXPECT_EQ(header.flags, 0u);
  EXPECT_EQ(header.name_size, 48u);
  EXPECT_GT(header.num_desc, 0u);
  EXPECT_EQ(header.id_offset, sizeof header);
  EXPECT_GE(header.desc_offset, header.id_offset);
  EXPECT_EQ(header.data_offset, header.desc_offset + header.num_desc * (16 + header.name_size));
  char id[48] = {};
  ASSERT_EQ(::pread(fd.fd(), id, sizeof id, header.id_offset), static_cast<ssize_t>(sizeof id));
  EXPECT_EQ(std::string_view(id).substr(0, id_begins.size()), id_begins);
  std::size_t data_bytes = 0;
  for (u32 i = 0; i < header.num_desc; ++i) {
    struct {
      kvmapi::kvm_stats_desc desc;
      char name[48];
    } entry{};
    ASSERT_EQ(::pread(fd.fd(), &entry, sizeof entry, static_cast<off_t>(header.desc_offset + i * sizeof entry)),
              static_cast<ssize_t>(sizeof entry));
    EXPECT_NE(entry.name[0], '\0') << "statistic " << i;
    EXPECT_EQ(entry.name[47], '\0') << "statistic " << i;
    EXPECT_GE(entry.desc.size, 1) << entry.name;
    EXPECT_LE(entry.desc.flags & 0xf, 4u) << entry.name;
    data_bytes = std::max(data_bytes, entry.desc.offset + entry.desc.size * sizeof(u64));
  }
  std::vector<u8> data(data_bytes);
  EXPECT_EQ(::pread(fd.fd(), data.data(), data.size(), header.data_offset), static_cast<ssize_t>(data.size()));
}

KVM_TEST("vm.get_stats_fd", "block_is_sound", "api.rst 4.133", {.needs = {.cap = Cap::BinaryStatsFd}})(Ctx& t) {
  const auto fd = t.vm().get_stats_fd();
  ASSERT_THAT(fd, Succeeds());
  expect_sound(t, *fd, "kvm-");
}
KVM_TEST("vcpu.get_stats_fd", "block_is_sound", "api.rst 4.133", {.needs = {.cap = Cap::BinaryStatsFd}})(Ctx& t) {
  const auto fd = t.vcpu().get_stats_fd();
  ASSERT_THAT(fd, Succeeds());
  expect_sound(t, *fd, "kvm-");
}
KVM_TEST("vcpu.get_stats_fd", "id_names_the_vcpu", "kvm_vm_ioctl_create_vcpu",
         {.needs = {.cap = Cap::BinaryStatsFd}, .status = Abi::observed})
(Ctx& t) {
  const auto vcpu = t.must(t.vm().create_vcpu(3));
  const auto fd = vcpu.get_stats_fd();
  ASSERT_THAT(fd, Succeeds());
  char id[48] = {};
  ASSERT_GT(::pread(fd->fd(), id, sizeof id - 1, header_of(t, *fd).id_offset), 0);
  EXPECT_NE(std::string_view(id).find("/vcpu-3"), std::string_view::npos) << id;
}
KVM_TEST("vm.get_stats_fd", "takes_no_kvm_ioctl", "kvm_vm_stats_fops",
         {.needs = {.cap = Cap::BinaryStatsFd}, .status = Abi::observed})
(Ctx& t) {
  const auto fd = t.vm().get_stats_fd();
  ASSERT_THAT(fd, Succeeds());
  EXPECT_THAT(fd->raw(Ioctl::CheckExtension, 3), FailsWith(ENOTTY));
}

constexpr IoctlCase kStats[] = {
    {.name = "argument_is_ignored",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::GetStatsFd, 0x1234); },
     .expect = succeeds(),
     .needs = {.cap = Cap::BinaryStatsFd},
     .status = Abi::observed},
    {.name = "before_5_14_is_enotty",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::GetStatsFd); },
     .expect = fails(ENOTTY),
     .needs = {.kernel_before = {5, 14}},
     .status = Abi::observed},
};
KVM_ROWS("vm.get_stats_fd", "api.rst 4.133", kStats);

}  // namespace
}  // namespace conformance
