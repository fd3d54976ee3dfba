// KVM_SET_USER_MEMORY_REGION: which regions are accepted, changed, moved and deleted. Dirty logging:
// get_dirty_log_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr u64 kPage = 4096;

// A slot that is there before the call under test.
void with(Ctx& t, const kvmapi::kvm_userspace_memory_region& region) {
  t.must(t.vm().set_user_memory_region(region), "making the first slot");
}

constexpr IoctlCase kCreate[] = {
    {.name = "one_page_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0)); },
     .expect = succeeds(0)},
    {.name = "size_not_page_multiple_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).size(0x1001)); },
     .expect = fails(EINVAL)},
    {.name = "size_below_one_page_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).size(0x800)); },
     .expect = fails(EINVAL)},
    {.name = "guest_address_not_page_aligned_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).gpa(0x1004)); },
     .expect = fails(EINVAL)},
    {.name = "host_address_not_page_aligned_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).host(scratch_memory() + 8)); },
     .expect = fails(EINVAL)},
    {.name = "unknown_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).flags(1u << 3)); },
     .expect = fails(EINVAL)},
    {.name = "highest_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).flags(1u << 31)); },
     .expect = fails(EINVAL)},
    {.name = "internal_flag_bit_16_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).flags(1u << 16)); },
     .expect = fails(EINVAL)},
    {.name = "guest_memfd_flag_is_einval",  // belongs to KVM_SET_USER_MEMORY_REGION2
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).flags(kvmapi::kMemGuestMemfd)); },
     .expect = fails(EINVAL),
     .source = "api.rst 4.35, 4.140"},
    {.name = "readonly_slot_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).readonly()); },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::ReadonlyMem}},
    {.name = "readonly_slot_with_dirty_log_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).readonly().log_dirty_pages()); },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::ReadonlyMem}},
    {.name = "dirty_log_slot_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).log_dirty_pages()); },
     .expect = succeeds(0)},
    {.name = "last_slot_number_is_accepted",
     .call =
         [](Ctx& t) {
           return t.vm().set_user_memory_region(slot(t.must(t.system().check_extension(Cap::NrMemslots)) - 1));
         },
     .expect = succeeds(0)},
    {.name = "slot_number_far_above_the_last_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0x7fff)); },
     .expect = fails(EINVAL)},
    {.name = "highest_slot_number_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0xffff)); },
     .expect = fails(EINVAL)},
    {.name = "second_address_space_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).address_space(1)); },
     .expect = succeeds(0),
     .needs = {.vm_cap = {Cap::MultiAddressSpace, Cap::X86Smm}}},
    {.name = "address_space_beyond_the_last_is_einval",
     .call =
         [](Ctx& t) {
           const int spaces = t.must(t.vm().check_extension(Cap::MultiAddressSpace));
           return t.vm().set_user_memory_region(slot(0).address_space(static_cast<u32>(std::max(spaces, 1))));
         },
     .expect = fails(EINVAL)},
    {.name = "address_spaces_do_not_overlap_each_other",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).address_space(1));
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = {Cap::MultiAddressSpace, Cap::X86Smm}}},
    {.name = "guest_address_range_that_wraps_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).gpa(~u64{0} & ~(kPage - 1)).size(2 * kPage)); },
     .expect = fails(EINVAL)},
    {.name = "host_range_beyond_user_space_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).host(0xffff800000000000)); },
     .expect = fails(EINVAL)},
    {.name = "host_memory_that_is_not_mapped_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).host(u64{0x10000})); },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "two_to_the_31_pages_are_einval",
     .call =
         [](Ctx& t) {
           return t.vm().set_user_memory_region(slot(0).gpa(u64{1} << 32).host(u64{0}).size(u64{1} << 43));
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "KVM_MEM_MAX_NR_PAGES"},
    {.name = "two_slots_side_by_side_are_accepted",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0).size(kPage));
           return t.vm().set_user_memory_region(slot(1).gpa(kPage).size(kPage));
         },
     .expect = succeeds(0)},
    {.name = "two_slots_may_share_host_memory",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0));
           return t.vm().set_user_memory_region(slot(1).gpa(0x100000));
         },
     .expect = succeeds(0)},
    {.name = "same_guest_page_in_two_slots_is_eexist",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0x2000));
           return t.vm().set_user_memory_region(slot(1).gpa(0x2000));
         },
     .expect = fails(EEXIST)},
    {.name = "overlap_by_the_first_page_is_eexist",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0x2000).size(2 * kPage));
           return t.vm().set_user_memory_region(slot(1).gpa(0x1000).size(2 * kPage));
         },
     .expect = fails(EEXIST)},
    {.name = "overlap_by_the_last_page_is_eexist",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0x2000).size(2 * kPage));
           return t.vm().set_user_memory_region(slot(1).gpa(0x3000).size(2 * kPage));
         },
     .expect = fails(EEXIST)},
    {.name = "slot_inside_another_is_eexist",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0x2000).size(8 * kPage));
           return t.vm().set_user_memory_region(slot(1).gpa(0x4000));
         },
     .expect = fails(EEXIST)},
    {.name = "slot_around_another_is_eexist",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0x4000));
           return t.vm().set_user_memory_region(slot(1).gpa(0x2000).size(8 * kPage));
         },
     .expect = fails(EEXIST)},
    {.name = "unaligned_size_wins_over_overlap",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(1).size(0x1001));
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "works_after_a_vcpu_exists",
     .call =
         [](Ctx& t) {
           kvmapi::Vm vm = t.new_vm();
           auto vcpu = t.must(vm.create_vcpu(0));
           return vm.set_user_memory_region(slot(0));
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vm.set_user_memory_region", "api.rst 4.35", kCreate);

constexpr IoctlCase kChange[] = {
    {.name = "identical_region_again_is_accepted",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0));
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "growing_is_einval",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).size(2 * kPage));
         },
     .expect = fails(EINVAL)},
    {.name = "shrinking_is_einval",
     .call =
         [](Ctx& t) {
           with(t, slot(0).size(2 * kPage));
           return t.vm().set_user_memory_region(slot(0));
         },
     .expect = fails(EINVAL)},
    {.name = "moving_in_guest_memory_is_accepted",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0));
           return t.vm().set_user_memory_region(slot(0).gpa(0x8000));
         },
     .expect = succeeds(0)},
    {.name = "moving_onto_another_slot_is_eexist",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0));
           with(t, slot(1).gpa(0x8000));
           return t.vm().set_user_memory_region(slot(0).gpa(0x8000));
         },
     .expect = fails(EEXIST)},
    {.name = "moving_onto_itself_is_accepted",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0).size(4 * kPage));
           return t.vm().set_user_memory_region(slot(0).gpa(kPage).size(4 * kPage));
         },
     .expect = succeeds(0)},
    {.name = "after_moving_the_old_place_is_free",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0));
           with(t, slot(0).gpa(0x8000));
           return t.vm().set_user_memory_region(slot(1).gpa(0));
         },
     .expect = succeeds(0)},
    {.name = "changing_host_memory_is_einval",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).host(scratch_memory() + kPage));
         },
     .expect = fails(EINVAL)},
    {.name = "making_it_readonly_is_einval",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).readonly());
         },
     .expect = fails(EINVAL)},
    {.name = "making_readonly_writable_is_einval",
     .call =
         [](Ctx& t) {
           with(t, slot(0).readonly());
           return t.vm().set_user_memory_region(slot(0));
         },
     .expect = fails(EINVAL)},
    {.name = "turning_dirty_log_on_is_accepted",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).log_dirty_pages());
         },
     .expect = succeeds(0)},
    {.name = "turning_dirty_log_off_is_accepted",
     .call =
         [](Ctx& t) {
           with(t, slot(0).log_dirty_pages());
           return t.vm().set_user_memory_region(slot(0));
         },
     .expect = succeeds(0)},
    {.name = "moving_and_turning_dirty_log_on_in_one_call_is_accepted",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0));
           return t.vm().set_user_memory_region(slot(0).gpa(0x8000).log_dirty_pages());
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "growing_and_moving_onto_another_slot_is_einval",
     .call =
         [](Ctx& t) {
           with(t, slot(0).gpa(0));
           with(t, slot(1).gpa(0x8000));
           return t.vm().set_user_memory_region(slot(0).gpa(0x8000).size(2 * kPage));
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
};
KVM_ROWS("vm.set_user_memory_region", "api.rst 4.35", kChange);

