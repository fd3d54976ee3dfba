// KVM_SET_USER_MEMORY_REGION2, KVM_CREATE_GUEST_MEMFD, KVM_SET_MEMORY_ATTRIBUTES: slots backed by memory that only the
// guest sees. The rules shared with the older form: set_user_memory_region_test.cpp.
#include <fcntl.h>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_create_guest_memfd;
using kvmapi::kvm_userspace_memory_region2;

constexpr u64 kPage = 4096;

kvm_userspace_memory_region2 region(u32 number, u64 gpa = 0, u64 size = kPage) {
  kvm_userspace_memory_region2 r{};
  r.slot = number;
  r.guest_phys_addr = gpa;
  r.memory_size = size;
  r.userspace_addr = reinterpret_cast<u64>(scratch_memory());
  return r;
}

constexpr IoctlCase kRegion2[] = {
    {.name = "plain_slot_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region2(region(0)); },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::UserMemory2}},
    {.name = "before_6_8_is_enotty",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region2(region(0)); },
     .expect = fails(ENOTTY),
     .needs = {.kernel_before = {6, 8}},
     .status = Abi::observed},
    {.name = "padding_is_not_looked_at",
     .call =
         [](Ctx& t) {
           auto r = region(0);
           r.pad1 = 0xffff;
           r.pad2.fill(0xffff);
           return t.vm().set_user_memory_region2(r);
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::UserMemory2},
     .status = Abi::observed},
    {.name = "guest_memfd_fields_are_ignored_without_the_flag",
     .call =
         [](Ctx& t) {
           auto r = region(0);
           r.guest_memfd = 0xffffffff;
           r.guest_memfd_offset = 1;
           return t.vm().set_user_memory_region2(r);
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::UserMemory2},
     .status = Abi::observed},
    {.name = "unknown_flag_is_einval",
     .call =
         [](Ctx& t) {
           auto r = region(0);
           r.flags = 1u << 3;
           return t.vm().set_user_memory_region2(r);
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::UserMemory2}},
    {.name = "size_not_page_multiple_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region2(region(0, 0, 0x1001)); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::UserMemory2}},
    {.name = "overlap_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_user_memory_region2(region(0)));
           return t.vm().set_user_memory_region2(region(1));
         },
     .expect = fails(EEXIST),
     .needs = {.vm_cap = Cap::UserMemory2}},
    {.name = "overlap_with_a_slot_of_the_older_form_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_user_memory_region(slot(0)));
           return t.vm().set_user_memory_region2(region(1));
         },
     .expect = fails(EEXIST),
     .needs = {.vm_cap = Cap::UserMemory2}},
    {.name = "size_0_deletes_a_slot_of_the_older_form",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_user_memory_region(slot(0)));
           return t.vm().set_user_memory_region2(region(0, 0, 0));
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::UserMemory2}},
    {.name = "readonly_guest_memfd_is_einval",
     .call =
         [](Ctx& t) {
           auto r = region(0);
           r.flags = kvmapi::kMemGuestMemfd | kvmapi::kMemReadonly;
           return t.vm().set_user_memory_region2(r);
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::UserMemory2}},
    {.name = "logged_guest_memfd_is_einval",
     .call =
         [](Ctx& t) {
           auto r = region(0);
           r.flags = kvmapi::kMemGuestMemfd | kvmapi::kMemLogDirtyPages;
           return t.vm().set_user_memory_region2(r);
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::UserMemory2}},
};
KVM_ROWS("vm.set_user_memory_region2", "api.rst 4.140", kRegion2);

kvmapi::Fd memfd(Ctx& t, u64 size) { return t.must(t.vm().create_guest_memfd({.size = size})); }

kvmapi::Result<int> bind(Ctx& t, const kvmapi::Fd& fd, u64 offset, kvm_userspace_memory_region2 r) {
  r.flags = kvmapi::kMemGuestMemfd;
  r.guest_memfd = static_cast<u32>(fd.fd());
  r.guest_memfd_offset = offset;
  return t.vm().set_user_memory_region2(r);
}

