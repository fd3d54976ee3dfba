// KVM_SET_CPUID, KVM_SET_CPUID2, KVM_GET_CPUID2: counts, what comes back, and what may change after the vcpu has run.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::Cpuid;
using kvmapi::LegacyCpuid;

Cpuid supported(Ctx& t) { return t.must(t.system().get_supported_cpuid()); }

// Two leaves that nothing in the kernel changes.
Cpuid tiny() {
  return {{.function = 0, .eax = 1, .ebx = 0x41, .ecx = 0x42, .edx = 0x43}, {.function = 0x40000000, .eax = 7}};
}

constexpr IoctlCase kSet[] = {
    {.name = "supported_table_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid2(supported(t)); },
     .expect = succeeds(0)},
    {.name = "empty_table_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid2(Cpuid(0)); },
     .expect = succeeds(0)},
    {.name = "may_be_called_again_before_run",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(supported(t)));
           return t.vcpu().set_cpuid2(tiny());
         },
     .expect = succeeds(0)},
    {.name = "two_hundred_fifty_seven_entries_are_e2big",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid2(Cpuid(257)); },
     .expect = fails(E2BIG),
     .status = Abi::observed,
     .source = "KVM_MAX_CPUID_ENTRIES"},
    {.name = "two_hundred_fifty_six_entries_are_accepted",
     .call =
         [](Ctx& t) {
           Cpuid table(256);
           for (std::size_t i = 0; i < 256; ++i) table[i].function = static_cast<u32>(0x50000000 + i);
           return t.vcpu().set_cpuid2(table);
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "KVM_MAX_CPUID_ENTRIES"},
    {.name = "huge_count_is_e2big_before_the_entries_are_read",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_cpuid2));
           end.as<kvmapi::kvm_cpuid2>().nent = ~0u;
           return t.vcpu().raw(Ioctl::SetCpuid2, end.address());
         },
     .expect = fails(E2BIG),
     .status = Abi::observed},
    {.name = "entries_in_unmapped_memory_are_efault",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_cpuid2));
           end.as<kvmapi::kvm_cpuid2>().nent = 1;
           return t.vcpu().raw(Ioctl::SetCpuid2, end.address());
         },
     .expect = fails(EFAULT),
     .status = Abi::observed},
    {.name = "linear_address_width_of_40_is_einval",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid2(Cpuid{{.function = 0x80000008, .eax = 40 << 8 | 36}}); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_check_cpuid"},
    {.name = "linear_address_width_of_57_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid2(Cpuid{{.function = 0x80000008, .eax = 57 << 8 | 36}}); },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_check_cpuid"},
    {.name = "linear_address_width_of_0_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid2(Cpuid{{.function = 0x80000008, .eax = 36}}); },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_check_cpuid"},
};
KVM_ROWS("vcpu.set_cpuid2", "api.rst 4.20, 4.46", kSet);

constexpr IoctlCase kAfterRun[] = {
    {.name = "other_data_after_run_by_kernel",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(tiny()));
           run_once(t);
           Cpuid other = tiny();
           other[0].ebx = 0x99;
           return t.vcpu().set_cpuid2(other);
         },
     .expect = before(5, 16, succeeds(0)).then(fails(EINVAL)),
     .status = Abi::observed,
     .source = "kvm_set_cpuid"},
    {.name = "fewer_entries_after_run_by_kernel",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(tiny()));
           run_once(t);
           return t.vcpu().set_cpuid2(Cpuid(0));
         },
     .expect = before(5, 16, succeeds(0)).then(fails(EINVAL)),
     .status = Abi::observed,
     .source = "kvm_set_cpuid"},
    {.name = "same_data_after_run_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(tiny()));
           run_once(t);
           return t.vcpu().set_cpuid2(tiny());
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_set_cpuid"},
    {.name = "same_supported_table_after_run_is_accepted",
     .call =
         [](Ctx& t) {
           const Cpuid table = supported(t);
           t.must(t.vcpu().set_cpuid2(table));
           run_once(t);
           return t.vcpu().set_cpuid2(table);
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_set_cpuid"},
};
KVM_ROWS("vcpu.set_cpuid2", "kvm_set_cpuid", kAfterRun);

constexpr IoctlCase kGet[] = {
    {.name = "new_vcpu_has_an_empty_table",
     .call =
         [](Ctx& t) {
           auto list = poisoned<Cpuid>(4, 4);
           const auto answer = t.vcpu().get_cpuid2(list);
           EXPECT_TRUE(is_poison_from(list, 0));
           return answer;
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "too_small_a_count_is_e2big_and_stays",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(tiny()));
           Cpuid list(1);
           const auto answer = t.vcpu().get_cpuid2(list);
           EXPECT_EQ(list.count(), 1u);
           return answer;
         },
     .expect = fails(E2BIG),
     .status = Abi::observed},
    {.name = "entries_in_unmapped_memory_are_efault",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(tiny()));
           const LastBytes end(sizeof(kvmapi::kvm_cpuid2));
           end.as<kvmapi::kvm_cpuid2>().nent = 64;
           return t.vcpu().raw(Ioctl::GetCpuid2, end.address());
         },
     .expect = fails(EFAULT),
     .status = Abi::observed},
    {.name = "what_was_set_is_read_back",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(tiny()));
           Cpuid list(2);
           const auto answer = t.vcpu().get_cpuid2(list);
           EXPECT_TRUE(same_bytes(list[0], tiny()[0]));
           EXPECT_TRUE(same_bytes(list[1], tiny()[1]));
           return answer;
         },
     .expect = succeeds(0)},
    {.name = "larger_count_becomes_the_real_one_after_6_1",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(tiny()));
           auto list = poisoned<Cpuid>(8, 8);
           const auto answer = t.vcpu().get_cpuid2(list);
           EXPECT_TRUE(is_poison_from(list, 2));
           if (t.kernel() >= Version{6, 12}) {
             EXPECT_EQ(list.count(), 2u);
           } else if (t.kernel() < Version{6, 2}) {
             EXPECT_EQ(list.count(), 8u);
           }
           return answer;
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_vcpu_ioctl_get_cpuid2"},
};
KVM_ROWS("vcpu.get_cpuid2", "api.rst 4.20, 4.46", kGet);

