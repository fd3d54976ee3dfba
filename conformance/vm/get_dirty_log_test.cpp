// KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG: rules of the calls, and what guest writes leave in the bitmap.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_clear_dirty_log;
using kvmapi::kvm_dirty_log;

constexpr u64 kPage = 4096;

kvmapi::Result<int> get(Ctx& t, u32 slot_number, void* bitmap) {
  return t.vm().get_dirty_log({.slot = slot_number, .dirty_bitmap = reinterpret_cast<u64>(bitmap)});
}

kvmapi::Result<int> clear(Ctx& t, kvm_clear_dirty_log request, const u64* bitmap) {
  request.dirty_bitmap = reinterpret_cast<u64>(bitmap);
  return t.vm().clear_dirty_log(request);
}

void logged_slot(Ctx& t, u64 pages) {
  t.must(t.vm().set_user_memory_region(slot(0).size(pages * kPage).log_dirty_pages()));
}

constexpr IoctlCase kGet[] = {
    {.name = "slot_that_is_not_there_is_enoent",
     .call =
         [](Ctx& t) {
           u64 bitmap = 0;
           return get(t, 0, &bitmap);
         },
     .expect = fails(ENOENT),
     .status = Abi::observed,
     .source = "kvm_get_dirty_log_protect"},
    {.name = "slot_without_logging_is_enoent",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_user_memory_region(slot(0)));
           u64 bitmap = 0;
           return get(t, 0, &bitmap);
         },
     .expect = fails(ENOENT),
     .status = Abi::observed,
     .source = "kvm_get_dirty_log_protect"},
    {.name = "slot_number_beyond_the_last_is_einval",
     .call =
         [](Ctx& t) {
           u64 bitmap = 0;
           return get(t, 0x7fff, &bitmap);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "address_space_beyond_the_last_is_einval",
     .call =
         [](Ctx& t) {
           logged_slot(t, 1);
           u64 bitmap = 0;
           return get(t, 2u << 16, &bitmap);
         },
     .expect = fails(EINVAL)},
    {.name = "untouched_slot_has_no_dirty_page",
     .call =
         [](Ctx& t) {
           logged_slot(t, 1);
           u64 bitmap = ~u64{0};
           const auto answer = get(t, 0, &bitmap);
           EXPECT_EQ(bitmap, 0u);
           return answer;
         },
     .expect = succeeds(0)},
    {.name = "bitmap_is_written_in_units_of_64_bits_and_no_more",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_user_memory_region(slot(0).size(60 * kPage).log_dirty_pages()));
           u64 bitmap[2] = {~u64{0}, ~u64{0}};
           const auto answer = get(t, 0, bitmap);
           EXPECT_EQ(bitmap[0], 0u);
           EXPECT_EQ(bitmap[1], ~u64{0});
           return answer;
         },
     .expect = succeeds(0)},
    {.name = "bitmap_in_unmapped_memory_is_efault",
     .call =
         [](Ctx& t) {
           logged_slot(t, 1);
           return get(t, 0, reinterpret_cast<void*>(8));
         },
     .expect = fails(EFAULT)},
    {.name = "missing_slot_wins_over_bad_bitmap",
     .call = [](Ctx& t) { return get(t, 0, reinterpret_cast<void*>(8)); },
     .expect = fails(ENOENT),
     .status = Abi::observed},
    {.name = "with_a_dirty_ring_is_enxio",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::DirtyLogRing, 4096));
           logged_slot(t, 1);
           u64 bitmap = 0;
           return get(t, 0, &bitmap);
         },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::DirtyLogRing},
     .source = "api.rst 7.36"},
};
KVM_ROWS("vm.get_dirty_log", "api.rst 4.8", kGet);

