// KVM_GET_MSR_INDEX_LIST and KVM_GET_MSR_FEATURE_INDEX_LIST: a header with a count, then MSR numbers. The count is
// corrected both on success and with E2BIG.
#include <algorithm>
#include <set>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::MsrIndexList;
using kvmapi::Msrs;

constexpr std::size_t kPlenty = 2048;

// The rows that both lists share.
template <Ioctl kList>
struct Shared {
  static MsrIndexList whole(Ctx& t) {
    MsrIndexList all(kPlenty);
    t.must(t.system().raw(kList, &all.header()), "reading the MSR list");
    return all;
  }

  static constexpr IoctlCase kRows[] = {
      {.name = "count_0_is_e2big_and_writes_the_needed_count",
       .call =
           [](Ctx& t) {
             MsrIndexList none(0);
             const auto answer = t.system().raw(kList, &none.header());
             EXPECT_EQ(none.count(), whole(t).count());
             return answer;
           },
       .expect = fails(E2BIG)},
      {.name = "one_entry_too_few_is_e2big_and_writes_no_entry",
       .call =
           [](Ctx& t) {
             const std::size_t size = whole(t).count();
             auto list = poisoned<MsrIndexList>(size, size - 1);
             const auto answer = t.system().raw(kList, &list.header());
             EXPECT_EQ(list.count(), size);
             EXPECT_TRUE(is_poison_from(list, 0));
             return answer;
           },
       .expect = fails(E2BIG),
       .status = Abi::observed},
      {.name = "exact_count_succeeds_and_writes_nothing_behind",
       .call =
           [](Ctx& t) {
             const std::size_t size = whole(t).count();
             auto list = poisoned<MsrIndexList>(size + 16, size);
             const auto answer = t.system().raw(kList, &list.header());
             EXPECT_EQ(list.count(), size);
             EXPECT_TRUE(is_poison_from(list, size));
             return answer;
           },
       .expect = succeeds(0)},
      {.name = "larger_count_is_reduced_to_the_actual_one",
       .call =
           [](Ctx& t) {
             const std::size_t size = whole(t).count();
             auto list = poisoned<MsrIndexList>(kPlenty, kPlenty);
             const auto answer = t.system().raw(kList, &list.header());
             EXPECT_EQ(list.count(), size);
             EXPECT_FALSE(is_poison_from(list, size - 1));
             EXPECT_TRUE(is_poison_from(list, size));
             return answer;
           },
       .expect = succeeds(0)},
      {.name = "no_number_occurs_twice",
       .call =
           [](Ctx& t) {
             MsrIndexList all(kPlenty);
             const auto answer = t.system().raw(kList, &all.header());
             EXPECT_EQ(std::set<u32>(all.begin(), all.end()).size(), all.count());
             return answer;
           },
       .expect = succeeds(0),
       .status = Abi::sane},
      {.name = "does_not_change_when_a_vcpu_is_made",
       .call =
           [](Ctx& t) {
             const MsrIndexList before = whole(t);
             t.vcpu();
             MsrIndexList after(kPlenty);
             const auto answer = t.system().raw(kList, &after.header());
             EXPECT_TRUE(std::ranges::equal(before.entries(), after.entries()));
             return answer;
           },
       .expect = succeeds(0)},
      {.name = "entries_in_unmapped_memory_are_efault",
       .call =
           [](Ctx& t) {
             const LastBytes end(sizeof(kvmapi::kvm_msr_list));
             end.as<kvmapi::kvm_msr_list>().nmsrs = kPlenty;
             return t.system().raw(kList, end.address());
           },
       .expect = fails(EFAULT),
       .status = Abi::observed},
  };
};

KVM_ROWS("system.get_msr_index_list", "api.rst 4.3", Shared<Ioctl::GetMsrIndexList>::kRows);
KVM_ROWS("system.get_msr_feature_index_list", "api.rst 4.3", Shared<Ioctl::GetMsrFeatureIndexList>::kRows);

bool holds(const MsrIndexList& list, u32 msr) { return std::ranges::find(list, msr) != list.end(); }

KVM_TEST("system.get_msr_index_list", "names_the_msrs_that_every_guest_needs", "api.rst 4.3; msrs_to_save_base",
         {.status = Abi::observed})
(Ctx& t) {
  const MsrIndexList all = t.must(t.system().get_msr_index_list());
  // SYSENTER_*, TSC, PAT, STAR, LSTAR, CSTAR, FMASK, KERNEL_GS_BASE.
  for (u32 msr :
       {0x174u, 0x175u, 0x176u, 0x10u, 0x277u, 0xc0000081u, 0xc0000082u, 0xc0000083u, 0xc0000084u, 0xc0000102u}) {
    EXPECT_TRUE(holds(all, msr)) << fmt::format("MSR {:#x}", msr);
  }
}

KVM_TEST("system.get_msr_index_list", "names_the_msrs_of_kvm_itself", "msr.rst; emulated_msrs_all",
         {.status = Abi::observed})
(Ctx& t) {
  const MsrIndexList all = t.must(t.system().get_msr_index_list());
  for (u32 msr : {0x11u, 0x12u, 0x4b564d00u, 0x4b564d01u, 0x4b564d02u, 0x4b564d03u, 0x4b564d04u}) {
    EXPECT_TRUE(holds(all, msr)) << fmt::format("MSR {:#x}", msr);
  }
}

KVM_TEST("system.get_msr_index_list", "every_listed_msr_can_be_read", "api.rst 4.18",
         {.needs = {.kernel = {6, 1}}, .status = Abi::sane})  // older ones list PMU registers that need CPUID first
(Ctx& t) {
  for (u32 msr : t.must(t.system().get_msr_index_list())) {
    EXPECT_THAT(t.vcpu().get_msr(msr), Succeeds()) << fmt::format("MSR {:#x}", msr);
  }
}

KVM_TEST("system.get_msr_feature_index_list", "every_listed_msr_can_be_read_on_the_system_descriptor", "api.rst 4.18")
(Ctx& t) {
  for (u32 msr : t.must(t.system().get_msr_feature_index_list())) {
    Msrs one{{.index = msr}};
    EXPECT_THAT(t.system().get_msrs(one), Returns(1)) << fmt::format("MSR {:#x}", msr);
  }
}

KVM_TEST("system.get_msr_feature_index_list", "names_arch_capabilities_and_ucode_rev",
         "msr_based_features_all_except_vmx", {.status = Abi::observed})
(Ctx& t) {
  const MsrIndexList all = t.must(t.system().get_msr_feature_index_list());
  EXPECT_TRUE(holds(all, 0x8b));
  EXPECT_TRUE(holds(all, 0x10a));
}

}  // namespace
}  // namespace conformance
