// Exit reasons: why KVM_RUN returned (kvm_run.exit_reason). Table: kvmapi/exits.def. Payloads: kvmapi/uapi/run.hpp.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "kvmapi/kinds.hpp"
#include "kvmapi/types.hpp"

namespace kvmapi {

enum class Exit : u32 {
#define EXIT(c_name, Id, number, payload, architectures, section) Id = number,
#include "kvmapi/exits.def"
};

// Payload column of exits without one.
struct NoPayload {};

struct ExitInfo {
  Exit id;
  std::string_view c_name;   // "KVM_EXIT_IO"
  std::string_view name;     // "Io"
  std::string_view payload;  // "kvm_exit_io" or "NoPayload"
  Architectures architectures;
  std::string_view section;  // of api.rst; "-" if none
};

// Every exit reason; the index is its number.
std::span<const ExitInfo> exits();

// nullptr for a number without a name.
const ExitInfo* find_exit(u32 number);

// "KVM_EXIT_IO", or "unknown exit reason".
std::string_view c_name(Exit exit);

// The exit called "KVM_EXIT_IO" or "Io".
std::optional<Exit> exit_from_name(std::string_view name);

}  // namespace kvmapi
