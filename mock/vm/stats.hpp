// KVM_GET_STATS_FD, api.rst 4.133: a file with header, identity, descriptors and values, as the profile's kernel lays
// them out. The values are those of a VM that has done nothing: the mock keeps no such statistics.
#pragma once

#include <string_view>

#include "kvmapi/result.hpp"
#include "mock/profile/profile.hpp"

namespace mock::vm {

using namespace kvmapi;

// A read-only descriptor with close-on-exec. EMFILE, ENOMEM.
Result<int> make_stats_fd(const std::vector<StatsDescriptor>& descriptors, std::string_view identity);

}  // namespace mock::vm
