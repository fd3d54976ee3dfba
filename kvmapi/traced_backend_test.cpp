// TracedBackend: calls reach the inner backend unchanged, are remembered and printed, and nothing unreadable is ever
// read.
#include "kvmapi/traced_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "kvmapi/read_memory.hpp"
#include "kvmapi/recording_backend_for_test.hpp"
#include "kvmapi/system.hpp"

namespace kvmapi {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

struct Traced : testing::Test {
  std::string last_line() { return to_text(traced.last_calls().back()); }
  nlohmann::json last_json() { return nlohmann::json::parse(to_json(traced.last_calls().back())); }

  RecordingBackend inner;
  TracedBackend traced{inner};
  System system = System::open(traced).value();
  Vm vm = system.create_vm().value();
  Vcpu vcpu = vm.create_vcpu(0).value();
};

TEST_F(Traced, prints_how_descriptors_came_to_be) {
  const auto calls = traced.last_calls();
  ASSERT_THAT(calls, SizeIs(5));
  EXPECT_EQ(to_text(calls[0]), "open(\"/dev/kvm\", O_RDWR|O_CLOEXEC) = 100");
  EXPECT_EQ(to_text(calls[1]), "ioctl(100 system, KVM_CREATE_VM, 0) = 101");
  EXPECT_EQ(to_text(calls[2]), "ioctl(100 system, KVM_GET_VCPU_MMAP_SIZE) = 12288");
  EXPECT_EQ(to_text(calls[3]), "ioctl(101 vm, KVM_CREATE_VCPU, 0) = 102");
  EXPECT_THAT(to_text(calls[4]), StartsWith("mmap(102 vcpu, 12288 bytes) = 0x"));
}

TEST_F(Traced, prints_arguments_by_field) {
  (void)vm.set_user_memory_region({.slot = 1, .flags = kMemReadonly, .guest_phys_addr = 0x1000, .memory_size = 0x1000});
  EXPECT_EQ(last_line(),
            "ioctl(101 vm, KVM_SET_USER_MEMORY_REGION, {slot=1, flags=KVM_MEM_READONLY, guest_phys_addr=0x1000, "
            "memory_size=0x1000, userspace_addr=0}) = 0");
  (void)vm.check_extension(Cap::ReadonlyMem);
  EXPECT_EQ(last_line(), "ioctl(101 vm, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) = 0");
  (void)vm.set_identity_map_addr(Gpa{0xfffbc000});
  EXPECT_EQ(last_line(), "ioctl(101 vm, KVM_SET_IDENTITY_MAP_ADDR, [0xfffbc000]) = 0");
}

TEST_F(Traced, prints_lists_behind_headers) {
  Msrs msrs{{.index = 0x10, .data = 5}};
  (void)vcpu.set_msrs(msrs);
  EXPECT_EQ(last_line(), "ioctl(102 vcpu, KVM_SET_MSRS, {nmsrs=1, entries=[{index=0x10, data=0x5}]}) = 1");
  (void)vcpu.set_cpuid2(Cpuid(100));
  EXPECT_THAT(last_line(), HasSubstr("{nent=100, entries=["));
  EXPECT_THAT(last_line(), HasSubstr("more]}) = 0"));
}

TEST_F(Traced, prints_errors) {
  inner.fails_with = EBUSY;
  (void)vm.create_irqchip();
  EXPECT_EQ(last_line(), "ioctl(101 vm, KVM_CREATE_IRQCHIP) = -1 EBUSY");
}

TEST_F(Traced, prints_the_exit_of_a_run) {
  vcpu.page().exit_reason = static_cast<u32>(Exit::Io);
  vcpu.page().exit.set(kvm_exit_io{.direction = kExitIoOut, .size = 1, .port = 0x10, .count = 2, .data_offset = 4096});
  vcpu.mapping(4096)[0] = 0x61;
  vcpu.mapping(4096)[1] = 0x62;
  (void)vcpu.run();
  EXPECT_EQ(last_line(),
            "ioctl(102 vcpu, KVM_RUN) = 0 KVM_EXIT_IO {direction=KVM_EXIT_IO_OUT, size=1, port=0x10, count=2, "
            "data_offset=0x1000} data=[61 62]");
  vcpu.page().exit_reason = static_cast<u32>(Exit::Hlt);
  (void)vcpu.run();
  EXPECT_EQ(last_line(), "ioctl(102 vcpu, KVM_RUN) = 0 KVM_EXIT_HLT");
}

TEST_F(Traced, a_failed_run_does_not_tell_the_exit_before) {
  vcpu.page().exit_reason = static_cast<u32>(Exit::Hlt);
  inner.fails_with = EINTR;
  (void)vcpu.run();
  EXPECT_EQ(last_line(), "ioctl(102 vcpu, KVM_RUN) = -1 EINTR");
}

TEST_F(Traced, a_run_that_failed_with_a_memory_fault_tells_it) {
  vcpu.page().exit_reason = static_cast<u32>(Exit::MemoryFault);
  vcpu.page().exit.set(kvm_exit_memory_fault{.flags = kMemoryExitFlagPrivate, .gpa = 0x1000, .size = 0x1000});
  inner.fails_with = EFAULT;
  (void)vcpu.run();
  EXPECT_EQ(last_line(),
            "ioctl(102 vcpu, KVM_RUN) = -1 EFAULT KVM_EXIT_MEMORY_FAULT {flags=KVM_MEMORY_EXIT_FLAG_PRIVATE, "
            "gpa=0x1000, size=0x1000}");
}

TEST_F(Traced, io_data_outside_the_mapping_is_not_read) {
  vcpu.page().exit_reason = static_cast<u32>(Exit::Io);
  vcpu.page().exit.set(kvm_exit_io{.size = 4, .count = 1, .data_offset = ~0ull - 2});
  (void)vcpu.run();
  EXPECT_THAT(last_line(), HasSubstr("KVM_EXIT_IO"));
}

TEST_F(Traced, bad_pointers_are_said_to_be_bad) {
  (void)vm.raw(Ioctl::SetUserMemoryRegion, u64{0});
  EXPECT_EQ(last_line(), "ioctl(101 vm, KVM_SET_USER_MEMORY_REGION, NULL) = 0");
  for (const u64 bad : {u64{8}, u64{0xdead0000dead0000}, u64{1} << 47, ~u64{0} - 3}) {
    (void)vm.raw(Ioctl::SetUserMemoryRegion, bad);
    EXPECT_THAT(last_line(), HasSubstr("(not readable)")) << bad;
    EXPECT_TRUE(last_json().at("argument").is_null());
  }
}

TEST_F(Traced, an_argument_that_ends_at_an_unmapped_page_is_not_readable) {
  auto* pages = static_cast<u8*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  ::munmap(pages + 4096, 4096);
  (void)vm.raw(Ioctl::SetUserMemoryRegion, reinterpret_cast<u64>(pages + 4096 - 8));
  EXPECT_THAT(last_line(), HasSubstr("(not readable)"));
  (void)vm.raw(Ioctl::SetUserMemoryRegion, reinterpret_cast<u64>(pages + 4096 - 32));
  EXPECT_THAT(last_line(), HasSubstr("{slot=0"));
  ::munmap(pages, 4096);
}

TEST_F(Traced, a_list_that_claims_too_much_is_cut) {
  MsrIndexList list{1, 2};
  list->nmsrs = 0xffffffff;
  (void)system.get_msr_index_list(list);
  EXPECT_THAT(last_line(), HasSubstr("nmsrs=4294967295, indices=[0x1, 0x2"));
}

TEST_F(Traced, unknown_numbers_are_explained) {
  inner.fails_with = EINVAL;
  (void)system.raw(0xc00cae05, u64{0});
  EXPECT_THAT(last_line(),
              StartsWith("ioctl(100 system, 0xc00cae05, 0x0) = -1 EINVAL (0xc00cae05 has the C++ flexible-array"));
  EXPECT_THAT(last_json().at("note"), HasSubstr("you meant KVM_GET_SUPPORTED_CPUID"));
  (void)vm.raw(Ioctl::Run);
  EXPECT_THAT(last_line(), HasSubstr("KVM_RUN (0x0000ae80) belongs to a vcpu descriptor"));
}

TEST_F(Traced, json_names_fields) {
  (void)vm.irq_line(5, 1);
  const nlohmann::json json = last_json();
  EXPECT_EQ(json.at("call"), "ioctl");
  EXPECT_EQ(json.at("kind"), "vm");
  EXPECT_EQ(json.at("ioctl"), "KVM_IRQ_LINE");
  EXPECT_EQ(json.at("argument").at("irq"), 5);
  EXPECT_EQ(json.at("result"), 0);
  EXPECT_FALSE(json.contains("errno"));
}

TEST_F(Traced, every_recorded_call_is_valid_json) {
  vcpu.page().exit_reason = static_cast<u32>(Exit::Mmio);
  (void)vcpu.run();
  inner.fails_with = EFAULT;
  (void)vcpu.get_sregs();
  for (const CallRecord& call : traced.last_calls()) {
    EXPECT_TRUE(nlohmann::json::accept(to_json(call))) << to_json(call);
  }
  EXPECT_EQ(last_json().at("errno"), "EFAULT");
}

TEST_F(Traced, a_reused_descriptor_number_gets_its_new_kind) {
  const int fd = vcpu.fd();
  vcpu = Vcpu();
  inner.next_fd = fd;
  const Fd stats = vm.get_stats_fd().value();
  EXPECT_EQ(stats.fd(), fd);
  stats.backend().ioctl(fd, 0xae80, 0).ok();
  EXPECT_EQ(traced.last_calls().back().kind, FdKind::Stats);
}

TEST(TracedRing, keeps_only_the_last_calls) {
  RecordingBackend inner;
  TracedBackend traced(inner, {.ring_calls = 4});
  const System system = System::open(traced).value();
  for (int i = 0; i < 10; ++i) (void)system.check_extension(Cap::Hlt);
  const auto calls = traced.last_calls();
  ASSERT_THAT(calls, SizeIs(4));
  EXPECT_EQ(calls.front().sequence, 8u);
  EXPECT_EQ(calls.back().sequence, 11u);
  EXPECT_EQ(traced.last_calls_text(1), "ioctl(100 system, KVM_CHECK_EXTENSION, KVM_CAP_HLT) = 0\n");
  traced.forget_calls();
  EXPECT_EQ(traced.last_calls_text(), "");
}

TEST(TracedRing, can_do_without_arguments) {
  RecordingBackend inner;
  TracedBackend traced(inner, {.captures_arguments = false});
  const System system = System::open(traced).value();
  (void)system.get_device_attr({});
  EXPECT_THAT(traced.last_calls_text(1), HasSubstr("KVM_GET_DEVICE_ATTR, 0x"));
}

TEST(TracedSink, sees_each_call_and_may_look_at_the_ring) {
  RecordingBackend inner;
  std::vector<std::string> lines;
  TracedBackend* self = nullptr;
  TracedBackend traced(inner, {.sink = [&](const CallRecord& call) {
                         lines.push_back(to_text(call));
                         if (self != nullptr) {
                           EXPECT_FALSE(self->last_calls().empty());
                         }
                       }});
  self = &traced;
  { const System system = System::open(traced).value(); }
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[1], "close(100 system) = 0");
}

