// What the host's <linux/kvm.h> says, asked item by item. Items that this version of the header does not have are
// absent, so the same source compiles against the headers of 5.10 and of 7.3. The header is included by host_header.cpp
// and host_header_unfixed.cpp only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kvmapi/types.hpp"

namespace conformance {

// Where something lies in a struct of the host's header.
struct Place {
  bool is_present = false;
  kvmapi::u32 offset = 0;
  kvmapi::u32 bytes = 0;
};

struct HostStruct {
  std::string_view name;  // ours
  bool is_present;
  kvmapi::u32 bytes, alignment;
  kvmapi::u32 base;  // offset of a part inside the struct that C names
};

// A row of layout.def: offsets count from the start of our struct.
struct HostField {
  std::string_view owner, path;
  Place documented, host;
};

struct HostNumber {
  std::string_view c_name;
  kvmapi::u64 documented;
  std::optional<kvmapi::u64> host;
};

struct HostHeader {
  kvmapi::u32 version;  // LINUX_VERSION_CODE
  std::span<const HostStruct> structs;
  std::span<const HostField> fields;  // FIELD, FIELD_AS, MEMBER, ALIAS and LIST rows
  std::span<const HostNumber> requests, capabilities, exits, constants;
};

// As a C compiler sees it.
const HostHeader& host_header();
// As a C++ compiler sees it: headers of some kernels put an empty struct, one byte in C++, before flexible arrays.
const HostHeader& host_header_unfixed();

// "6.1.187".
std::string version_text(const HostHeader& header);

}  // namespace conformance
