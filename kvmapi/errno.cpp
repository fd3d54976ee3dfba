#include "kvmapi/errno.hpp"

#include <cstring>

namespace kvmapi {

std::string_view Errno::name() const {
  if (value_ == 0) return "0";
  const char* name = strerrorname_np(value_);
  return name != nullptr ? name : "errno without a name";
}

Errno Errno::from_name(std::string_view name) {
  for (int value = 1; value < 134; ++value) {
    const char* candidate = strerrorname_np(value);
    if (candidate != nullptr && name == candidate) return Errno{value};
  }
  return Errno{0};
}

}  // namespace kvmapi
