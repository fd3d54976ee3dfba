// KVM_CREATE_VM: machine types, the descriptor that comes back, and how many there may be.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kRows[] = {
    {.name = "type_0_is_accepted", .call = [](Ctx& t) { return t.system().create_vm(0); }, .expect = succeeds()},
    {.name = "type_without_a_meaning_is_einval",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::CreateVm, 0xff); },
     .expect = fails(EINVAL),
     .source = "api.rst 4.2, 8.41; kvm_arch_init_vm"},
    {.name = "type_beyond_32_bits_is_einval",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::CreateVm, u64{1} << 32); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_arch_init_vm"},
    {.name = "all_ones_type_is_einval",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::CreateVm, ~u64{0}); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_arch_init_vm"},
    {.name = "type_that_vm_types_does_not_list_is_einval",
     .call =
         [](Ctx& t) {
           const int types = t.must(t.system().check_extension(Cap::VmTypes));
           u64 type = 0;
           while (type < 31 && (types >> type & 1) != 0) ++type;
           return t.system().raw(Ioctl::CreateVm, type);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::VmTypes},
     .source = "api.rst 8.41"},
};
KVM_ROWS("system.create_vm", "api.rst 4.2", kRows);

KVM_TEST("system.create_vm", "many_vms_exist_side_by_side", "api.rst 2")(Ctx& t) {
  std::vector<kvmapi::Vm> vms;
  for (int i = 0; i < 16; ++i) vms.push_back(t.new_vm());
  for (std::size_t i = 0; i < vms.size(); ++i) {
    EXPECT_THAT(vms[i].create_vcpu(0), Succeeds()) << "VM " << i;
  }
}

KVM_TEST("system.create_vm", "every_call_returns_a_new_descriptor", "api.rst 4.2")(Ctx& t) {
  kvmapi::Vm a = t.new_vm();
  kvmapi::Vm b = t.new_vm();
  EXPECT_NE(a.fd(), b.fd());
  EXPECT_GE(a.fd(), 0);
}

KVM_TEST("system.create_vm", "new_vm_has_no_vcpu_and_no_memory", "api.rst 4.2")(Ctx& t) {
  // Deleting slot 0 is EINVAL, as nothing is in it; vcpu id 0 is free.
  EXPECT_THAT(t.vm().set_user_memory_region(slot(0).size(0)), FailsWith(EINVAL));
  EXPECT_THAT(t.vm().create_vcpu(0), Succeeds());
}

KVM_TEST("system.create_vm", "descriptor_table_full_is_emfile_and_nothing_leaks",
         "api.rst 4.2; kvm_dev_ioctl_create_vm", {.status = Abi::observed})
(Ctx& t) {
  const int system = t.system().fd();
  // Occupies every descriptor that is left, by a limit just above the highest in use.
  const int highest = ::fcntl(system, F_DUPFD_CLOEXEC, 0);
  ASSERT_GE(highest, 0);
  ::close(highest);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(highest);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto full = t.system().create_vm(0);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(full, FailsWith(EMFILE));
  const int next = ::fcntl(system, F_DUPFD_CLOEXEC, 0);
  EXPECT_EQ(next, highest) << "a descriptor leaked";
  ::close(next);
  EXPECT_THAT(t.system().create_vm(0), Succeeds());
}

}  // namespace
}  // namespace conformance
