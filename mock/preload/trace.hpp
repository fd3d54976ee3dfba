// --trace: every call decoded by field name and every exit with its payload, one line each, with timing.
#pragma once

#include <memory>

#include "kvmapi/backend.hpp"
#include "mock/preload/launcher/settings.hpp"

namespace mock::preload {

// The backend itself if no trace is wanted; nullptr if the trace file can not be written (the reason has been printed).
std::unique_ptr<kvmapi::Backend> with_trace(std::unique_ptr<kvmapi::Backend> backend, const Settings& settings);

}  // namespace mock::preload
