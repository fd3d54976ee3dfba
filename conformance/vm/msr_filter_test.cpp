// KVM_X86_SET_MSR_FILTER and KVM_SET_PMU_EVENT_FILTER: which filters are accepted. What a filter does to a running
// guest: conformance/run/msr_exit_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_msr_filter;
using kvmapi::PmuEventFilter;

constexpr u32 kRead = 1, kWrite = 2, kDefaultDeny = 1;

// 64 KiB of ones for the largest bitmap.
u64 bitmap() {
  static u64 words[1024];
  return reinterpret_cast<u64>(words);
}

kvm_msr_filter one_range(u32 flags, u32 count, u32 base = 0x174) {
  kvm_msr_filter filter{};
  filter.ranges[0] = {.flags = flags, .nmsrs = count, .base = base, .bitmap = bitmap()};
  return filter;
}

constexpr IoctlCase kRows[] = {
    {.name = "empty_allowing_filter_is_accepted",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter({}); },
     .expect = succeeds(0)},
    {.name = "denying_everything_without_ranges_is_einval",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter({.flags = kDefaultDeny}); },
     .expect = fails(EINVAL)},
    {.name = "one_range_is_accepted",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter(one_range(kRead | kWrite, 16)); },
     .expect = succeeds(0)},
    {.name = "denying_with_one_range_is_accepted",
     .call =
         [](Ctx& t) {
           auto filter = one_range(kRead, 16);
           filter.flags = kDefaultDeny;
           return t.vm().x86_set_msr_filter(filter);
         },
     .expect = succeeds(0)},
    {.name = "unknown_flag_is_einval",
     .call =
         [](Ctx& t) {
           auto filter = one_range(kRead, 16);
           filter.flags = 2;
           return t.vm().x86_set_msr_filter(filter);
         },
     .expect = fails(EINVAL)},
    {.name = "range_without_read_and_write_is_einval",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter(one_range(0, 16)); },
     .expect = fails(EINVAL)},
    {.name = "range_with_unknown_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter(one_range(4, 16)); },
     .expect = fails(EINVAL)},
    {.name = "empty_range_is_not_looked_at",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter(one_range(0xff, 0)); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "bitmap_of_0x600_bytes_is_accepted",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter(one_range(kRead, 0x600 * 8)); },
     .expect = succeeds(0)},
    {.name = "larger_bitmap_is_einval",
     .call = [](Ctx& t) { return t.vm().x86_set_msr_filter(one_range(kRead, 0x600 * 8 + 1)); },
     .expect = fails(EINVAL)},
    {.name = "bitmap_in_unmapped_memory_is_efault",
     .call =
         [](Ctx& t) {
           auto filter = one_range(kRead, 16);
           filter.ranges[0].bitmap = 8;
           return t.vm().x86_set_msr_filter(filter);
         },
     .expect = fails(EFAULT)},
    {.name = "sixteen_ranges_are_accepted",
     .call =
         [](Ctx& t) {
           kvm_msr_filter filter{};
           for (u32 i = 0; i < 16; ++i) filter.ranges[i] = one_range(kRead, 8, 0x1000 * i).ranges[0];
           return t.vm().x86_set_msr_filter(filter);
         },
     .expect = succeeds(0)},
    {.name = "bad_last_range_is_einval",
     .call =
         [](Ctx& t) {
           kvm_msr_filter filter = one_range(kRead, 8);
           filter.ranges[15] = one_range(0, 8).ranges[0];
           return t.vm().x86_set_msr_filter(filter);
         },
     .expect = fails(EINVAL)},
    {.name = "may_be_replaced_and_taken_back",
     .call =
         [](Ctx& t) {
           t.must(t.vm().x86_set_msr_filter(one_range(kRead, 16)));
           t.must(t.vm().x86_set_msr_filter(one_range(kWrite, 16)));
           return t.vm().x86_set_msr_filter({});
         },
     .expect = succeeds(0)},
    {.name = "works_after_a_vcpu",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().x86_set_msr_filter(one_range(kRead, 16));
         },
     .expect = succeeds(0)},
    {.name = "does_not_reach_msr_access_by_ioctl",
     .call =
         [](Ctx& t) {
           auto filter = one_range(kRead | kWrite, 16, 0x174);
           filter.flags = kDefaultDeny;
           t.must(t.vm().x86_set_msr_filter(filter));
           return t.vcpu().set_msr(0x174, 0x10);
         },
     .expect = succeeds(),
     .source = "api.rst 4.97"},
};
KVM_ROWS("vm.x86_set_msr_filter", "api.rst 4.97", kRows);

constexpr IoctlCase kPmu[] = {
    {.name = "empty_allow_list_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_pmu_event_filter(PmuEventFilter(0)); },
     .expect = succeeds(0)},
    {.name = "deny_list_is_accepted",
     .call =
         [](Ctx& t) {
           PmuEventFilter filter{0xc0, 0x3c};
           filter->action = 1;
           return t.vm().set_pmu_event_filter(filter);
         },
     .expect = succeeds(0)},
    {.name = "action_2_is_einval",
     .call =
         [](Ctx& t) {
           PmuEventFilter filter(0);
           filter->action = 2;
           return t.vm().set_pmu_event_filter(filter);
         },
     .expect = fails(EINVAL)},
    {.name = "unknown_flag_is_einval",
     .call =
         [](Ctx& t) {
           PmuEventFilter filter(0);
           filter->flags = 0x80;
           return t.vm().set_pmu_event_filter(filter);
         },
     .expect = fails(EINVAL)},
    {.name = "three_hundred_events_are_accepted",
     .call = [](Ctx& t) { return t.vm().set_pmu_event_filter(PmuEventFilter(300)); },
     .expect = succeeds(0)},
    {.name = "three_hundred_and_one_events_are_e2big",
     .call = [](Ctx& t) { return t.vm().set_pmu_event_filter(PmuEventFilter(301)); },
     .expect = fails(E2BIG)},
    {.name = "events_in_unmapped_memory_are_efault",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_pmu_event_filter));
           end.as<kvmapi::kvm_pmu_event_filter>().nevents = 1;
           return t.vm().raw(Ioctl::SetPmuEventFilter, end.address());
         },
     .expect = fails(EFAULT)},
};
KVM_ROWS("vm.set_pmu_event_filter", "api.rst 4.120", kPmu);

}  // namespace
}  // namespace conformance