constexpr IoctlCase kLegacy[] = {
    {.name = "entries_are_read_back_by_the_new_form",
     .call =
         [](Ctx& t) {
           return t.vcpu().set_cpuid(LegacyCpuid{{.function = 5, .eax = 1, .ebx = 2, .ecx = 3, .edx = 4}});
         },
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           Cpuid list(1);
           t.must(t.vcpu().get_cpuid2(list));
           EXPECT_EQ(list[0].function, 5u);
           EXPECT_EQ(list[0].index, 0u);
           EXPECT_EQ(list[0].flags, 0u);
           EXPECT_EQ(list[0].edx, 4u);
         }},
    {.name = "two_hundred_fifty_seven_entries_are_e2big",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid(LegacyCpuid(257)); },
     .expect = fails(E2BIG),
     .status = Abi::observed},
    {.name = "empty_table_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_cpuid(LegacyCpuid(0)); },
     .expect = succeeds(0)},
};
KVM_ROWS("vcpu.set_cpuid", "api.rst 4.20", kLegacy);

KVM_TEST("vcpu.set_cpuid2", "guest_cpuid_shows_the_entry", "api.rst 4.20")(Ctx& t) {
  t.must(t.vcpu().set_cpuid2(
      Cpuid{{.function = 0, .eax = 1}, {.function = 1, .eax = 0x600}, {.function = 0x40000000, .ebx = 0x12345678}}));
  load(t, {0x66, 0xb8, 0x00, 0x00, 0x00, 0x40, 0x0f, 0xa2, 0xf4});  // mov eax, 0x40000000; cpuid; hlt
  run_to_halt(t);
  EXPECT_EQ(t.must(t.vcpu().get_regs()).rbx, 0x12345678u);
}

KVM_TEST("vcpu.set_cpuid2", "refused_table_leaves_the_old_one", "api.rst 4.20 warns it may be lost; kvm_set_cpuid",
         {.needs = {.kernel = {5, 16}}, .status = Abi::observed})
(Ctx& t) {
  t.must(t.vcpu().set_cpuid2(tiny()));
  EXPECT_THAT(t.vcpu().set_cpuid2(Cpuid{{.function = 0x80000008, .eax = 40 << 8 | 36}}), FailsWith(EINVAL));
  Cpuid list(2);
  t.must(t.vcpu().get_cpuid2(list));
  EXPECT_TRUE(same_bytes(list[0], tiny()[0]));
}

KVM_TEST("vcpu.set_cpuid2", "apic_bit_follows_the_apic_base", "kvm_update_cpuid_runtime", {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(t.vcpu().set_cpuid2(Cpuid{{.function = 1, .edx = 0}}));
  Cpuid list(256);
  t.must(t.vcpu().get_cpuid2(list));
  EXPECT_NE(list[0].edx & (1u << 9), 0u) << "the APIC is enabled";
}

KVM_TEST("vcpu.set_cpuid2", "osxsave_bit_follows_cr4", "kvm_update_cpuid_runtime",
         {.needs = {.cpu = cpu_feature::kXsave}, .status = Abi::observed})
(Ctx& t) {
  t.must(t.vcpu().set_cpuid2(supported(t)));
  auto osxsave = [&] {
    Cpuid list(256);
    t.must(t.vcpu().get_cpuid2(list));
    for (const auto& entry : list.all()) {
      if (entry.function == 1) return entry.ecx >> 27 & 1;
    }
    return ~0u;
  };
  EXPECT_EQ(osxsave(), 0u);
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.cr4 |= 1u << 18;
  t.must(t.vcpu().set_sregs(sregs));
  EXPECT_EQ(osxsave(), 1u);
}

}  // namespace
}  // namespace conformance
