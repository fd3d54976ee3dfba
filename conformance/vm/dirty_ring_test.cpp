// KVM_CAP_DIRTY_LOG_RING(_ACQ_REL) and KVM_RESET_DIRTY_RINGS: rules of enabling, and the ring of a guest that writes.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_dirty_gfn;

constexpr u32 kRingBytes = 65536;
constexpr off_t kRingOffset = 64 * 4096;  // KVM_DIRTY_LOG_PAGE_OFFSET

constexpr IoctlCase kEnable[] = {
    {.name = "dirty_ring_of_one_page_is_accepted",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::DirtyLogRing, 4096); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
    {.name = "dirty_ring_of_64k_is_accepted",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::DirtyLogRing}},
    {.name = "dirty_ring_of_the_maximum_is_accepted",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::DirtyLogRing, 1 << 20); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::DirtyLogRing}},
    {.name = "dirty_ring_beyond_the_maximum_is_e2big",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::DirtyLogRing, 2 << 20); },
     .expect = fails(E2BIG),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
    {.name = "dirty_ring_of_0_is_einval",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::DirtyLogRing, 0); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing}},
    {.name = "dirty_ring_not_power_of_two_is_einval",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::DirtyLogRing, 3 * 4096); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing}},
    {.name = "dirty_ring_below_one_page_is_einval",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::DirtyLogRing, 2048); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing}},
    {.name = "dirty_ring_twice_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes));
           return t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
    {.name = "dirty_ring_after_a_vcpu_is_einval",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing}},
    {.name = "dirty_ring_acq_rel_is_the_same_switch",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::DirtyLogRingAcqRel, kRingBytes));
           return t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRingAcqRel},
     .status = Abi::observed},
    {.name = "dirty_ring_with_bitmap_is_einval_on_x86",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes));
           return t.vm().enable_cap(Cap::DirtyLogRingWithBitmap, 0);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
};
KVM_ROWS("vm.enable_cap", "api.rst 7.36", kEnable);

constexpr IoctlCase kReset[] = {
    {.name = "without_a_ring_is_einval",
     .call = [](Ctx& t) { return t.vm().reset_dirty_rings(); },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
    {.name = "with_an_empty_ring_returns_0",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes));
           t.vcpu();
           return t.vm().reset_dirty_rings();
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::DirtyLogRing}},
    {.name = "without_vcpus_returns_0",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes));
           return t.vm().reset_dirty_rings();
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
};
KVM_ROWS("vm.reset_dirty_rings", "api.rst 7.36", kReset);

// The ring of vcpu 0, mapped.
class Ring {
 public:
  explicit Ring(Ctx& t) : backend_(t.backend()) {
    base_ = t.must(backend_.mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, t.vcpu().fd(), kRingOffset),
                   "mapping the dirty ring");
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { (void)backend_.munmap(base_, kRingBytes); }
  kvm_dirty_gfn& operator[](std::size_t i) { return static_cast<kvm_dirty_gfn*>(base_)[i]; }

 private:
  kvmapi::Backend& backend_;
  void* base_ = nullptr;
};

KVM_TEST("vm.reset_dirty_rings", "written_page_appears_and_is_counted_when_reset", "api.rst 7.36",
         {.needs = {.cap = Cap::DirtyLogRing}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes));
  load(t, {0xa2, 0x00, 0x30, 0xf4});  // mov [0x3000], al; hlt
  const HostPages pages(16 * 4096);
  t.must(t.vm().set_user_memory_region(
      slot(3).gpa(4u << 20).size(pages.size_bytes()).host(pages.data()).log_dirty_pages()));
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.ds.base = 4u << 20;
  t.must(t.vcpu().set_sregs(sregs));
  run_to_halt(t);
  Ring ring(t);
  ASSERT_EQ(ring[0].flags, kvmapi::kDirtyGfnFDirty);
  EXPECT_EQ(ring[0].slot, 3u);
  EXPECT_EQ(ring[0].offset, 3u);
  EXPECT_EQ(ring[1].flags, 0u);
  EXPECT_THAT(t.vm().reset_dirty_rings(), Returns(0)) << "nothing was harvested";
  ring[0].flags = kvmapi::kDirtyGfnFReset;
  EXPECT_THAT(t.vm().reset_dirty_rings(), Returns(1));
  EXPECT_EQ(ring[0].flags, 0u);
}

// Mapping the ring in a way that the kernel refuses.
template <int kProtection, int kFlags>
constexpr Call kMap = [](Ctx& t) {
  t.must(t.vm().enable_cap(Cap::DirtyLogRing, kRingBytes));
  return t.backend().mmap(nullptr, kRingBytes, kProtection, kFlags, t.vcpu().fd(), kRingOffset);
};

constexpr IoctlCase kMapping[] = {
    {.name = "dirty_ring_private_mapping_is_einval",
     .call = kMap<PROT_READ | PROT_WRITE, MAP_PRIVATE>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
    {.name = "dirty_ring_executable_mapping_is_refused",  // later kernels refuse to execute any anonymous inode
     .call = kMap<PROT_READ | PROT_EXEC, MAP_SHARED>,
     .expect = before(6, 16, fails(EINVAL)).then(fails(EPERM)),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
};
KVM_ROWS("vcpu.mmap", "kvm_vcpu_mmap", kMapping);

}  // namespace
}  // namespace conformance
