// KVM_GET_MSRS on /dev/kvm: values of feature MSRs, what the host can give a guest. On a vcpu:
// conformance/vcpu/msrs_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::Msrs;

constexpr u32 kUcodeRev = 0x8b;
constexpr u32 kTsc = 0x10;  // listed by KVM_GET_MSR_INDEX_LIST, but no feature MSR
constexpr u32 kUnknown = 0xdead0000;

constexpr IoctlCase kRows[] = {
    {.name = "count_0_returns_0",
     .call =
         [](Ctx& t) {
           Msrs none(0);
           return t.system().get_msrs(none);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "returns_the_number_of_entries_done",
     .call =
         [](Ctx& t) {
           Msrs list{{.index = kUcodeRev}, {.index = kUcodeRev}};
           return t.system().get_msrs(list);
         },
     .expect = succeeds(2)},
    {.name = "stops_at_an_unknown_msr",
     .call =
         [](Ctx& t) {
           Msrs list{{.index = kUcodeRev}, {.index = kUnknown}, {.index = kUcodeRev, .data = 0x55}};
           const auto answer = t.system().get_msrs(list);
           EXPECT_EQ(list[2].data, 0x55u) << "the entry behind the bad one was changed";
           return answer;
         },
     .expect = succeeds(1)},
    {.name = "msr_that_is_no_feature_msr_reads_0_or_stops_by_kernel",
     .call =
         [](Ctx& t) {
           Msrs list{{.index = kTsc}};
           const auto answer = t.system().get_msrs(list);
           EXPECT_EQ(list[0].data, 0u);
           return answer;
         },
     .expect = before(6, 12, succeeds(0)).then(succeeds(1)),
     .status = Abi::observed,
     .source = "kvm_do_msr_access, kvm_is_advertised_msr"},
    {.name = "first_msr_unknown_returns_0",
     .call =
         [](Ctx& t) {
           Msrs list{{.index = kUnknown}};
           return t.system().get_msrs(list);
         },
     .expect = succeeds(0)},
    {.name = "leaves_index_and_reserved_as_they_are",
     .call =
         [](Ctx& t) {
           Msrs list{{.index = kUcodeRev, .reserved = 0x1234}};
           const auto answer = t.system().get_msrs(list);
           EXPECT_EQ(list[0].index, kUcodeRev);
           EXPECT_EQ(list[0].reserved, 0x1234u);
           return answer;
         },
     .expect = succeeds(1),
     .status = Abi::observed},
    {.name = "two_hundred_fifty_five_entries_are_accepted",
     .call =
         [](Ctx& t) {
           Msrs list(255);
           for (auto& entry : list) entry.index = kUcodeRev;
           return t.system().get_msrs(list);
         },
     .expect = succeeds(255),
     .status = Abi::observed,
     .source = "msr_io, MAX_IO_MSRS"},
    {.name = "two_hundred_fifty_six_entries_are_e2big",
     .call =
         [](Ctx& t) {
           Msrs list(256);
           for (auto& entry : list) entry.index = kUcodeRev;
           return t.system().get_msrs(list);
         },
     .expect = fails(E2BIG),
     .status = Abi::observed,
     .source = "msr_io, MAX_IO_MSRS"},
    {.name = "huge_count_is_e2big_before_the_list_is_read",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_msrs));
           end.as<kvmapi::kvm_msrs>().nmsrs = ~0u;
           return t.system().raw(Ioctl::GetMsrs, end.address());
         },
     .expect = fails(E2BIG),
     .status = Abi::observed,
     .source = "msr_io"},
    {.name = "entries_in_unmapped_memory_are_efault",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_msrs));
           end.as<kvmapi::kvm_msrs>().nmsrs = 1;
           return t.system().raw(Ioctl::GetMsrs, end.address());
         },
     .expect = fails(EFAULT),
     .status = Abi::observed,
     .source = "msr_io"},
};
KVM_ROWS("system.get_msrs", "api.rst 4.18", kRows);

}  // namespace
}  // namespace conformance
