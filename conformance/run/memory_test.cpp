// What a running guest sees of its memory slots: slots that come, go and move between runs, host memory that is
// missing, and code that changes. api.rst 4.35 (KVM_SET_USER_MEMORY_REGION), 8.44 (KVM_CAP_MEMORY_FAULT_INFO).
#include <sys/mman.h>

#include "conformance/run/threads.hpp"
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using guests::kData;
using guests::kMmioBase;
using guests::kSpare;
using kvmapi::Exit;
using kvmapi::kPageSize;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

// Slot 1: one page of its own at the hole, holding `value` where the mmio guests look.
void put_slot_at_hole(Machine& m, HostPages& page, u32 value) {
  std::memcpy(page.data() + 0x10, &value, sizeof value);
  m.t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase).host(page.data())), "a slot at the hole");
}
void delete_slot_1(Machine& m) { m.t.must(m.vm().set_user_memory_region(slot(1).size(0)), "deleting a slot"); }
void restart(Machine& m) {
  m.change([](kvmapi::kvm_regs& r) { r.rip = guests::kLoad; });
}

void expect_read(Machine& m, u32 value) {
  restart(m);
  ASSERT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
  EXPECT_EQ(m.regs().rax, value);
}
void expect_mmio(Machine& m) {
  restart(m);
  ASSERT_TRUE(run_to_exit(m, mmio_read(kMmioBase + 0x10, Bytes::of<u32>(0x99)), __FILE__, __LINE__));
  ASSERT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
}

KVM_TEST("run.memory_slot", "new_one_ends_mmio_exits", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  HostPages page(kPageSize);
  expect_mmio(m);
  put_slot_at_hole(m, page, 0x1234);
  expect_read(m, 0x1234);
  delete_slot_1(m);
}

KVM_TEST("run.memory_slot", "deleted_one_makes_mmio_exits", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  HostPages page(kPageSize);
  put_slot_at_hole(m, page, 0x1234);
  expect_read(m, 0x1234);
  delete_slot_1(m);
  expect_mmio(m);
}

KVM_TEST("run.memory_slot", "replaced_one_shows_the_new_memory", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  HostPages first(kPageSize), second(kPageSize);
  put_slot_at_hole(m, first, 1);
  expect_read(m, 1);
  delete_slot_1(m);
  put_slot_at_hole(m, second, 2);
  expect_read(m, 2);
  delete_slot_1(m);
}

KVM_TEST("run.memory_slot", "moved_one_is_seen_at_its_new_address_only", "api.rst 4.35: it may be moved")(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  HostPages page(kPageSize);
  const u32 value = 7;
  std::memcpy(page.data() + 0x10, &value, sizeof value);
  t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase + 0x5000).host(page.data())));
  expect_mmio(m);
  t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase).host(page.data())));
  expect_read(m, 7);
  t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase + 0x5000).host(page.data())));
  expect_mmio(m);
  delete_slot_1(m);
}

KVM_TEST("run.memory_slot", "made_readonly_sends_writes_to_user_space", "api.rst 4.35",
         {.needs = {.cap = Cap::ReadonlyMem}})
(Ctx& t) {
  Machine m(t, Guest::mmio_write_dword, Mode::long64);
  HostPages page(kPageSize);
  put_slot_at_hole(m, page, 0);
  ASSERT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
  delete_slot_1(m);
  t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase).host(page.data()).readonly()));
  restart(m);
  EXPECT_TRUE(run_to_exit(m, mmio_write(kMmioBase + 0x10, "\x44\x33\x22\x11"), __FILE__, __LINE__));
  EXPECT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
  delete_slot_1(m);
}

KVM_TEST("run.memory_slot", "two_views_of_the_same_memory_agree", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::mmio_write_dword, Mode::long64);
  t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase).host(m.host(kSpare))));
  ASSERT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
  EXPECT_EQ(m.peek<u32>(kSpare + 0x10), 0x11223344u);
  delete_slot_1(m);
}

