// KVM_CREATE_VCPU: which ids there are, how many, and when.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kRows[] = {
    {.name = "id_0_is_accepted", .call = [](Ctx& t) { return t.vm().create_vcpu(0); }, .expect = succeeds()},
    {.name = "ids_need_not_be_consecutive",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_vcpu(7));
           return t.vm().create_vcpu(3);
         },
     .expect = succeeds()},
    {.name = "duplicate_id_is_eexist",
     .call =
         [](Ctx& t) {
           auto first = t.must(t.vm().create_vcpu(1));
           return t.vm().create_vcpu(1);
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_create_vcpu"},
    {.name = "id_of_a_closed_vcpu_stays_taken",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_vcpu(1)).close();
           return t.vm().create_vcpu(1);
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_create_vcpu"},
    {.name = "id_max_vcpu_id_is_einval",
     .call =
         [](Ctx& t) {
           const int limit = t.must(t.system().check_extension(Cap::MaxVcpuId));
           return t.vm().create_vcpu(static_cast<u32>(limit));
         },
     .expect = fails(EINVAL)},
    {.name = "id_just_below_max_vcpu_id_is_accepted",
     .call =
         [](Ctx& t) {
           const int limit = t.must(t.system().check_extension(Cap::MaxVcpuId));
           return t.vm().create_vcpu(static_cast<u32>(limit - 1));
         },
     .expect = succeeds()},
    {.name = "id_beyond_32_bits_is_not_truncated",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::CreateVcpu, u64{1} << 32); },
     .expect = before(6, 11, Outcome{}).then(fails(EINVAL)),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_create_vcpu"},
    {.name = "all_ones_id_is_einval",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::CreateVcpu, 0xffffffff); },
     .expect = fails(EINVAL)},
    {.name = "limit_set_with_max_vcpu_id_holds",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::MaxVcpuId, 2));
           t.must(t.vm().create_vcpu(1));
           return t.vm().create_vcpu(2);
         },
     .expect = fails(EINVAL),
     .needs = {.kernel = {6, 0}},
     .source = "api.rst 7.32"},
    {.name = "each_vm_has_ids_of_its_own",
     .call =
         [](Ctx& t) {
           t.vcpu();
           kvmapi::Vm other = t.new_vm();
           return other.create_vcpu(0);
         },
     .expect = succeeds()},
    {.name = "works_without_memory_and_irqchip",
     .call =
         [](Ctx& t) {
           kvmapi::Vm bare = t.new_vm();
           return bare.create_vcpu(0);
         },
     .expect = succeeds()},
    {.name = "works_after_irqchip",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().create_vcpu(0);
         },
     .expect = succeeds()},
};
KVM_ROWS("vm.create_vcpu", "api.rst 4.7", kRows);

KVM_TEST("vm.create_vcpu", "sixteen_vcpus_are_accepted", "api.rst 4.7")(Ctx& t) {
  std::vector<kvmapi::Vcpu> vcpus;
  for (u32 id = 0; id < 16; ++id) vcpus.push_back(t.must(t.vm().create_vcpu(id)));
  for (auto& vcpu : vcpus) EXPECT_THAT(vcpu.get_regs(), Succeeds());
}

KVM_TEST("vm.create_vcpu", "vcpus_have_state_of_their_own", "api.rst 4.7")(Ctx& t) {
  auto a = t.must(t.vm().create_vcpu(0));
  auto b = t.must(t.vm().create_vcpu(1));
  const auto before = t.must(b.get_regs());
  auto regs = t.must(a.get_regs());
  regs.rbx = 0x1122334455667788;
  t.must(a.set_regs(regs));
  EXPECT_TRUE(same_bytes(t.must(b.get_regs()), before));
  EXPECT_NE(&a.page(), &b.page());
}

KVM_TEST("vm.create_vcpu", "id_is_the_initial_apic_id", "api.rst 4.7")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  auto vcpu = t.must(t.vm().create_vcpu(5));
  const auto lapic = t.must(vcpu.get_lapic());
  EXPECT_EQ(lapic.regs[0x23], 5);
}

KVM_TEST("vm.create_vcpu", "only_id_0_is_bootstrap_processor_by_default", "api.rst 4.41")(Ctx& t) {
  auto a = t.must(t.vm().create_vcpu(0));
  auto b = t.must(t.vm().create_vcpu(1));
  EXPECT_EQ(t.must(a.get_sregs()).apic_base & 0x100, 0x100u);
  EXPECT_EQ(t.must(b.get_sregs()).apic_base & 0x100, 0u);
}

KVM_TEST("vm.create_vcpu", "new_vcpu_is_in_the_reset_state", "SDM 3A 9.1.1; vmx_vcpu_reset, svm_vcpu_reset",
         {.status = Abi::observed})
(Ctx& t) {
  const auto regs = t.must(t.vcpu().get_regs());
  const auto sregs = t.must(t.vcpu().get_sregs());
  EXPECT_EQ(regs.rip, 0xfff0u);
  EXPECT_EQ(regs.rflags, 2u);
  EXPECT_EQ(regs.rax, 0u);
  EXPECT_EQ(regs.rsp, 0u);
  EXPECT_EQ(sregs.cs.selector, 0xf000);
  EXPECT_EQ(sregs.cs.base, 0xffff0000u);
  EXPECT_EQ(sregs.cs.limit, 0xffffu);
  EXPECT_EQ(sregs.cr0 & ~u64{0x20}, 0x60000010u & ~u64{0x20});
  EXPECT_EQ(sregs.cr3, 0u);
  EXPECT_EQ(sregs.cr4, 0u);
  EXPECT_EQ(sregs.efer, 0u);
  EXPECT_EQ(sregs.cr8, 0u);
  EXPECT_EQ(sregs.apic_base, 0xfee00900u);
  EXPECT_EQ(sregs.idt.limit, 0xffff);
  EXPECT_EQ(sregs.gdt.limit, 0xffff);
}

KVM_TEST("vm.create_vcpu", "failed_create_leaves_no_descriptor", "kvm_vm_ioctl_create_vcpu", {.status = Abi::sane})
(Ctx& t) {
  auto first = t.must(t.vm().create_vcpu(0));
  const int before = t.must(t.vm().create_vcpu(1)).fd();
  for (int i = 0; i < 10; ++i) EXPECT_THAT(t.vm().create_vcpu(0), FailsWith(EEXIST));
  EXPECT_EQ(t.must(t.vm().create_vcpu(2)).fd(), before);
}

}  // namespace
}  // namespace conformance
