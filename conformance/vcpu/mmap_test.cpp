// Mapping a vcpu descriptor: kvm_run, the port data page and the coalesced ring, and what lies behind them. The dirty
// ring: conformance/vm/dirty_ring_test.cpp.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

constexpr std::size_t kPage = 4096;

// A mapping of vcpu 0 of its own.
class Mapping {
 public:
  Mapping(Ctx& t, std::size_t pages, int flags = MAP_SHARED, off_t first_page = 0)
      : backend_(t.backend()), bytes_(pages * kPage) {
    const auto base = backend_.mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, t.vcpu().fd(),
                                    first_page * static_cast<off_t>(kPage));
    error_ = base.error().value();
    if (base.ok()) base_ = static_cast<u8*>(*base);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (base_ != nullptr) (void)backend_.munmap(base_, bytes_);
  }
  int error() const { return error_; }
  volatile u8* page(std::size_t i) const { return base_ + i * kPage; }
  kvmapi::kvm_run& run() const { return *reinterpret_cast<kvmapi::kvm_run*>(base_); }

 private:
  kvmapi::Backend& backend_;
  std::size_t bytes_;
  u8* base_ = nullptr;
  int error_ = 0;
};

// The signal that reading the byte raises in a child, 0 if none.
int signal_of_reading(Ctx& t, const volatile u8* byte) {
  const pid_t child = ::fork();
  if (child < 0) t.broken("fork failed");
  if (child == 0) {
    ::signal(SIGBUS, SIG_DFL);
    ::signal(SIGSEGV, SIG_DFL);
    (void)*byte;
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) t.broken("waitpid failed");
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

KVM_TEST("vcpu.mmap", "all_pages_of_the_announced_size_are_readable", "api.rst 4.5, 4.10")(Ctx& t) {
  const std::size_t pages = static_cast<std::size_t>(t.must(t.system().get_vcpu_mmap_size())) / kPage;
  const Mapping mapping(t, pages);
  ASSERT_EQ(mapping.error(), 0);
  for (std::size_t i = 0; i < pages; ++i) EXPECT_EQ(signal_of_reading(t, mapping.page(i)), 0) << "page " << i;
}

KVM_TEST("vcpu.mmap", "page_behind_the_announced_size_is_sigbus", "kvm_vcpu_fault", {.status = Abi::observed})(Ctx& t) {
  const std::size_t pages = static_cast<std::size_t>(t.must(t.system().get_vcpu_mmap_size())) / kPage;
  const Mapping mapping(t, pages + 1);
  ASSERT_EQ(mapping.error(), 0);
  EXPECT_EQ(signal_of_reading(t, mapping.page(pages)), SIGBUS);
}

KVM_TEST("vcpu.mmap", "one_page_is_enough_for_kvm_run", "api.rst 4.10")(Ctx& t) {
  const Mapping mapping(t, 1);
  ASSERT_EQ(mapping.error(), 0);
  run_once(t);
  EXPECT_EQ(mapping.run().exit_reason, static_cast<u32>(kvmapi::Exit::Hlt));
}

KVM_TEST("vcpu.mmap", "two_mappings_show_the_same_page", "api.rst 4.10")(Ctx& t) {
  const Mapping a(t, 1);
  const Mapping b(t, 1);
  a.run().request_interrupt_window = 1;
  EXPECT_EQ(b.run().request_interrupt_window, 1);
  EXPECT_EQ(t.vcpu().page().request_interrupt_window, 1);
}

KVM_TEST("vcpu.mmap", "second_page_holds_port_data", "kvm_vcpu_fault, KVM_PIO_PAGE_OFFSET", {.status = Abi::observed})
(Ctx& t) {
  load(t, {0xb0, 0x5a, 0xe6, 0x10, 0xf4});  // mov al, 0x5a; out 0x10, al
  t.must(t.vcpu().run());
  ASSERT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Io);
  EXPECT_EQ(t.vcpu().page().exit.as<kvmapi::kvm_exit_io>().data_offset, kPage);
  const Mapping second(t, 1, MAP_SHARED, 1);
  ASSERT_EQ(second.error(), 0);
  EXPECT_EQ(*second.page(0), 0x5a);
}

KVM_TEST("vcpu.mmap", "coalesced_ring_page_is_shared_by_all_vcpus", "kvm_vcpu_fault", {.status = Abi::observed})
(Ctx& t) {
  auto second = t.must(t.vm().create_vcpu(1));
  t.vcpu().coalesced_mmio_ring()->first = 7;
  EXPECT_EQ(second.coalesced_mmio_ring()->first, 7u);
}

KVM_TEST("vcpu.mmap", "kvm_run_pages_of_two_vcpus_are_different", "api.rst 4.10")(Ctx& t) {
  auto second = t.must(t.vm().create_vcpu(1));
  t.vcpu().page().request_interrupt_window = 1;
  EXPECT_EQ(second.page().request_interrupt_window, 0);
}

KVM_TEST("vcpu.mmap", "private_mapping_is_accepted", "kvm_vcpu_mmap", {.status = Abi::observed})(Ctx& t) {
  const Mapping mapping(t, 1, MAP_PRIVATE);
  EXPECT_EQ(mapping.error(), 0);
}

KVM_TEST("vcpu.mmap", "new_vcpu_has_a_zeroed_kvm_run", "api.rst 5; kvm_vm_ioctl_create_vcpu", {.status = Abi::observed})
(Ctx& t) {
  const kvmapi::kvm_run& run = t.vcpu().page();
  EXPECT_EQ(run.request_interrupt_window, 0);
  EXPECT_EQ(run.immediate_exit, 0);
  EXPECT_EQ(run.exit_reason, 0u);
  EXPECT_EQ(run.kvm_valid_regs, 0u);
  EXPECT_EQ(run.kvm_dirty_regs, 0u);
}

KVM_TEST("vcpu.mmap", "mapping_outlives_the_descriptor", "mmap(2)")(Ctx& t) {
  auto vcpu = t.must(t.vm().create_vcpu(5));
  const auto base = t.backend().mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd(), 0);
  ASSERT_THAT(base, Succeeds());
  vcpu.close();
  t.vm().close();
  static_cast<volatile u8*>(*base)[1] = 1;
  EXPECT_EQ(static_cast<volatile u8*>(*base)[1], 1);
  (void)t.backend().munmap(*base, kPage);
}

}  // namespace
}  // namespace conformance
