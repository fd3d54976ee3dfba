// KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID and KVM_GET_SUPPORTED_HV_CPUID on /dev/kvm: rules of the count and
// what the tables must hold.
#include <algorithm>
#include <optional>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::Cpuid;
using kvmapi::kvm_cpuid_entry2;

constexpr std::size_t kPlenty = 256;  // KVM_MAX_CPUID_ENTRIES

// Rules that the three tables share.
template <Ioctl kTable>
struct Shared {
  // The emulated table wants room for one entry more than it returns (get_cpuid_func, __do_cpuid_func_emulated).
  static constexpr std::size_t kSpare = kTable == Ioctl::GetEmulatedCpuid ? 1 : 0;

  static Cpuid whole(Ctx& t) {
    Cpuid all(kPlenty);
    t.must(t.system().raw(kTable, &all.header()), "reading the CPUID table");
    return all;
  }

  static constexpr IoctlCase kRows[] = {
      {.name = "count_0_is_e2big",
       .call =
           [](Ctx& t) {
             Cpuid none(0);
             return t.system().raw(kTable, &none.header());
           },
       .expect = fails(E2BIG)},
      {.name = "exact_count_succeeds_and_writes_nothing_behind",
       .call =
           [](Ctx& t) {
             const std::size_t size = whole(t).count();
             Cpuid list(size + 4);
             std::memset(&list[size + kSpare], kPoison, (4 - kSpare) * sizeof(kvm_cpuid_entry2));
             list->nent = static_cast<u32>(size + kSpare);
             const auto answer = t.system().raw(kTable, &list.header());
             EXPECT_EQ(list.count(), size);
             EXPECT_TRUE(is_poison_from(list, size + kSpare));
             return answer;
           },
       .expect = succeeds(0)},
      {.name = "one_entry_too_few_is_e2big_and_leaves_the_count",
       .call =
           [](Ctx& t) {
             const std::size_t size = whole(t).count();
             Cpuid list(size);
             const auto count = static_cast<u32>(size + kSpare - 1);
             list->nent = count;
             const auto answer = t.system().raw(kTable, &list.header());
             EXPECT_EQ(list.count(), count);
             return answer;
           },
       .expect = fails(E2BIG),
       .status = Abi::observed,
       .source = "kvm_dev_ioctl_get_cpuid"},
      {.name = "larger_count_is_reduced_to_the_actual_one",
       .call =
           [](Ctx& t) {
             Cpuid list(kPlenty);
             const auto answer = t.system().raw(kTable, &list.header());
             EXPECT_LT(list.count(), kPlenty);
             EXPECT_GE(list.count(), 1u);
             return answer;
           },
       .expect = succeeds(0)},
      {.name = "count_far_beyond_the_maximum_is_no_error",
       .call =
           [](Ctx& t) {
             Cpuid list(kPlenty);
             list->nent = 100000;
             const auto answer = t.system().raw(kTable, &list.header());
             EXPECT_LT(list.count(), kPlenty);
             return answer;
           },
       .expect = succeeds(0),
       .status = Abi::observed,
       .source = "kvm_dev_ioctl_get_cpuid; api.rst 4.46 says ENOMEM"},
  };
};

KVM_ROWS("system.get_supported_cpuid", "api.rst 4.46", Shared<Ioctl::GetSupportedCpuid>::kRows);
KVM_ROWS("system.get_emulated_cpuid", "api.rst 4.88", Shared<Ioctl::GetEmulatedCpuid>::kRows);

const kvm_cpuid_entry2* find(const Cpuid& cpuid, u32 function, u32 index = 0) {
  const auto at = std::ranges::find_if(cpuid, [&](const kvm_cpuid_entry2& e) {
    return e.function == function && (e.index == index || (e.flags & 1) == 0);
  });
  return at == cpuid.end() ? nullptr : &*at;
}

