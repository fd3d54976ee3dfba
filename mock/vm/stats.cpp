#include "mock/vm/stats.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "kvmapi/uapi/misc.hpp"

namespace mock::vm {
namespace {

constexpr u32 kNameBytes = 48;

std::vector<u8> image(const std::vector<StatsDescriptor>& descriptors, std::string_view identity) {
  kvm_stats_header header{.flags = 0,
                          .name_size = kNameBytes,
                          .num_desc = static_cast<u32>(descriptors.size()),
                          .id_offset = sizeof header,
                          .desc_offset = sizeof header + kNameBytes,
                          .data_offset = 0};
  constexpr u32 kStride = sizeof(kvm_stats_desc) + kNameBytes;
  header.data_offset = header.desc_offset + header.num_desc * kStride;
  u32 data_bytes = 0;
  for (const StatsDescriptor& d : descriptors) data_bytes = std::max(data_bytes, d.offset + 8u * d.size);
  std::vector<u8> bytes(header.data_offset + data_bytes);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + header.id_offset, identity.data(), std::min<std::size_t>(identity.size(), kNameBytes - 1));
  u8* at = bytes.data() + header.desc_offset;
  for (const StatsDescriptor& d : descriptors) {
    const kvm_stats_desc desc{
        .flags = d.flags, .exponent = d.exponent, .size = d.size, .offset = d.offset, .bucket_size = d.bucket_size};
    std::memcpy(at, &desc, sizeof desc);
    std::memcpy(at + sizeof desc, d.name.data(), std::min<std::size_t>(d.name.size(), kNameBytes - 1));
    at += kStride;
  }
  return bytes;
}

}  // namespace

Result<int> make_stats_fd(const std::vector<StatsDescriptor>& descriptors, std::string_view identity) {
  const int file = ::memfd_create("kvm-stats", MFD_CLOEXEC);
  if (file < 0) return err(errno);
  const std::vector<u8> bytes = image(descriptors, identity);
  int error = 0, reader = -1;
  if (::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) error = ENOMEM;
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (!error && (reader = ::open(path, O_RDONLY | O_CLOEXEC)) < 0) error = errno;
  ::close(file);
  return error ? Result<int>(err(error)) : Result<int>(reader);
}

}  // namespace mock::vm
