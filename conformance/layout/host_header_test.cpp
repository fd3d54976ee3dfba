// The host's <linux/kvm.h> itself: what a C++ program that includes it gets. Headers of some kernels (5.19 to 6.4,
// Debian 12's among them) put an empty struct before flexible arrays; that struct has one byte in C++, so sizes and the
// numbers of ioctls come out wrong.
#include "conformance/layout/host_header.hpp"

#include <fmt/format.h>

#include "conformance/layout/layout_rows.hpp"
#include "kvmapi/ioctl.hpp"

namespace conformance {
namespace {

// The ioctls whose number a C++ program gets wrong from this header.
std::vector<HostNumber> wrong_requests() {
  std::vector<HostNumber> wrong;
  for (const HostNumber& request : host_header_unfixed().requests) {
    if (request.host && *request.host != request.documented) wrong.push_back(request);
  }
  return wrong;
}

KVM_TEST("layout.host_header", "wrong_numbers_in_cplusplus_are_recognised_as_the_flexible_array_bug",
         "<linux/stddef.h>")
(Ctx& t) {
  const auto wrong = wrong_requests();
  if (wrong.empty()) t.skip(fmt::format("<linux/kvm.h> {} is right in C++", version_text(host_header())));
  for (const HostNumber& request : wrong) {
    const auto number = static_cast<kvmapi::u32>(*request.host);
    const kvmapi::IoctlInfo* meant = kvmapi::find_ioctl(request.c_name);
    ASSERT_NE(meant, nullptr);
    EXPECT_EQ(kvmapi::find_ioctl(number), nullptr) << "the wrong number must not mean another ioctl";
    for (const auto kind : {kvmapi::FdKind::System, kvmapi::FdKind::Vm, kvmapi::FdKind::Vcpu}) {
      if (!meant->fds.has(kind)) continue;
      const std::string text = kvmapi::explain_unknown(kind, number);
      EXPECT_THAT(text, testing::HasSubstr("C++ flexible-array bug"));
      EXPECT_THAT(text, testing::HasSubstr(fmt::format("you meant {} ", request.c_name)));
    }
  }
}

KVM_TEST("layout.host_header", "wrong_sizes_in_cplusplus_are_those_of_list_headers_only", "<linux/stddef.h>")
(Ctx& t) {
  int wrong = 0;
  const auto fixed = host_header().structs, unfixed = host_header_unfixed().structs;
  ASSERT_EQ(fixed.size(), unfixed.size());
  for (std::size_t i = 0; i < fixed.size(); ++i) {
    if (fixed[i].bytes == unfixed[i].bytes) continue;
    ++wrong;
    bool has_list = false;
    for (const HostField& field : host_header().fields) {
      has_list = has_list || (field.owner == fixed[i].name && field.host.is_present && field.host.bytes == 0);
    }
    const bool holds_cpuid = fixed[i].name == "kvm_tdx_capabilities" || fixed[i].name == "kvm_tdx_init_vm";
    EXPECT_TRUE(has_list || holds_cpuid) << fixed[i].name << ": " << unfixed[i].bytes << " bytes in C++";
  }
  if (wrong == 0) t.skip(fmt::format("<linux/kvm.h> {} is right in C++", version_text(host_header())));
}

KVM_TEST("layout.host_header", "is_understood", "<linux/kvm.h>")
(Ctx&) {
  int structs = 0, fields = 0, requests = 0;
  for (const HostStruct& each : host_header().structs) structs += each.is_present ? 1 : 0;
  for (const HostField& each : host_header().fields) fields += each.host.is_present ? 1 : 0;
  for (const HostNumber& each : host_header().requests) requests += each.host.has_value() ? 1 : 0;
  EXPECT_GT(structs, 80);
  EXPECT_GT(fields, 400);
  EXPECT_GT(requests, 120);
}

}  // namespace
}  // namespace conformance