KVM_TEST("run.memory_slot", "memory_the_host_wrote_between_runs_is_seen", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::ram_read_spare, Mode::paged32);
  for (const u32 value : {1u, 0xffffffffu, 42u}) {
    m.poke(kSpare + 0x10, value);
    expect_read(m, value);
  }
}

KVM_TEST("run.memory_slot", "deleted_under_a_running_guest_makes_its_next_access_exit", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::poll_hole, Mode::long64);
  HostPages page(kPageSize);
  put_slot_at_hole(m, page, 1);
  Meanwhile other([&] { return watch(m, kData) > 100; }, [&] { delete_slot_1(m); });
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_FALSE(other.is_late());
  EXPECT_EQ(m.reason(), Exit::Mmio);
  EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_mmio>().phys_addr, kMmioBase + 0x10);
}

KVM_TEST("run.memory_slot", "other_slots_come_and_go_under_a_running_guest", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::count_until_told, Mode::long64);
  HostPages page(kPageSize);
  Meanwhile other([&] { return watch(m, kData) > 100; },
                  [&] {
                    for (int i = 0; i < 20; ++i) {
                      put_slot_at_hole(m, page, 1);
                      delete_slot_1(m);
                    }
                    tell(m, kData + 4, 1);
                  });
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_FALSE(other.is_late());
  EXPECT_EQ(m.reason(), Exit::Io);
}

// A slot whose host address has no mapping: KVM_RUN fails, the VM stays usable.

struct Unmapped {
  explicit Unmapped(Machine& m) {
    address = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    m.t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase).host(address)), "a slot");
    ::munmap(address, kPageSize);
  }
  ~Unmapped() {
    if (is_mapped) ::munmap(address, kPageSize);
  }
  // False if something else has taken the place meanwhile.
  bool map_again() {
    is_mapped = ::mmap(address, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                       -1, 0) == address;
    return is_mapped;
  }
  void* address = nullptr;
  bool is_mapped = false;
};

KVM_TEST("run.missing_host_memory", "read_fails_with_efault", "api.rst 4.35: userspace_addr")(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  Unmapped hole(m);
  EXPECT_THAT(m.run(), FailsWith(EFAULT));
  EXPECT_EQ(m.regs().rip, m.at("the_access"));
  EXPECT_THAT(m.run(), FailsWith(EFAULT)) << "again";
  delete_slot_1(m);
}

KVM_TEST("run.missing_host_memory", "write_fails_with_efault", "api.rst 4.35: userspace_addr")(Ctx& t) {
  Machine m(t, Guest::mmio_write_dword, Mode::long64);
  Unmapped hole(m);
  EXPECT_THAT(m.run(), FailsWith(EFAULT));
  delete_slot_1(m);
}

KVM_TEST("run.missing_host_memory", "guest_goes_on_once_it_is_there", "api.rst 4.35: userspace_addr")(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  Unmapped hole(m);
  ASSERT_THAT(m.run(), FailsWith(EFAULT));
  if (!hole.map_again()) t.broken("the address was taken by another mapping");
  const u32 value = 0x1234;
  std::memcpy(static_cast<u8*>(hole.address) + 0x10, &value, sizeof value);
  ASSERT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
  EXPECT_EQ(m.regs().rax, value);
  delete_slot_1(m);
}

