// KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR, KVM_SET_BOOT_CPU_ID, KVM_SET_NR_MMU_PAGES, KVM_GET_NR_MMU_PAGES: small
// settings of a VM.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kTss[] = {
    {.name = "usual_address_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_tss_addr({0xfffbd000}); },
     .expect = succeeds(0)},
    {.name = "three_pages_below_4_gib_is_the_last_place",
     .call = [](Ctx& t) { return t.vm().set_tss_addr({0xffffd000}); },
     .expect = succeeds(0)},
    {.name = "two_pages_below_4_gib_is_einval",
     .call = [](Ctx& t) { return t.vm().set_tss_addr({0xffffe000}); },
     .expect = fails(EINVAL)},
    {.name = "above_4_gib_is_einval",
     .call = [](Ctx& t) { return t.vm().set_tss_addr({u64{1} << 32}); },
     .expect = fails(EINVAL)},
};
KVM_ROWS("vm.set_tss_addr", "api.rst 4.36", kTss);

constexpr IoctlCase kIdentity[] = {
    {.name = "usual_address_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_identity_map_addr({0xfffbc000}); },
     .expect = succeeds(0)},
    {.name = "argument_is_a_pointer",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::SetIdentityMapAddr, 0xfffbc000); },
     .expect = fails(EFAULT),
     .status = Abi::observed,
     .source = "kvm_arch_vm_ioctl; api.rst 4.40 shows a value"},
    {.name = "after_a_vcpu_is_einval",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().set_identity_map_addr({0xfffbc000});
         },
     .expect = fails(EINVAL)},
    {.name = "vcpu_wins_over_bad_pointer",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().raw(Ioctl::SetIdentityMapAddr, 8);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
};
KVM_ROWS("vm.set_identity_map_addr", "api.rst 4.40", kIdentity);

constexpr IoctlCase kBoot[] = {
    {.name = "id_of_a_later_vcpu_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_boot_cpu_id(3); },
     .expect = succeeds(0)},
    {.name = "after_a_vcpu_is_ebusy",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().set_boot_cpu_id(1);
         },
     .expect = fails(EBUSY)},
    {.name = "id_beyond_the_limit_is_einval",
     .call =
         [](Ctx& t) {
           return t.vm().set_boot_cpu_id(static_cast<u32>(t.must(t.system().check_extension(Cap::MaxVcpuId))) + 1);
         },
     .expect = before(6, 2, succeeds(0)).then(before(6, 12, Outcome{}).then(fails(EINVAL))),
     .status = Abi::observed},
    {.name = "after_a_vcpu_ebusy_wins_over_a_bad_id",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().set_boot_cpu_id(0xffffffff);
         },
     .expect = fails(EBUSY),
     .status = Abi::observed},
};
KVM_ROWS("vm.set_boot_cpu_id", "api.rst 4.41", kBoot);

KVM_TEST("vm.set_boot_cpu_id", "that_vcpu_is_the_bootstrap_processor", "api.rst 4.41")(Ctx& t) {
  t.must(t.vm().set_boot_cpu_id(1));
  auto a = t.must(t.vm().create_vcpu(0));
  auto b = t.must(t.vm().create_vcpu(1));
  EXPECT_EQ(t.must(a.get_sregs()).apic_base & 0x100, 0u);
  EXPECT_EQ(t.must(b.get_sregs()).apic_base & 0x100, 0x100u);
}

KVM_TEST("vm.set_boot_cpu_id", "with_irqchip_only_that_vcpu_starts_runnable", "api.rst 4.41, 4.38")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(t.vm().set_boot_cpu_id(1));
  auto a = t.must(t.vm().create_vcpu(0));
  auto b = t.must(t.vm().create_vcpu(1));
  EXPECT_EQ(t.must(a.get_mp_state()).mp_state, kvmapi::kMpStateUninitialized);
  EXPECT_EQ(t.must(b.get_mp_state()).mp_state, kvmapi::kMpStateRunnable);
}

constexpr IoctlCase kMmuPages[] = {
    {.name = "sixty_four_is_the_least",
     .call = [](Ctx& t) { return t.vm().set_nr_mmu_pages(64); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "sixty_three_is_einval",
     .call = [](Ctx& t) { return t.vm().set_nr_mmu_pages(63); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
};
KVM_ROWS("vm.set_nr_mmu_pages", "kvm_vm_ioctl_set_nr_mmu_pages (not in api.rst)", kMmuPages);

constexpr IoctlCase kGetMmuPages[] = {
    {.name = "was_taken_away_after_6_1",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_nr_mmu_pages(1000));
           return t.vm().get_nr_mmu_pages();
         },
     .expect = before(6, 2, succeeds(1000)).then(before(6, 12, Outcome{}).then(fails(ENOTTY))),
     .status = Abi::observed},
};
KVM_ROWS("vm.get_nr_mmu_pages", "kvm_arch_vm_ioctl (not in api.rst)", kGetMmuPages);

}  // namespace
}  // namespace conformance
