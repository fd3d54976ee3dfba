// KVM_GET_XCRS, KVM_SET_XCRS: extended control registers.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_xcrs;

void with_cpuid(Ctx& t) { t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid()))); }

constexpr IoctlCase kXcrs[] = {
    {.name = "only_x87_is_accepted",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           kvm_xcrs xcrs{.nr_xcrs = 1};
           xcrs.xcrs[0].value = 1;
           return t.vcpu().set_xcrs(xcrs);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Xcrs, .cpu = cpu_feature::kXsave},
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_xcrs()).xcrs[0].value, 1u); }},
    {.name = "x87_and_sse_are_accepted",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           kvm_xcrs xcrs{.nr_xcrs = 1};
           xcrs.xcrs[0].value = 3;
           return t.vcpu().set_xcrs(xcrs);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Xcrs, .cpu = cpu_feature::kXsave},
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_xcrs()).xcrs[0].value, 3u); }},
    {.name = "without_x87_is_einval",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           kvm_xcrs xcrs{.nr_xcrs = 1};
           xcrs.xcrs[0].value = 2;
           return t.vcpu().set_xcrs(xcrs);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::Xcrs, .cpu = cpu_feature::kXsave}},
    {.name = "avx_without_sse_is_einval",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           kvm_xcrs xcrs{.nr_xcrs = 1};
           xcrs.xcrs[0].value = 5;
           return t.vcpu().set_xcrs(xcrs);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::Xcrs, .cpu = cpu_feature::kXsave}},
    {.name = "unknown_feature_is_einval",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           kvm_xcrs xcrs{.nr_xcrs = 1};
           xcrs.xcrs[0].value = u64{1} << 62 | 3;
           return t.vcpu().set_xcrs(xcrs);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::Xcrs, .cpu = cpu_feature::kXsave}},
    {.name = "sse_before_set_cpuid2_is_einval",
     .call =
         [](Ctx& t) {
           kvm_xcrs xcrs{.nr_xcrs = 1};
           xcrs.xcrs[0].value = 7;
           return t.vcpu().set_xcrs(xcrs);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::Xcrs, .cpu = cpu_feature::kXsave},
     .status = Abi::observed,
     .source = "__kvm_set_xcr"},
    {.name = "seventeen_registers_are_einval",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           return t.vcpu().set_xcrs({.nr_xcrs = 17});
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::Xcrs}},
    {.name = "flags_are_einval",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           return t.vcpu().set_xcrs({.nr_xcrs = 0, .flags = 1});
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::Xcrs}},
    {.name = "register_other_than_xcr0_is_ignored",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           kvm_xcrs xcrs{.nr_xcrs = 1};
           xcrs.xcrs[0] = {.xcr = 1, .value = 0xffff};
           return t.vcpu().set_xcrs(xcrs);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Xcrs},
     .status = Abi::observed},
    {.name = "count_0_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_xcrs({}); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Xcrs},
     .status = Abi::observed},
};
KVM_ROWS("vcpu.set_xcrs", "api.rst 4.45", kXcrs);

KVM_TEST("vcpu.set_xcrs", "size_of_the_area_in_cpuid_follows", "kvm_update_cpuid_runtime",
         {.needs = {.cap = Cap::Xcrs, .cpu = cpu_feature::kAvx}, .status = Abi::observed})
(Ctx& t) {
  with_cpuid(t);
  const auto area_bytes = [&t] {
    kvmapi::Cpuid table(256);
    t.must(t.vcpu().get_cpuid2(table));
    for (const auto& entry : table.all())
      if (entry.function == 0xd && entry.index == 0) return entry.ebx;
    return 0u;
  };
  kvm_xcrs xcrs{.nr_xcrs = 1};
  for (const auto& [xcr0, bytes] : {std::pair{7u, 832u}, std::pair{3u, 576u}, std::pair{1u, 576u}}) {
    xcrs.xcrs[0].value = xcr0;
    t.must(t.vcpu().set_xcrs(xcrs));
    EXPECT_EQ(area_bytes(), bytes) << "XCR0 = " << xcr0;
  }
}

KVM_TEST("vcpu.get_xcrs", "shows_one_register_that_starts_as_1", "api.rst 4.44; SDM 3A 9.1.1",
         {.needs = {.cap = Cap::Xcrs}})
(Ctx& t) {
  const kvm_xcrs xcrs = t.must(t.vcpu().get_xcrs());
  EXPECT_EQ(xcrs.nr_xcrs, 1u);
  EXPECT_EQ(xcrs.flags, 0u);
  EXPECT_EQ(xcrs.xcrs[0].xcr, 0u);
  EXPECT_EQ(xcrs.xcrs[0].value, 1u);
}

}  // namespace
}  // namespace conformance
