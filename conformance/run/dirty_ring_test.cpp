// KVM_EXIT_DIRTY_RING_FULL: a guest that dirties more pages than the ring takes. api.rst 7.36 (KVM_CAP_DIRTY_LOG_RING).
#include <sys/mman.h>

#include <span>

#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kPageSize;
using kvmapi::kvm_dirty_gfn;
using kvmapi::u64;

constexpr u64 kRingBytes = 4096;
constexpr u64 kEntries = kRingBytes / sizeof(kvm_dirty_gfn);
constexpr u64 kSlotGpa = 0x200000;
constexpr u64 kSlotPages = 512;
constexpr off_t kRingOffset = 64 * kPageSize;  // KVM_DIRTY_LOG_PAGE_OFFSET
constexpr kvmapi::u32 kDirty = kvmapi::kDirtyGfnFDirty, kReset = kvmapi::kDirtyGfnFReset;
constexpr Needs kNeeds = {.vm_cap = Cap::DirtyLogRing};
constexpr const char* kSource = "api.rst 7.36: KVM_CAP_DIRTY_LOG_RING";

// A guest that is to dirty `pages` pages of slot 1, with a ring.
struct RingMachine {
  RingMachine(Ctx& t, u64 pages) : slot_memory(kSlotPages * kPageSize), m(make(t, pages)) {
    t.must(t.vm().set_user_memory_region(
               slot(1).gpa(kSlotGpa).size(kSlotPages * kPageSize).host(slot_memory.data()).log_dirty_pages()),
           "a slot with a dirty log");
    void* mapping =
        t.must(t.backend().mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu().fd(), kRingOffset),
               "mapping the dirty ring");
    ring = {static_cast<kvm_dirty_gfn*>(mapping), kEntries};
  }
  ~RingMachine() {
    (void)m.t.backend().munmap(ring.data(), kRingBytes);
    (void)m.vm().set_user_memory_region(slot(1).size(0));
  }

  static Machine make(Ctx& t, u64 pages) {
    t.must(t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes), "a dirty ring");
    return Machine(t, Guest::dirty_pages, Mode::long64, {.rcx = pages, .rdi = kSlotGpa});
  }
  // The number of entries that the guest's writes have filled.
  u64 dirty() const {
    u64 count = 0;
    for (const kvm_dirty_gfn& entry : ring) count += (entry.flags & (kDirty | kReset)) == kDirty;
    return count;
  }

  HostPages slot_memory;
  Machine m;
  std::span<kvm_dirty_gfn> ring;
};

KVM_TEST("run.dirty_ring", "entries_name_slot_and_page_in_order", kSource, {.needs = kNeeds})(Ctx& t) {
  RingMachine r(t, 3);
  ASSERT_TRUE(run_to_exit(r.m, hlt(), __FILE__, __LINE__));
  for (u64 i = 0; i < 3; ++i) {
    EXPECT_EQ(r.ring[i].flags, kDirty) << i;
    EXPECT_EQ(r.ring[i].slot, 1u) << i;
    EXPECT_EQ(r.ring[i].offset, i) << i;
  }
  EXPECT_EQ(r.ring[3].flags, 0u);
}

KVM_TEST("run.dirty_ring", "page_written_twice_has_one_entry", kSource, {.needs = kNeeds})(Ctx& t) {
  RingMachine r(t, 2);
  ASSERT_TRUE(run_to_exit(r.m, hlt(), __FILE__, __LINE__));
  r.m.change([](kvmapi::kvm_regs& regs) {
    regs.rip = guests::kLoad;
    regs.rcx = 2;
    regs.rdi = kSlotGpa;
  });
  ASSERT_TRUE(run_to_exit(r.m, hlt(), __FILE__, __LINE__));
  EXPECT_EQ(r.dirty(), 2u);
}

KVM_TEST("run.dirty_ring", "full_one_exits", kSource, {.needs = kNeeds})(Ctx& t) {
  RingMachine r(t, kSlotPages);
  ASSERT_THAT(r.m.run(), Returns(0));
  EXPECT_EQ(r.m.reason(), Exit::DirtyRingFull);
  EXPECT_LE(r.dirty(), kEntries);
  EXPECT_GE(r.dirty(), kEntries / 2);
}

KVM_TEST("run.dirty_ring", "full_one_exits_64_entries_early", "kvm_dirty_ring_soft_full",
         {.needs = kNeeds, .status = Abi::observed})
(Ctx& t) {
  RingMachine r(t, kSlotPages);
  ASSERT_THAT(r.m.run(), Returns(0));
  ASSERT_EQ(r.m.reason(), Exit::DirtyRingFull);
  EXPECT_EQ(r.dirty(), kEntries - 64);
}

KVM_TEST("run.dirty_ring", "stays_full_until_it_is_reset", kSource, {.needs = kNeeds})(Ctx& t) {
  RingMachine r(t, kSlotPages);
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(r.m.run(), Returns(0));
    EXPECT_EQ(r.m.reason(), Exit::DirtyRingFull);
  }
  const u64 count = r.dirty();
  for (u64 i = 0; i < count; ++i) r.ring[i].flags = kDirty | kReset;
  EXPECT_THAT(r.m.vm().reset_dirty_rings(), Returns(static_cast<int>(count)));
  EXPECT_EQ(r.ring[0].flags, 0u);
  ASSERT_THAT(r.m.run(), Returns(0));
  EXPECT_EQ(r.m.reason(), Exit::DirtyRingFull) << "512 pages fill it once more";
}

}  // namespace
}  // namespace conformance
