#include "mock/preload/launcher/settings.hpp"

#include <cstdlib>

#include "mock/profile/profile.hpp"

namespace mock::preload {
namespace {

void set(const char* name, const std::string& value) {
  if (value.empty()) {
    unsetenv(name);
  } else {
    setenv(name, value.c_str(), 1);
  }
}

std::string get(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::move(otherwise);
}

}  // namespace

void to_environment(const Settings& settings) {
  set("KVMMOCK_DEVICE", settings.device);
  set("KVMMOCK_BACKEND", settings.backend);
  set("KVMMOCK_PROFILE", settings.profile);
  set("KVMMOCK_TRACE", settings.trace);
  set("KVMMOCK_TRACE_FORMAT", settings.trace_format);
}

Settings from_environment() {
  const Settings defaults;
  return {.device = get("KVMMOCK_DEVICE", defaults.device),
          .backend = get("KVMMOCK_BACKEND", defaults.backend),
          .profile = get("KVMMOCK_PROFILE", defaults.profile),
          .trace = get("KVMMOCK_TRACE", defaults.trace),
          .trace_format = get("KVMMOCK_TRACE_FORMAT", defaults.trace_format)};
}

std::vector<std::string> profile_names() { return mock::profile_names(); }

std::string why_wrong(const Settings& settings) {
  if (!settings.device.starts_with('/')) return "--device must be an absolute path, not \"" + settings.device + "\"";
  if (settings.backend != "mock" && !settings.backend.starts_with('/')) {
    return "--backend must be `mock` or the path of a device, not \"" + settings.backend + "\"";
  }
  if (settings.backend != "mock" && !settings.profile.empty())
    return "--profile chooses what the mock answers as; it means nothing with --backend " + settings.backend;
  if (!settings.profile.empty() && mock::find_profile(settings.profile) == nullptr) {
    std::string names;
    for (const std::string& name : mock::profile_names()) names += (names.empty() ? "" : ", ") + name;
    return "unknown profile \"" + settings.profile + "\"; there are: " + names;
  }
  if (settings.trace_format != "text" && settings.trace_format != "json") {
    return "trace format \"" + settings.trace_format + "\" is neither text nor json";
  }
  return {};
}

}  // namespace mock::preload
