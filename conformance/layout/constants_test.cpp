// Numbers of capabilities, exit reasons and all other constants: our tables against the host's <linux/kvm.h> and
// <linux/kvm_para.h>.
#include "kvmapi/constants.hpp"

#include <fmt/format.h>

#include <set>

#include "conformance/layout/host_header.hpp"
#include "conformance/layout/layout_rows.hpp"

namespace conformance {
namespace {

// Our tables are those of this version.
constexpr kvmapi::u32 kTableVersion = 0x070300;

// Values of names that both have must be the same, with two exceptions: a count of things grows from version to
// version, and a mask of known bits gains bits.
void expect_same_value(const HostNumber& row) {
  const kvmapi::u64 ours = row.documented, host = *row.host;
  const bool is_host_older = host_header().version < kTableVersion;
  const std::string where = fmt::format("{} in <linux/kvm.h> {}", row.c_name, version_text(host_header()));
  if (row.c_name.ends_with("_MAX")) {
    EXPECT_LE(is_host_older ? host : ours, is_host_older ? ours : host) << where;
  } else if (row.c_name.ends_with("_VALID_MASK") || row.c_name.ends_with("_FLAG_MASK")) {
    EXPECT_EQ(is_host_older ? host & ~ours : ours & ~host, 0u) << where;
  } else {
    EXPECT_EQ(ours, host) << where;
  }
}

// Compares the rows that `is_wanted`; the number of rows that the header has.
template <class Wanted>
int expect_same(std::span<const HostNumber> rows, Wanted is_wanted) {
  int present = 0;
  for (const HostNumber& row : rows) {
    if (!is_wanted(row.c_name) || !row.host) continue;
    ++present;
    expect_same_value(row);
  }
  return present;
}

void expect_group(Ctx& t, std::string_view group) {
  std::set<std::string_view> names;
  for (const kvmapi::ConstantInfo& constant : kvmapi::constants(group)) names.insert(constant.c_name);
  const int present = expect_same(host_header().constants, [&](std::string_view name) { return names.contains(name); });
  if (present == 0) t.skip(fmt::format("<linux/kvm.h> {} has none of them", version_text(host_header())));
}

std::string group_text(std::string_view group) {
  std::string text;
  for (const kvmapi::ConstantInfo& constant : kvmapi::constants(group)) {
    text += fmt::format("{}{} = 0x{:x}", text.empty() ? "" : "\n", constant.c_name, constant.value);
  }
  return text;
}

void add_constant_rows() {
  std::set<std::string_view> groups;
  for (const kvmapi::ConstantInfo& constant : kvmapi::constants()) groups.insert(constant.group);
  for (const std::string_view group : groups) {
    add_layout_row(
        "constants", lower_words(group) + "_agree_with_host_header", "<linux/kvm.h>", __FILE__, __LINE__,
        [group](Ctx& t) { expect_group(t, group); }, group_text(group));
  }
}

const LayoutRegistrar kConstantRows(add_constant_rows);

KVM_TEST("layout.capabilities", "numbers_agree_with_host_header", "<linux/kvm.h>")
(Ctx&) {
  const int present = expect_same(host_header().capabilities, [](std::string_view) { return true; });
  EXPECT_GT(present, 180) << "a header that has hardly any capability was not understood";
}

KVM_TEST("layout.exits", "numbers_agree_with_host_header", "<linux/kvm.h>")
(Ctx&) {
  const int present = expect_same(host_header().exits, [](std::string_view) { return true; });
  EXPECT_GT(present, 25) << "a header that has hardly any exit reason was not understood";
}

}  // namespace
}  // namespace conformance