constexpr IoctlCase kClear[] = {
    {.name = "whole_slot_is_accepted",
     .call =
         [](Ctx& t) {
           logged_slot(t, 10);
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 10}, &bitmap);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::ManualDirtyLogProtect2}},
    {.name = "works_without_manual_protect",
     .call =
         [](Ctx& t) {
           logged_slot(t, 64);
           const u64 bitmap = ~u64{0};
           return clear(t, {.num_pages = 64}, &bitmap);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::ManualDirtyLogProtect2},
     .status = Abi::observed},
    {.name = "first_page_not_multiple_of_64_is_einval",
     .call =
         [](Ctx& t) {
           logged_slot(t, 64);
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 32, .first_page = 32}, &bitmap);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::ManualDirtyLogProtect2}},
    {.name = "count_not_multiple_of_64_inside_the_slot_is_einval",
     .call =
         [](Ctx& t) {
           logged_slot(t, 64);
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 32}, &bitmap);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::ManualDirtyLogProtect2}},
    {.name = "ragged_count_up_to_the_end_of_the_slot_is_accepted",
     .call =
         [](Ctx& t) {
           logged_slot(t, 33);
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 33}, &bitmap);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::ManualDirtyLogProtect2}},
    {.name = "range_beyond_the_slot_is_einval",
     .call =
         [](Ctx& t) {
           logged_slot(t, 32);
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 64}, &bitmap);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::ManualDirtyLogProtect2}},
    {.name = "first_page_beyond_the_slot_is_einval",
     .call =
         [](Ctx& t) {
           logged_slot(t, 32);
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 0, .first_page = 64}, &bitmap);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::ManualDirtyLogProtect2}},
    {.name = "slot_without_logging_is_enoent",
     .call =
         [](Ctx& t) {
           t.must(t.vm().set_user_memory_region(slot(0)));
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 1}, &bitmap);
         },
     .expect = fails(ENOENT),
     .needs = {.cap = Cap::ManualDirtyLogProtect2},
     .status = Abi::observed},
    {.name = "bad_first_page_wins_over_missing_slot",
     .call =
         [](Ctx& t) {
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 1, .first_page = 1}, &bitmap);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::ManualDirtyLogProtect2},
     .status = Abi::observed},
    {.name = "bitmap_in_unmapped_memory_is_efault",
     .call =
         [](Ctx& t) {
           logged_slot(t, 1);
           return clear(t, {.num_pages = 1}, reinterpret_cast<const u64*>(8));
         },
     .expect = fails(EFAULT),
     .needs = {.cap = Cap::ManualDirtyLogProtect2}},
    {.name = "with_a_dirty_ring_is_enxio",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::DirtyLogRing, 4096));
           logged_slot(t, 1);
           const u64 bitmap = 0;
           return clear(t, {.num_pages = 1}, &bitmap);
         },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::DirtyLogRing},
     .source = "api.rst 7.36"},
};
KVM_ROWS("vm.clear_dirty_log", "api.rst 4.117", kClear);

// Slot 1: `pages` pages of logged memory at 1 MiB above the RAM of t.memory(). The guest writes one byte at the start
// of each of `writes` pages (below 64 KiB from the slot's start), then halts.
constexpr u64 kLogged = 4u << 20;

void log_slot_1(Ctx& t, const HostPages& pages, bool on = true) {
  auto region = slot(1).gpa(kLogged).size(pages.size_bytes()).host(pages.data());
  if (on) region.log_dirty_pages();
  t.must(t.vm().set_user_memory_region(region));
}

void write_pages(Ctx& t, std::initializer_list<u16> writes) {
  std::vector<u8> code{0xb0, 0x5a};  // mov al, 0x5a
  for (u16 page : writes) {
    const u16 offset = static_cast<u16>(page * kPage);
    code.insert(code.end(), {0xa2, static_cast<u8>(offset), static_cast<u8>(offset >> 8)});  // mov [offset], al
  }
  code.push_back(0xf4);
  load(t, code);
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.ds.base = kLogged;
  t.must(t.vcpu().set_sregs(sregs));
  run_to_halt(t);
}

u64 dirty(Ctx& t) {
  u64 bitmap = 0;
  t.must(get(t, 1, &bitmap));
  return bitmap;
}

KVM_TEST("vm.get_dirty_log", "written_pages_are_set_and_no_others", "api.rst 4.8")(Ctx& t) {
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  write_pages(t, {0, 3, 15});
  EXPECT_EQ(dirty(t), 1u << 0 | 1u << 3 | 1u << 15);
}

KVM_TEST("vm.get_dirty_log", "reading_clears", "api.rst 4.8")(Ctx& t) {
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  write_pages(t, {2});
  EXPECT_EQ(dirty(t), 1u << 2);
  EXPECT_EQ(dirty(t), 0u);
}

KVM_TEST("vm.get_dirty_log", "page_written_again_after_reading_is_set_again", "api.rst 4.8")(Ctx& t) {
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  write_pages(t, {2});
  EXPECT_EQ(dirty(t), 1u << 2);
  write_pages(t, {2});
  EXPECT_EQ(dirty(t), 1u << 2);
}

KVM_TEST("vm.get_dirty_log", "page_written_before_logging_was_on_is_set_when_written_after", "api.rst 4.8, 4.35")
(Ctx& t) {
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages, false);
  write_pages(t, {1, 2});
  log_slot_1(t, pages, true);
  EXPECT_EQ(dirty(t), 0u);
  write_pages(t, {2});
  EXPECT_EQ(dirty(t), 1u << 2);
}