KVM_TEST("system.get_supported_cpuid", "is_the_same_every_time_on_one_cpu", "api.rst 4.46", {.status = Abi::sane})
(Ctx& t) {
  const Cpuid a = t.must(t.system().get_supported_cpuid());
  const Cpuid b = t.must(t.system().get_supported_cpuid());
  ASSERT_EQ(a.count(), b.count());
  for (std::size_t i = 0; i < a.count(); ++i) {
    if (a[i].function == 1 || a[i].function == 0xb || a[i].function == 0x1f || a[i].function == 0x8000001e) continue;
    EXPECT_TRUE(same_bytes(a[i], b[i])) << fmt::format("leaf {:#x}.{}", a[i].function, a[i].index);
  }
}

KVM_TEST("system.get_supported_cpuid", "has_the_basic_and_extended_maximum", "api.rst 4.46")(Ctx& t) {
  const Cpuid cpuid = t.must(t.system().get_supported_cpuid());
  for (u32 base : {0u, 0x80000000u}) {
    const kvm_cpuid_entry2* max = find(cpuid, base);
    ASSERT_NE(max, nullptr) << fmt::format("leaf {:#x}", base);
    EXPECT_GE(max->eax, base + 1);
    EXPECT_NE(find(cpuid, base + 1), nullptr);
  }
}

KVM_TEST("system.get_supported_cpuid", "has_the_kvm_signature", "cpuid.rst")(Ctx& t) {
  const Cpuid cpuid = t.must(t.system().get_supported_cpuid());
  const kvm_cpuid_entry2* signature = find(cpuid, 0x40000000);
  ASSERT_NE(signature, nullptr);
  EXPECT_EQ(signature->eax, 0x40000001u);
  EXPECT_EQ(signature->ebx, 0x4b4d564bu);
  EXPECT_EQ(signature->ecx, 0x564b4d56u);
  EXPECT_EQ(signature->edx, 0x4du);
  EXPECT_NE(find(cpuid, 0x40000001), nullptr);
}

KVM_TEST("system.get_supported_cpuid", "offers_kvmclock", "cpuid.rst")(Ctx& t) {
  const kvm_cpuid_entry2* features = find(t.must(t.system().get_supported_cpuid()), 0x40000001);
  ASSERT_NE(features, nullptr);
}

KVM_TEST("system.get_supported_cpuid", "leaf_1_has_the_features_of_every_64_bit_cpu", "api.rst 4.46",
         {.status = Abi::sane})
(Ctx& t) {
  const Cpuid cpuid = t.must(t.system().get_supported_cpuid());
  const kvm_cpuid_entry2* leaf = find(cpuid, 1);
  ASSERT_NE(leaf, nullptr);
  for (int bit : {0, 4, 5, 6, 8, 15, 24, 25, 26}) EXPECT_NE(leaf->edx >> bit & 1, 0u) << "leaf 1 EDX bit " << bit;
}

KVM_TEST("system.get_supported_cpuid", "leaf_1_says_x2apic_whatever_the_host_has", "__do_cpuid_func; api.rst 4.46",
         {.status = Abi::observed})
(Ctx& t) {
  const Cpuid cpuid = t.must(t.system().get_supported_cpuid());
  const kvm_cpuid_entry2* leaf = find(cpuid, 1);
  ASSERT_NE(leaf, nullptr);
  EXPECT_NE(leaf->ecx >> 21 & 1, 0u);
}

KVM_TEST("system.get_supported_cpuid", "entries_with_subleaves_say_so", "api.rst 4.46")(Ctx& t) {
  for (const kvm_cpuid_entry2& entry : t.must(t.system().get_supported_cpuid())) {
    if (entry.index != 0) {
      EXPECT_EQ(entry.flags & 1, 1u) << fmt::format("leaf {:#x}.{}", entry.function, entry.index);
    }
    if (entry.function == 7 || entry.function == 0xd) {
      EXPECT_EQ(entry.flags & 1, 1u) << fmt::format("leaf {:#x}.{}", entry.function, entry.index);
    }
  }
}

KVM_TEST("system.get_supported_cpuid", "padding_is_zero", "api.rst 4.46", {.status = Abi::sane})(Ctx& t) {
  Cpuid cpuid(kPlenty);
  poison(cpuid);
  t.must(t.system().get_supported_cpuid(cpuid));
  for (const kvm_cpuid_entry2& entry : cpuid) {
    EXPECT_EQ(entry.padding, (std::array<u32, 3>{})) << fmt::format("leaf {:#x}.{}", entry.function, entry.index);
  }
}

