// Rows of KVM_GET_MSRS that hold on /dev/kvm and on a vcpu alike: how many entries are done, where it stops.
#pragma once

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {

inline constexpr kvmapi::u32 kUnknownMsr = 0xdead0000;

// `On` names the descriptor: On::of(t) has get_msrs() and raw(), On::kMsr can be read there.
template <class On>
auto get_same_msr(Ctx& t, std::size_t times) {
  kvmapi::Msrs list(times);
  for (auto& entry : list) entry.index = On::kMsr;
  return On::of(t).get_msrs(list);
}

// A list that ends behind its head, which says that there are `count` entries.
template <class On>
auto get_msrs_of_a_head_alone(Ctx& t, kvmapi::u32 count) {
  const LastBytes end(sizeof(kvmapi::kvm_msrs));
  end.as<kvmapi::kvm_msrs>().nmsrs = count;
  return On::of(t).raw(Ioctl::GetMsrs, end.address());
}

template <class On>
inline constexpr IoctlCase kMsrListRows[] = {
    {.name = "count_0_returns_0",
     .call = [](Ctx& t) { return get_same_msr<On>(t, 0); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "same_msr_twice_counts_twice",
     .call = [](Ctx& t) { return get_same_msr<On>(t, 2); },
     .expect = succeeds(2)},
    {.name = "stops_at_the_first_unknown_msr",
     .call =
         [](Ctx& t) {
           kvmapi::Msrs list{{.index = On::kMsr}, {.index = kUnknownMsr, .data = 7}, {.index = On::kMsr, .data = 0x55}};
           const auto answer = On::of(t).get_msrs(list);
           EXPECT_EQ(list[2].data, 0x55u) << "the entry behind the bad one was changed";
           return answer;
         },
     .expect = succeeds(1)},
    {.name = "first_msr_unknown_returns_0_not_an_error",
     .call =
         [](Ctx& t) {
           kvmapi::Msrs list{{.index = kUnknownMsr}};
           return On::of(t).get_msrs(list);
         },
     .expect = succeeds(0)},
    {.name = "leaves_index_and_reserved_as_they_are",
     .call =
         [](Ctx& t) {
           kvmapi::Msrs list{{.index = On::kMsr, .reserved = 0x1234}};
           const auto answer = On::of(t).get_msrs(list);
           EXPECT_EQ(list[0].index, On::kMsr);
           EXPECT_EQ(list[0].reserved, 0x1234u);
           return answer;
         },
     .expect = succeeds(1),
     .status = Abi::observed},
    {.name = "two_hundred_fifty_five_entries_are_accepted",
     .call = [](Ctx& t) { return get_same_msr<On>(t, 255); },
     .expect = succeeds(255),
     .status = Abi::observed,
     .source = "msr_io, MAX_IO_MSRS"},
    {.name = "two_hundred_fifty_six_entries_are_e2big",
     .call = [](Ctx& t) { return get_same_msr<On>(t, 256); },
     .expect = fails(E2BIG),
     .status = Abi::observed,
     .source = "msr_io, MAX_IO_MSRS"},
    {.name = "huge_count_is_e2big_before_the_list_is_read",
     .call = [](Ctx& t) { return get_msrs_of_a_head_alone<On>(t, ~0u); },
     .expect = fails(E2BIG),
     .status = Abi::observed,
     .source = "msr_io"},
    {.name = "entries_in_unmapped_memory_are_efault",
     .call = [](Ctx& t) { return get_msrs_of_a_head_alone<On>(t, 1); },
     .expect = fails(EFAULT),
     .status = Abi::observed,
     .source = "msr_io"},
};

}  // namespace conformance