constexpr IoctlCase kBind[] = {
    {.name = "guest_memfd_is_accepted",
     .call = [](Ctx& t) { return bind(t, memfd(t, kPage), 0, region(0)); },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "guest_memfd_offset_not_page_aligned_is_einval",
     .call = [](Ctx& t) { return bind(t, memfd(t, 2 * kPage), 1, region(0)); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "guest_memfd_range_beyond_its_end_is_einval",
     .call = [](Ctx& t) { return bind(t, memfd(t, kPage), kPage, region(0)); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "guest_memfd_range_already_bound_is_refused",
     .call =
         [](Ctx& t) {
           const auto fd = memfd(t, 2 * kPage);
           t.must(bind(t, fd, 0, region(0)));
           return bind(t, fd, 0, region(1, 0x10000));
         },
     .expect = before(6, 19, fails(EINVAL)).then(fails(EEXIST)),
     .needs = {.vm_cap = Cap::GuestMemfd},
     .status = Abi::observed},
    {.name = "guest_memfd_closed_descriptor_is_ebadf",
     .call =
         [](Ctx& t) {
           auto r = region(0);
           r.flags = kvmapi::kMemGuestMemfd;
           r.guest_memfd = 0x7fffffff;
           return t.vm().set_user_memory_region2(r);
         },
     .expect = fails(EBADF),
     .needs = {.vm_cap = Cap::GuestMemfd},
     .status = Abi::observed},
    {.name = "guest_memfd_of_another_kind_of_descriptor_is_einval",
     .call =
         [](Ctx& t) {
           auto r = region(0);
           r.flags = kvmapi::kMemGuestMemfd;
           r.guest_memfd = static_cast<u32>(t.system().fd());
           return t.vm().set_user_memory_region2(r);
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "guest_memfd_of_another_vm_is_einval",
     .call =
         [](Ctx& t) {
           const kvmapi::Vm other = t.new_vm();
           const auto fd = t.must(other.create_guest_memfd({.size = kPage}));
           return bind(t, fd, 0, region(0));
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "guest_memfd_slot_cannot_be_moved",
     .call =
         [](Ctx& t) {
           const auto fd = memfd(t, kPage);
           t.must(bind(t, fd, 0, region(0)));
           return bind(t, fd, 0, region(0, 0x10000));
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd},
     .status = Abi::observed},
    {.name = "guest_memfd_slot_can_be_deleted",
     .call =
         [](Ctx& t) {
           const auto fd = memfd(t, kPage);
           t.must(bind(t, fd, 0, region(0)));
           return t.vm().set_user_memory_region2(region(0, 0, 0));
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::GuestMemfd}},
};
KVM_ROWS("vm.set_user_memory_region2", "api.rst 4.140", kBind);

constexpr IoctlCase kMemfd[] = {
    {.name = "one_page_is_accepted",
     .call = [](Ctx& t) { return t.vm().create_guest_memfd({.size = kPage}); },
     .expect = succeeds(),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "without_the_capability_is_enotty_or_einval",
     .call = [](Ctx& t) { return t.vm().create_guest_memfd({.size = kPage, .flags = u64{1} << 40}); },
     .expect = before(6, 8, fails(ENOTTY)).then(fails_with_one_of(ENOTTY, EINVAL)),
     .status = Abi::observed},
    {.name = "size_0_is_einval",
     .call = [](Ctx& t) { return t.vm().create_guest_memfd({.size = 0}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "size_not_page_multiple_is_einval",
     .call = [](Ctx& t) { return t.vm().create_guest_memfd({.size = 0x1001}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "negative_size_is_einval",
     .call = [](Ctx& t) { return t.vm().create_guest_memfd({.size = ~u64{0} & ~(kPage - 1)}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd},
     .status = Abi::observed},
    {.name = "unknown_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().create_guest_memfd({.size = kPage, .flags = 1u << 10}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::GuestMemfd}},
    {.name = "reserved_fields_are_not_looked_at",
     .call =
         [](Ctx& t) {
           kvm_create_guest_memfd request{.size = kPage};
           request.reserved.fill(7);
           return t.vm().create_guest_memfd(request);
         },
     .expect = succeeds(),
     .needs = {.vm_cap = Cap::GuestMemfd},
     .status = Abi::observed},
    {.name = "every_announced_flag_is_accepted",
     .call =
         [](Ctx& t) {
           const u64 flags = static_cast<u64>(t.must(t.vm().check_extension(Cap::GuestMemfdFlags)));
           return t.vm().create_guest_memfd({.size = kPage, .flags = flags});
         },
     .expect = succeeds(),
     .needs = {.vm_cap = {Cap::GuestMemfd, Cap::GuestMemfdFlags}}},
};
KVM_ROWS("vm.create_guest_memfd", "api.rst 4.142", kMemfd);

KVM_TEST("vm.create_guest_memfd", "descriptor_is_not_close_on_exec", "kvm_gmem_create",
         {.needs = {.vm_cap = Cap::GuestMemfd}, .status = Abi::observed})
(Ctx& t) {
  const auto fd = memfd(t, kPage);
  EXPECT_EQ(::fcntl(fd.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

constexpr IoctlCase kAttributes[] = {
    {.name = "where_not_configured_is_enotty",
     .call =
         [](Ctx& t) {
           if (t.must(t.system().check_extension(Cap::MemoryAttributes)) != 0)
             t.skip("memory attributes are configured");
           return t.vm().set_memory_attributes({.address = 0, .size = kPage});
         },
     .expect = before(6, 8, fails(ENOTTY)).then(fails_with_one_of(ENOTTY, EINVAL)),
     .status = Abi::observed},
    {.name = "flags_are_einval",
     .call = [](Ctx& t) { return t.vm().set_memory_attributes({.address = 0, .size = kPage, .flags = 1}); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::MemoryAttributes}},
    {.name = "size_0_is_einval",
     .call = [](Ctx& t) { return t.vm().set_memory_attributes({.address = 0, .size = 0}); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::MemoryAttributes}},
    {.name = "address_not_page_aligned_is_einval",
     .call = [](Ctx& t) { return t.vm().set_memory_attributes({.address = 1, .size = kPage}); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::MemoryAttributes}},
    {.name = "size_not_page_multiple_is_einval",
     .call = [](Ctx& t) { return t.vm().set_memory_attributes({.address = 0, .size = 1}); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::MemoryAttributes}},
    {.name = "unknown_attribute_is_einval",
     .call = [](Ctx& t) { return t.vm().set_memory_attributes({.size = kPage, .attributes = 1}); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::MemoryAttributes}},
};
KVM_ROWS("vm.set_memory_attributes", "api.rst 4.141", kAttributes);

}  // namespace
}  // namespace conformance