KVM_TEST("system.get_supported_cpuid", "no_leaf_occurs_twice", "api.rst 4.46", {.status = Abi::sane})(Ctx& t) {
  const Cpuid cpuid = t.must(t.system().get_supported_cpuid());
  for (std::size_t i = 0; i < cpuid.count(); ++i) {
    for (std::size_t j = i + 1; j < cpuid.count(); ++j) {
      EXPECT_FALSE(cpuid[i].function == cpuid[j].function && cpuid[i].index == cpuid[j].index)
          << fmt::format("leaf {:#x}.{}", cpuid[i].function, cpuid[i].index);
    }
  }
}

constexpr IoctlCase kSupported[] = {
    {.name = "entries_in_unmapped_memory_are_efault",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_cpuid2));
           end.as<kvmapi::kvm_cpuid2>().nent = kPlenty;
           return t.system().raw(Ioctl::GetSupportedCpuid, end.address());
         },
     .expect = fails(EFAULT),
     .status = Abi::observed},
};
KVM_ROWS("system.get_supported_cpuid", "api.rst 4.46", kSupported);

constexpr IoctlCase kEmulated[] = {
    {.name = "padding_that_is_not_zero_is_einval",
     .call =
         [](Ctx& t) {
           Cpuid list(kPlenty);
           list[kPlenty - 1].padding[2] = 1;
           list->nent = 80;
           list[79].padding[2] = 1;
           return t.system().get_emulated_cpuid(list);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "sanity_check_entries"},
    {.name = "entries_in_unmapped_memory_are_einval",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_cpuid2));
           end.as<kvmapi::kvm_cpuid2>().nent = 8;
           return t.system().raw(Ioctl::GetEmulatedCpuid, end.address());
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "sanity_check_entries"},
    {.name = "has_leaf_7",
     .call =
         [](Ctx& t) {
           Cpuid list(80);
           const auto answer = t.system().get_emulated_cpuid(list);
           EXPECT_NE(find(list, 7), nullptr);
           return answer;
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "__do_cpuid_func_emulated"},
};
KVM_ROWS("system.get_emulated_cpuid", "api.rst 4.88", kEmulated);

constexpr IoctlCase kHyperv[] = {
    {.name = "count_1_is_e2big",
     .call =
         [](Ctx& t) {
           Cpuid list(1);
           return t.system().get_supported_hv_cpuid(list);
         },
     .expect = fails(E2BIG),
     .needs = {.cap = Cap::SysHypervCpuid}},
    {.name = "larger_count_is_reduced_to_the_actual_one",
     .call =
         [](Ctx& t) {
           Cpuid list(kPlenty);
           const auto answer = t.system().get_supported_hv_cpuid(list);
           EXPECT_LT(list.count(), 20u);
           EXPECT_GE(list.count(), 7u);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::SysHypervCpuid}},
    {.name = "first_leaf_is_the_vendor_leaf",
     .call =
         [](Ctx& t) {
           Cpuid list(kPlenty);
           const auto answer = t.system().get_supported_hv_cpuid(list);
           EXPECT_EQ(list[0].function, 0x40000000u);
           EXPECT_NE(find(list, 0x40000001), nullptr);
           const kvm_cpuid_entry2* interface = find(list, 0x40000001);
           EXPECT_TRUE(interface != nullptr && interface->eax == 0x31237648u) << "signature Hv#1";
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::SysHypervCpuid}},
    {.name = "system_form_does_not_exist_before_5_11",
     .call =
         [](Ctx& t) {
           Cpuid list(kPlenty);
           return t.system().get_supported_hv_cpuid(list);
         },
     .expect = fails(EINVAL),
     .needs = {.kernel_before = {5, 11}},
     .status = Abi::observed},
};
KVM_ROWS("system.get_supported_hv_cpuid", "api.rst 4.118", kHyperv);

}  // namespace
}  // namespace conformance
