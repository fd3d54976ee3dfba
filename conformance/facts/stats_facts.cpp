// KVM_GET_STATS_FD: the header and the descriptors (name, flags, exponent, size, bucket size) of a VM and of a vcpu.
// Values move.
#include <unistd.h>

#include <cstring>
#include <vector>

#include "conformance/facts/facts.hpp"
#include "kvmapi/system.hpp"

namespace conformance {

using namespace kvmapi;

namespace {

// Statistics descriptors are plain files: read(2) does not go through the backend.
Json stats_of(const Result<Fd>& stats) {
  if (!stats.ok()) return refusal(stats.error());
  kvm_stats_header header{};
  if (pread(stats->fd(), &header, sizeof header, 0) != sizeof header) return {{"error", "short header"}};
  Json facts = {{"flags", hex(header.flags)},        {"name_size", header.name_size},
                {"num_desc", header.num_desc},       {"id_offset", header.id_offset},
                {"desc_offset", header.desc_offset}, {"data_offset", header.data_offset},
                {"descriptors", Json::array()}};
  const std::size_t stride = sizeof(kvm_stats_desc) + header.name_size;
  std::vector<char> block(stride);
  for (u32 i = 0; i < header.num_desc; ++i) {
    if (pread(stats->fd(), block.data(), stride, header.desc_offset + i * stride) != static_cast<ssize_t>(stride))
      break;
    kvm_stats_desc descriptor{};
    std::memcpy(&descriptor, block.data(), sizeof descriptor);
    const char* const name = block.data() + sizeof descriptor;
    facts["descriptors"].push_back({{"name", std::string(name, strnlen(name, header.name_size))},
                                    {"flags", hex(descriptor.flags)},
                                    {"exponent", descriptor.exponent},
                                    {"size", descriptor.size},
                                    {"offset", descriptor.offset},
                                    {"bucket_size", descriptor.bucket_size}});
  }
  return facts;
}

}  // namespace

Json stats_facts(Backend& backend, const char* device) {
  const Result<System> system = System::open(backend, device);
  if (!system.ok()) return refusal(system.error());
  const Result<Vm> vm = system->create_vm();
  if (!vm.ok()) return refusal(vm.error());
  Json facts;
  facts["vm"] = stats_of(vm->get_stats_fd());
  const Result<Vcpu> vcpu = vm->create_vcpu(0);
  facts["vcpu"] = vcpu.ok() ? stats_of(vcpu->get_stats_fd()) : refusal(vcpu.error());
  return facts;
}

}  // namespace conformance