// Answers without any state of its own.
class StatelessBackend final : public Backend {
 public:
  Result<int> open(const char*, int) override { return 3; }
  Result<int> ioctl(int, u32, u64) override { return 0; }
  Result<void*> mmap(void*, std::size_t, int, int, int, off_t) override { return err(ENODEV); }
  Result<void> munmap(void*, std::size_t) override { return {}; }
  Result<void> close(int) override { return {}; }
  std::string name() const override { return "stateless"; }
};

TEST(TracedThreads, many_threads_record_while_one_reads) {
  StatelessBackend inner;
  TracedBackend traced(inner, {.ring_calls = 8});
  constexpr int kCalls = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const kvm_irq_level level{1, 1};
      for (int i = 0; i < kCalls; ++i) (void)traced.ioctl(3, number(Ioctl::IrqLine), reinterpret_cast<u64>(&level));
    });
  }
  for (int i = 0; i < 50; ++i) {
    for (const CallRecord& call : traced.last_calls()) EXPECT_THAT(to_text(call), HasSubstr("{irq=1, level=1}"));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(traced.calls_made(), 4u * kCalls);
}

class ReadMemory : public testing::TestWithParam<std::size_t (*)(u64, std::span<std::byte>)> {};

TEST_P(ReadMemory, stops_where_memory_ends) {
  const auto read = GetParam();
  auto* pages =
      static_cast<std::byte*>(::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  ::munmap(pages + 8192, 4096);
  pages[4095] = std::byte{1};
  pages[4096] = std::byte{2};
  std::array<std::byte, 64> out{};
  EXPECT_EQ(read(reinterpret_cast<u64>(pages) + 4095, out), 64u);
  EXPECT_EQ(out[0], std::byte{1});
  EXPECT_EQ(out[1], std::byte{2});
  EXPECT_LE(read(reinterpret_cast<u64>(pages) + 8192 - 16, out), 16u);
  EXPECT_EQ(read(reinterpret_cast<u64>(pages) + 8192, out), 0u);
  ::munmap(pages, 8192);
}

INSTANTIATE_TEST_SUITE_P(both_ways, ReadMemory, testing::Values(&read_memory, &read_memory_through_pipe));

TEST(read_memory, leaves_errno_alone) {
  std::array<std::byte, 64> out{};
  errno = 77;
  EXPECT_EQ(read_memory(0xdead0000dead0000, out), 0u);
  EXPECT_EQ(read_memory(0, out), 0u);
  EXPECT_EQ(errno, 77);
}

}  // namespace
}  // namespace kvmapi