constexpr IoctlCase kDelete[] = {
    {.name = "size_0_deletes",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).size(0));
         },
     .expect = succeeds(0)},
    {.name = "deleting_what_is_not_there_is_einval",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).size(0)); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "deleting_twice_is_einval",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           with(t, slot(0).size(0));
           return t.vm().set_user_memory_region(slot(0).size(0));
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "deleting_ignores_the_addresses",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).size(0).gpa(0x77000).host(u64{0}));
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "deleting_still_checks_alignment",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).size(0).gpa(0x77001));
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "deleting_still_checks_flags",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           return t.vm().set_user_memory_region(slot(0).size(0).flags(1u << 5));
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_set_memory_region"},
    {.name = "deleted_slot_can_be_made_with_another_size",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           with(t, slot(0).size(0));
           return t.vm().set_user_memory_region(slot(0).size(4 * kPage));
         },
     .expect = succeeds(0)},
    {.name = "deleted_slot_frees_its_guest_pages",
     .call =
         [](Ctx& t) {
           with(t, slot(0));
           with(t, slot(0).size(0));
           return t.vm().set_user_memory_region(slot(1));
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vm.set_user_memory_region", "api.rst 4.35", kDelete);

KVM_TEST("vm.set_user_memory_region", "two_hundred_slots_are_accepted_and_found_again", "api.rst 4.35")(Ctx& t) {
  for (u32 i = 0; i < 200; ++i) ASSERT_THAT(t.vm().set_user_memory_region(slot(i).gpa(i * 2 * kPage)), Succeeds()) << i;
  for (u32 i = 0; i < 200; ++i) {
    EXPECT_THAT(t.vm().set_user_memory_region(slot(300).gpa(i * 2 * kPage)), FailsWith(EEXIST)) << "slot " << i;
    EXPECT_THAT(t.vm().set_user_memory_region(slot(300).gpa((i * 2 + 1) * kPage)), Succeeds()) << "gap " << i;
    t.must(t.vm().set_user_memory_region(slot(300).size(0)));
  }
}

KVM_TEST("vm.set_user_memory_region", "failed_change_leaves_the_slot_as_it_was", "kvm_set_memory_region",
         {.status = Abi::sane})
(Ctx& t) {
  with(t, slot(0).gpa(0x4000));
  EXPECT_THAT(t.vm().set_user_memory_region(slot(0).gpa(0x8000).size(2 * kPage)), FailsWith(EINVAL));
  EXPECT_THAT(t.vm().set_user_memory_region(slot(1).gpa(0x4000)), FailsWith(EEXIST)) << "the slot has moved away";
  EXPECT_THAT(t.vm().set_user_memory_region(slot(1).gpa(0x8000)), Succeeds()) << "the slot has moved here";
}

}  // namespace
}  // namespace conformance
