// The number of every ioctl: made of direction, size, type 0xae and the ioctl's own byte; the same in our table and in
// the host's header.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/layout/host_header.hpp"
#include "conformance/layout/layout_rows.hpp"
#include "kvmapi/ioctl.hpp"

namespace conformance {
namespace {

using kvmapi::Direction;
using kvmapi::IoctlInfo;
using kvmapi::Passing;

// Numbers that do not say what the ioctl does. The kernel looks at the whole number, so they stay as they are.
struct Exception {
  std::string_view c_name;
  Direction direction;  // in the number
  int bytes;            // in the number; -1: as the argument
};
constexpr Exception kExceptions[] = {
    {"KVM_SET_IRQCHIP", Direction::Out, -1},
    {"KVM_SET_PIT", Direction::Out, -1},
    {"KVM_MEMORY_ENCRYPT_REG_REGION", Direction::Out, -1},
    {"KVM_MEMORY_ENCRYPT_UNREG_REGION", Direction::Out, -1},
    {"KVM_REINJECT_CONTROL", Direction::None, 0},      // a pointer all the same
    {"KVM_CLEAR_DIRTY_LOG", Direction::InOut, -1},     // nothing is written back
    {"KVM_CREATE_GUEST_MEMFD", Direction::InOut, -1},  // likewise
    {"KVM_MEMORY_ENCRYPT_OP", Direction::InOut, 8},    // declared with unsigned long
};

kvmapi::u32 expected_number(const IoctlInfo& row) {
  Direction direction = row.passing == Passing::Pointer ? row.direction : Direction::None;
  kvmapi::u32 bytes = row.argument_bytes;
  const auto* found = std::ranges::find(kExceptions, row.c_name, &Exception::c_name);
  if (found != std::end(kExceptions)) {
    direction = found->direction;
    if (found->bytes >= 0) bytes = static_cast<kvmapi::u32>(found->bytes);
  }
  return kvmapi::make_request(kvmapi::split_request(row.number()).nr, direction, bytes);
}

const HostNumber* find_host(std::span<const HostNumber> all, std::string_view c_name) {
  const auto found = std::ranges::find(all, c_name, &HostNumber::c_name);
  return found == all.end() ? nullptr : &*found;
}

void expect_host_number(Ctx& t, std::string_view c_name) {
  const HostNumber* number = find_host(host_header().requests, c_name);
  ASSERT_NE(number, nullptr);
  const std::string version = version_text(host_header());
  if (!number->host) t.skip(fmt::format("<linux/kvm.h> {} has no {}", version, c_name));
  EXPECT_EQ(fmt::format("0x{:08x}", number->documented), fmt::format("0x{:08x}", *number->host))
      << c_name << " in <linux/kvm.h> " << version;
}

void add_request_rows() {
  for (const IoctlInfo& row : kvmapi::ioctls()) {
    const std::string name = lower_words(row.c_name);
    const std::string describe = fmt::format("{} is 0x{:08x}: {}, {} bytes", row.c_name, row.number(),
                                             kvmapi::name(kvmapi::split_request(row.number()).direction),
                                             kvmapi::split_request(row.number()).bytes);
    if (row.is_x86) {
      add_layout_row(
          "request_numbers", name + "_is_made_of_direction_and_size", "kvmapi/ioctls.def", __FILE__, __LINE__,
          [&row](Ctx&) {
            EXPECT_EQ(fmt::format("0x{:08x}", expected_number(row)), fmt::format("0x{:08x}", row.number()));
          },
          describe);
    }
    add_layout_row(
        "request_numbers", name + "_agrees_with_host_header", "<linux/kvm.h>", __FILE__, __LINE__,
        [&row](Ctx& t) { expect_host_number(t, row.c_name); }, describe);
  }
}

const LayoutRegistrar kRequestRows(add_request_rows);

KVM_TEST("layout.request_numbers", "x86_numbers_differ_from_each_other", "kvmapi/ioctls.def")
(Ctx&) {
  std::vector<kvmapi::u32> numbers;
  for (const IoctlInfo& row : kvmapi::ioctls()) {
    if (row.is_x86) numbers.push_back(row.number());
  }
  std::ranges::sort(numbers);
  EXPECT_EQ(std::ranges::adjacent_find(numbers), numbers.end());
}

}  // namespace
}  // namespace conformance
