// KVM_EXIT_MEMORY_FAULT: KVM_RUN fails with EFAULT and says where, for memory that KVM itself holds. api.rst section
// 5, 8.44. On a plain VM: a slot bound to a guest_memfd whose descriptor is closed.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kPageSize;

bool has_shared_guest_memfd(Ctx& t) {
  const auto flags = t.vm().check_extension(Cap::GuestMemfdFlags);
  const kvmapi::u64 wanted = kvmapi::kGuestMemfdFlagMmap | kvmapi::kGuestMemfdFlagInitShared;
  return flags.ok() && (static_cast<kvmapi::u64>(*flags) & wanted) == wanted;
}

KVM_TEST("run.memory_fault", "closed_guest_memfd_fails_with_efault_and_its_address",
         "api.rst 8.44: KVM_CAP_MEMORY_FAULT_INFO",
         {.needs = {.cap = Cap::MemoryFaultInfo,
                    .probe = {.what = "guest_memfd with MMAP and INIT_SHARED", .is_present = &has_shared_guest_memfd}},
          .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  HostPages page(kPageSize);
  {
    kvmapi::Fd memfd = t.must(t.vm().create_guest_memfd(
        {.size = kPageSize, .flags = kvmapi::kGuestMemfdFlagMmap | kvmapi::kGuestMemfdFlagInitShared}));
    t.must(t.vm().set_user_memory_region2({.slot = 1,
                                           .flags = kvmapi::kMemGuestMemfd,
                                           .guest_phys_addr = guests::kMmioBase,
                                           .memory_size = kPageSize,
                                           .userspace_addr = page.address(),
                                           .guest_memfd = static_cast<kvmapi::u32>(memfd.fd())}));
  }
  EXPECT_THAT(m.run(), FailsWith(EFAULT));
  ASSERT_EQ(m.reason(), Exit::MemoryFault);
  const auto fault = m.page().exit.as<kvmapi::kvm_exit_memory_fault>();
  EXPECT_EQ(fault.gpa & ~(kPageSize - 1), guests::kMmioBase);
  EXPECT_GE(fault.size, 1u);
  EXPECT_EQ(m.regs().rip, m.at("the_access")) << "it can be tried again";
}

}  // namespace
}  // namespace conformance
