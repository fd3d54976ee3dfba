// System, Vm, Vcpu and Device against a backend that records calls: every x86 ioctl has a method, descriptors are
// closed once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "kvmapi/recording_backend_for_test.hpp"
#include "kvmapi/system.hpp"

namespace kvmapi {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void call_every_system_method(const System& system) {
  Cpuid cpuid(1);
  Msrs msrs(1);
  (void)system.get_api_version();
  (void)system.create_vm();
  (void)system.check_extension(Cap::Hlt);
  (void)system.get_msr_index_list();
  (void)system.get_msr_feature_index_list();
  (void)system.get_msrs(msrs);
  (void)system.get_supported_cpuid();
  (void)system.get_emulated_cpuid(cpuid);
  (void)system.get_supported_hv_cpuid(cpuid);
  (void)system.get_device_attr({});
  (void)system.has_device_attr({});
  (void)system.x86_get_mce_cap_supported();
}

void call_every_vm_memory_method(const Vm& vm) {
  (void)vm.set_user_memory_region({});
  (void)vm.set_user_memory_region2({});
  (void)vm.set_memory_attributes({});
  (void)vm.create_guest_memfd({});
  (void)vm.get_dirty_log({});
  (void)vm.clear_dirty_log({});
  (void)vm.reset_dirty_rings();
  (void)vm.set_nr_mmu_pages(64);
  (void)vm.get_nr_mmu_pages();
  (void)vm.register_coalesced_mmio({});
  (void)vm.unregister_coalesced_mmio({});
}

void call_every_vm_method(const Vm& vm) {
  kvm_irq_level level{};
  kvm_xen_hvm_attr xen{};
  kvm_sev_cmd command{};
  call_every_vm_memory_method(vm);
  (void)vm.create_vcpu(0);
  (void)vm.check_extension(Cap::Hlt);
  (void)vm.enable_cap(Cap::SplitIrqchip, 24);
  (void)vm.set_tss_addr(Gpa{0xfffbd000});
  (void)vm.set_identity_map_addr(Gpa{0xfffbc000});
  (void)vm.set_boot_cpu_id(1);
  (void)vm.set_tsc_khz(1);
  (void)vm.get_tsc_khz();
  (void)vm.get_clock();
  (void)vm.set_clock({});
  (void)vm.create_irqchip();
  (void)vm.get_irqchip(kIrqchipIoapic);
  (void)vm.set_irqchip({});
  (void)vm.irq_line(1, 1);
  (void)vm.irq_line_status(level);
  (void)vm.set_gsi_routing(IrqRouting{});
  (void)vm.signal_msi({});
  (void)vm.irqfd({});
  (void)vm.ioeventfd({});
  (void)vm.create_pit();
  (void)vm.get_pit();
  (void)vm.set_pit({});
  (void)vm.create_pit2();
  (void)vm.get_pit2();
  (void)vm.set_pit2({});
  (void)vm.reinject_control({});
  (void)vm.x86_set_msr_filter({});
  (void)vm.set_pmu_event_filter(PmuEventFilter{});
  (void)vm.create_device(kDevTypeVfio);
  (void)vm.get_stats_fd();
  (void)vm.xen_hvm_config({});
  (void)vm.xen_hvm_set_attr({});
  (void)vm.xen_hvm_get_attr(xen);
  (void)vm.xen_hvm_evtchn_send({});
  (void)vm.hyperv_eventfd({});
  (void)vm.memory_encrypt_op(&command);
  (void)vm.memory_encrypt_reg_region({});
  (void)vm.memory_encrypt_unreg_region({});
}

void call_every_vcpu_register_method(const Vcpu& vcpu) {
  Msrs msrs(1);
  std::vector<u8> xsave(4096);
  (void)vcpu.get_regs();
  (void)vcpu.set_regs({});
  (void)vcpu.get_sregs();
  (void)vcpu.set_sregs({});
  (void)vcpu.get_sregs2();
  (void)vcpu.set_sregs2({});
  (void)vcpu.get_fpu();
  (void)vcpu.set_fpu({});
  (void)vcpu.get_debugregs();
  (void)vcpu.set_debugregs({});
  (void)vcpu.get_xcrs();
  (void)vcpu.set_xcrs({});
  (void)vcpu.get_xsave();
  (void)vcpu.set_xsave(kvm_xsave{});
  (void)vcpu.get_xsave2(xsave);
  (void)vcpu.get_msrs(msrs);
  (void)vcpu.set_msrs(msrs);
  (void)vcpu.get_lapic();
  (void)vcpu.set_lapic({});
  (void)vcpu.get_mp_state();
  (void)vcpu.set_mp_state({});
  (void)vcpu.get_vcpu_events();
  (void)vcpu.set_vcpu_events({});
}

void call_every_vcpu_method(const Vcpu& vcpu) {
  Cpuid cpuid(1);
  RegList regs(1);
  NestedState nested;
  kvm_tpr_access_ctl tpr{};
  kvm_pre_fault_memory range{};
  kvm_xen_vcpu_attr xen{};
  kvm_sev_cmd command{};
  call_every_vcpu_register_method(vcpu);
  (void)vcpu.run();
  (void)vcpu.set_cpuid(LegacyCpuid{});
  (void)vcpu.set_cpuid2(cpuid);
  (void)vcpu.get_cpuid2(cpuid);
  (void)vcpu.get_supported_hv_cpuid(cpuid);
  (void)vcpu.translate(Gva{0x1000});
  (void)vcpu.interrupt(32);
  (void)vcpu.nmi();
  (void)vcpu.smi();
  (void)vcpu.set_guest_debug({});
  (void)vcpu.set_signal_mask(nullptr);
  (void)vcpu.enable_cap(Cap::HypervSynic);
  (void)vcpu.set_tsc_khz(1);
  (void)vcpu.get_tsc_khz();
  (void)vcpu.kvmclock_ctrl();
  (void)vcpu.set_one_reg({});
  (void)vcpu.get_one_reg({});
  (void)vcpu.get_reg_list(regs);
  (void)vcpu.set_device_attr({});
  (void)vcpu.get_device_attr({});
  (void)vcpu.has_device_attr({});
  (void)vcpu.x86_setup_mce(1);
  (void)vcpu.x86_set_mce({});
  (void)vcpu.tpr_access_reporting(tpr);
  (void)vcpu.set_vapic_addr({});
  (void)vcpu.get_nested_state(nested);
  (void)vcpu.set_nested_state(nested);
  (void)vcpu.pre_fault_memory(range);
  (void)vcpu.xen_vcpu_set_attr({});
  (void)vcpu.xen_vcpu_get_attr(xen);
  (void)vcpu.memory_encrypt_op(&command);
  (void)vcpu.get_stats_fd();
}

class Wrappers : public testing::Test {
 protected:
  ~Wrappers() override {
    EXPECT_THAT(backend.kinds, IsEmpty()) << "descriptors left open";
    EXPECT_THAT(backend.mapped, IsEmpty()) << "mappings left";
  }
  RecordingBackend backend;
};

TEST_F(Wrappers, every_x86_ioctl_has_a_method_on_every_descriptor_that_takes_it) {
  {
    const System system = System::open(backend).value();
    const Vm vm = system.create_vm().value();
    const Vcpu vcpu = vm.create_vcpu(0).value();
    const Device device = vm.create_device(kDevTypeVfio).value();
    call_every_system_method(system);
    call_every_vm_method(vm);
    call_every_vcpu_method(vcpu);
    (void)device.set_device_attr({});
    (void)device.get_device_attr({});
    (void)device.has_device_attr({});
  }
  for (const IoctlInfo& row : ioctls()) {
    for (const FdKind kind : {FdKind::System, FdKind::Vm, FdKind::Vcpu, FdKind::Device}) {
      if (!row.is_x86 || !row.fds.has(kind)) continue;
      EXPECT_EQ(backend.calls.erase({kind, row.number()}), 1u) << row.c_name << " on " << name(kind);
    }
  }
  EXPECT_THAT(backend.calls, IsEmpty()) << "calls that the table does not know";
}

TEST_F(Wrappers, an_error_comes_back_as_it_is) {
  const System system = System::open(backend).value();
  backend.fails_with = ENOTTY;
  EXPECT_EQ(system.get_api_version().error(), Errno{ENOTTY});
  EXPECT_EQ(system.create_vm().error(), Errno{ENOTTY});
  EXPECT_EQ(system.get_msr_index_list().error(), Errno{ENOTTY});
  EXPECT_EQ(system.x86_get_mce_cap_supported().error(), Errno{ENOTTY});
}

TEST_F(Wrappers, a_vcpu_whose_pages_cannot_be_mapped_is_closed) {
  const System system = System::open(backend).value();
  const Vm vm = system.create_vm().value();
  backend.mmap_fails_with = ENOMEM;
  EXPECT_EQ(vm.create_vcpu(0).error(), Errno{ENOMEM});
  EXPECT_EQ(backend.kinds.size(), 2u);
}

TEST_F(Wrappers, moving_leaves_one_owner) {
  const System system = System::open(backend).value();
  const Vm vm = system.create_vm().value();
  Vcpu first = vm.create_vcpu(0).value();
  Vcpu second = vm.create_vcpu(1).value();
  const int second_fd = second.fd();
  first = std::move(second);
  EXPECT_EQ(first.fd(), second_fd);
  EXPECT_FALSE(second.is_open());  // NOLINT(bugprone-use-after-move): what is left is the point
  EXPECT_EQ(backend.mapped.size(), 1u);
  EXPECT_EQ(second.raw(Ioctl::Run).error(), Errno{EBADF});
}

TEST_F(Wrappers, one_msr_that_kvm_does_not_do_is_einval) {
  const System system = System::open(backend).value();
  const Vm vm = system.create_vm().value();
  const Vcpu vcpu = vm.create_vcpu(0).value();
  EXPECT_TRUE(vcpu.set_msr(0x10, 1).ok());
  backend.msrs_done = 0;
  EXPECT_EQ(vcpu.get_msr(0x10).error(), Errno{EINVAL});
  EXPECT_EQ(vcpu.set_msr(0x10, 1).error(), Errno{EINVAL});
}

TEST_F(Wrappers, pio_data_never_leaves_the_mapping) {
  const System system = System::open(backend).value();
  const Vm vm = system.create_vm().value();
  const Vcpu vcpu = vm.create_vcpu(0).value();
  vcpu.page().exit.set(kvm_exit_io{.direction = kExitIoOut, .size = 2, .port = 0x10, .count = 3, .data_offset = 4096});
  EXPECT_EQ(vcpu.pio_data().size(), 6u);
  EXPECT_EQ(vcpu.pio_data().data(), reinterpret_cast<u8*>(&vcpu.page()) + 4096);
  vcpu.page().exit.set(kvm_exit_io{.size = 4, .count = 0xffffffff, .data_offset = 12284});
  EXPECT_EQ(vcpu.pio_data().size(), 4u);
  vcpu.page().exit.set(kvm_exit_io{.size = 4, .count = 1, .data_offset = ~0ull});
  EXPECT_TRUE(vcpu.pio_data().empty());
}

// Refuses a list that is too short, as KVM_GET_MSR_INDEX_LIST does.
class ListBackend final : public Backend {
 public:
  Result<int> open(const char*, int) override { return 3; }
  Result<int> ioctl(int, u32, u64 arg) override {
    auto* list = reinterpret_cast<kvm_msr_list*>(arg);
    const bool is_short = list->nmsrs < 3;
    list->nmsrs = 3;
    if (is_short) return err(E2BIG);
    auto* indices = reinterpret_cast<u32*>(list + 1);
    indices[0] = 0x10, indices[1] = 0x11, indices[2] = 0x12;
    return 0;
  }
  Result<void*> mmap(void*, std::size_t, int, int, int, off_t) override { return err(ENODEV); }
  Result<void> munmap(void*, std::size_t) override { return {}; }
  Result<void> close(int) override { return {}; }
  std::string name() const override { return "list"; }
};

TEST(System, asks_again_when_a_list_is_too_short) {
  ListBackend backend;
  const System system = System::open(backend).value();
  const Result<MsrIndexList> list = system.get_msr_index_list();
  ASSERT_TRUE(list.ok());
  EXPECT_THAT(list->entries(), ElementsAre(0x10, 0x11, 0x12));
}

TEST_F(Wrappers, a_device_that_is_only_tried_is_not_owned) {
  const System system = System::open(backend).value();
  const Vm vm = system.create_vm().value();
  EXPECT_TRUE(vm.create_device_test(kDevTypeVfio).ok());
  EXPECT_EQ(backend.kinds.size(), 2u);
  backend.fails_with = ENODEV;
  EXPECT_EQ(vm.create_device_test(kDevTypeXics).error(), Errno{ENODEV});
  EXPECT_EQ(vm.create_device(kDevTypeXics).error(), Errno{ENODEV});
}

TEST_F(Wrappers, immediate_exit_is_a_byte_of_the_page) {
  const System system = System::open(backend).value();
  const Vm vm = system.create_vm().value();
  const Vcpu vcpu = vm.create_vcpu(0).value();
  vcpu.set_immediate_exit(true);
  EXPECT_EQ(vcpu.page().immediate_exit, 1);
  vcpu.set_immediate_exit(false);
  EXPECT_EQ(vcpu.page().immediate_exit, 0);
  EXPECT_EQ(reinterpret_cast<u8*>(vcpu.coalesced_mmio_ring()), reinterpret_cast<u8*>(&vcpu.page()) + 2 * 4096);
}

TEST(flex, keeps_header_and_entries_together) {
  Msrs msrs{{.index = 0x10, .data = 1}, {.index = 0x11, .data = 2}};
  EXPECT_EQ(msrs.count(), 2u);
  EXPECT_EQ(msrs.bytes(), sizeof(kvm_msrs) + 2 * sizeof(kvm_msr_entry));
  EXPECT_EQ(reinterpret_cast<std::byte*>(&msrs[0]), reinterpret_cast<std::byte*>(&msrs.header()) + sizeof(kvm_msrs));
  msrs.push_back({.index = 0x12, .data = 3});
  EXPECT_EQ(msrs.count(), 3u);
  EXPECT_EQ(msrs[0].index, 0x10u);
  EXPECT_EQ(msrs[2].data, 3u);
}

TEST(flex, entries_follow_the_count_but_not_beyond_the_allocation) {
  MsrIndexList list{1, 2, 3};
  list->nmsrs = 2;
  EXPECT_THAT(list.entries(), ElementsAre(1, 2));
  list->nmsrs = 100;
  EXPECT_THAT(list.entries(), ElementsAre(1, 2, 3));
  list->nmsrs = 1;
  list.push_back(9);
  EXPECT_THAT(list.entries(), ElementsAre(1, 9));
}

}  // namespace
}  // namespace kvmapi