KVM_TEST("run.missing_host_memory", "sets_exit_reason_to_unknown", "kvm_arch_vcpu_ioctl_run",
         {.needs = {.kernel = {6, 8}}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  expect_mmio(m);
  Unmapped hole(m);
  restart(m);
  ASSERT_THAT(m.run(), FailsWith(EFAULT));
  EXPECT_EQ(m.reason(), Exit::Unknown);
  delete_slot_1(m);
}

KVM_TEST("run.missing_host_memory", "keeps_the_exit_reason_of_the_run_before", "kvm_arch_vcpu_ioctl_run",
         {.needs = {.kernel_before = {6, 8}}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  expect_mmio(m);
  Unmapped hole(m);
  restart(m);
  ASSERT_THAT(m.run(), FailsWith(EFAULT));
  EXPECT_EQ(m.reason(), Exit::Hlt);
  delete_slot_1(m);
}

KVM_TEST("run.missing_host_memory", "write_to_a_readonly_mapping_fails_with_efault", "api.rst 4.35: userspace_addr",
         {.status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::mmio_write_dword, Mode::long64);
  HostPages page(kPageSize);
  put_slot_at_hole(m, page, 0);
  ::mprotect(page.data(), kPageSize, PROT_READ);
  EXPECT_THAT(m.run(), FailsWith(EFAULT));
  ::mprotect(page.data(), kPageSize, PROT_READ | PROT_WRITE);
  EXPECT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__)) << "once it may be written";
  delete_slot_1(m);
}

// Code that changes.
constexpr GuestCase kCode[] = {
    {.name = "store_into_an_instruction_that_ran_changes_it",
     .guest = Guest::rewrites_itself,
     .exits = {hlt().at("after")},
     .finish = {.rbx = 2}},
    {.name = "store_into_the_next_instruction_changes_it",
     .guest = Guest::rewrites_next_instruction,
     .modes = {Mode::real, Mode::prot32, Mode::paged32, Mode::pae32},
     .exits = {hlt()},
     .finish = {.rbx = 1},
     .status = Abi::sane,
     .source = "SDM 11.6: self-modifying code"},
    {.name = "copied_over_a_routine_replaces_it",
     .guest = Guest::copies_code,
     .exits = {hlt()},
     .finish = {.rbx = 0x0709}},
    {.name = "rewritten_by_the_host_between_runs_is_seen",
     .guest = Guest::mov_then_hlt_forever,
     .exits = {hlt().then([](Machine& m) {
                 EXPECT_EQ(m.regs().rbx, 1u);
                 m.poke<u8>(m.at("start") + 1, 2);
               }),
               hlt().then([](Machine& m) {
                 EXPECT_EQ(m.regs().rbx, 2u);
                 m.poke<u8>(m.at("start") + 1, 3);
               }),
               hlt()},
     .finish = {.rbx = 3}},
    {.name = "an_undefined_instruction_with_another_second_byte_is_executed",
     .guest = Guest::mov_then_hlt_forever,
     .exits = {hlt().then([](Machine& m) { m.poke<kvmapi::u16>(m.at("start"), 0x040f); }),
               taken(6).then([](Machine& m) { m.poke<kvmapi::u8>(m.at("start") + 1, 6); }),  // CLTS
               hlt()}},
};
KVM_ROWS("run.changed_code", "SDM 11.6: self-modifying code", kCode);

KVM_TEST("run.changed_code", "in_a_slot_that_replaced_another_is_seen", "api.rst 4.35")(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  HostPages first(kPageSize), second(kPageSize);
  first.data()[0] = 0xf4;                            // hlt
  second.data()[0] = 0x90, second.data()[1] = 0xf4;  // nop; hlt
  t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase).host(first.data())));
  m.change([](kvmapi::kvm_regs& r) { r.rip = kMmioBase; });
  ASSERT_TRUE(run_to_exit(m, hlt().at(kMmioBase + 1), __FILE__, __LINE__));
  delete_slot_1(m);
  t.must(m.vm().set_user_memory_region(slot(1).gpa(kMmioBase).host(second.data())));
  m.change([](kvmapi::kvm_regs& r) { r.rip = kMmioBase; });
  EXPECT_TRUE(run_to_exit(m, hlt().at(kMmioBase + 2), __FILE__, __LINE__));
  delete_slot_1(m);
}

}  // namespace
}  // namespace conformance