KVM_TEST("vm.get_dirty_log", "guest_reads_set_nothing", "api.rst 4.8")(Ctx& t) {
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  load(t, {0xa0, 0x00, 0x20, 0xf4});  // mov al, [0x2000]; hlt
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.ds.base = kLogged;
  t.must(t.vcpu().set_sregs(sregs));
  run_to_halt(t);
  EXPECT_EQ(dirty(t), 0u);
}

KVM_TEST("vm.get_dirty_log", "writes_of_the_caller_set_nothing", "api.rst 4.8")(Ctx& t) {
  HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  pages.data()[5 * kPage] = 1;
  EXPECT_EQ(dirty(t), 0u);
}

KVM_TEST("vm.get_dirty_log", "write_across_a_page_border_sets_both", "api.rst 4.8")(Ctx& t) {
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  load(t, {0xa3, 0xff, 0x1f, 0xf4});  // mov [0x1fff], ax; hlt
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.ds.base = kLogged;
  t.must(t.vcpu().set_sregs(sregs));
  run_to_halt(t);
  EXPECT_EQ(dirty(t), 1u << 1 | 1u << 2);
}

KVM_TEST("vm.get_dirty_log", "turning_logging_off_and_on_forgets", "api.rst 4.35")(Ctx& t) {
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  write_pages(t, {7});
  log_slot_1(t, pages, false);
  log_slot_1(t, pages, true);
  EXPECT_EQ(dirty(t), 0u);
}

KVM_TEST("vm.get_dirty_log", "with_manual_protect_reading_does_not_clear", "api.rst 4.117, 7.18",
         {.needs = {.cap = Cap::ManualDirtyLogProtect2}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ManualDirtyLogProtect2, kvmapi::kDirtyLogManualProtectEnable));
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  write_pages(t, {2});
  EXPECT_EQ(dirty(t), 1u << 2);
  EXPECT_EQ(dirty(t), 1u << 2);
}

KVM_TEST("vm.get_dirty_log", "with_initially_set_all_pages_start_dirty", "api.rst 7.18",
         {.needs = {.cap = Cap::ManualDirtyLogProtect2}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ManualDirtyLogProtect2,
                           kvmapi::kDirtyLogManualProtectEnable | kvmapi::kDirtyLogInitiallySet));
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  EXPECT_EQ(dirty(t) & 0xffff, 0xffffu);
}

KVM_TEST("vm.clear_dirty_log", "clears_only_the_bits_of_the_bitmap", "api.rst 4.117",
         {.needs = {.cap = Cap::ManualDirtyLogProtect2}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ManualDirtyLogProtect2, kvmapi::kDirtyLogManualProtectEnable));
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  write_pages(t, {2, 3, 4});
  const u64 bitmap = 1u << 3;
  t.must(clear(t, {.slot = 1, .num_pages = 16}, &bitmap));
  EXPECT_EQ(dirty(t), 1u << 2 | 1u << 4);
}

KVM_TEST("vm.clear_dirty_log", "cleared_page_written_again_is_set_again", "api.rst 4.117",
         {.needs = {.cap = Cap::ManualDirtyLogProtect2}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ManualDirtyLogProtect2, kvmapi::kDirtyLogManualProtectEnable));
  const HostPages pages(16 * kPage);
  log_slot_1(t, pages);
  write_pages(t, {2});
  const u64 bitmap = 0xffff;
  t.must(clear(t, {.slot = 1, .num_pages = 16}, &bitmap));
  EXPECT_EQ(dirty(t), 0u);
  write_pages(t, {2});
  EXPECT_EQ(dirty(t), 1u << 2);
}

KVM_TEST("vm.clear_dirty_log", "second_word_of_a_large_slot_is_its_own", "api.rst 4.117",
         {.needs = {.cap = Cap::ManualDirtyLogProtect2}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ManualDirtyLogProtect2,
                           kvmapi::kDirtyLogManualProtectEnable | kvmapi::kDirtyLogInitiallySet));
  const HostPages pages(128 * kPage);
  log_slot_1(t, pages);
  const u64 clear_word = ~u64{0};
  t.must(clear(t, {.slot = 1, .num_pages = 64, .first_page = 64}, &clear_word));
  u64 bitmap[2] = {};
  t.must(get(t, 1, bitmap));
  EXPECT_EQ(bitmap[0], ~u64{0});
  EXPECT_EQ(bitmap[1], 0u);
}

}  // namespace
}  // namespace conformance
