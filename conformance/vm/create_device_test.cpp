// KVM_CREATE_DEVICE, KVM_GET_STATS_FD, KVM_MEMORY_ENCRYPT_*, and Xen and Hyper-V ioctls of a VM.
#include <fcntl.h>
#include <unistd.h>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/event_fd.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_create_device;

constexpr Probe kVfio{"the VFIO device type",
                      [](Ctx& t) { return t.vm().create_device_test(kvmapi::kDevTypeVfio).ok(); }};

constexpr IoctlCase kDevice[] = {
    {.name = "unknown_type_is_enodev",
     .call = [](Ctx& t) { return t.vm().create_device(999); },
     .expect = fails(ENODEV)},
    {.name = "type_0_is_enodev", .call = [](Ctx& t) { return t.vm().create_device(0); }, .expect = fails(ENODEV)},
    {.name = "type_of_another_architecture_is_enodev",
     .call = [](Ctx& t) { return t.vm().create_device(kvmapi::kDevTypeArmVgicV3); },
     .expect = fails(ENODEV)},
    {.name = "test_of_an_unknown_type_is_enodev",
     .call = [](Ctx& t) { return t.vm().create_device_test(999); },
     .expect = fails(ENODEV)},
    {.name = "test_creates_nothing",
     .call =
         [](Ctx& t) {
           kvm_create_device request{.type = kvmapi::kDevTypeVfio, .fd = 0x77, .flags = kvmapi::kCreateDeviceTest};
           const auto answer = t.vm().raw(Ioctl::CreateDevice, &request);
           EXPECT_EQ(request.fd, 0x77u);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.probe = kVfio}},
    {.name = "vfio_is_created",
     .call = [](Ctx& t) { return t.vm().create_device(kvmapi::kDevTypeVfio); },
     .expect = succeeds(),
     .needs = {.probe = kVfio}},
    {.name = "second_vfio_is_ebusy",
     .call =
         [](Ctx& t) {
           const auto first = t.must(t.vm().create_device(kvmapi::kDevTypeVfio));
           return t.vm().create_device(kvmapi::kDevTypeVfio);
         },
     .expect = fails(EBUSY),
     .needs = {.probe = kVfio},
     .status = Abi::observed},
    {.name = "unknown_flag_is_ignored",
     .call =
         [](Ctx& t) {
           kvm_create_device request{.type = 999, .flags = 0x100};
           return t.vm().raw(Ioctl::CreateDevice, &request);
         },
     .expect = fails(ENODEV),
     .status = Abi::observed},
};
KVM_ROWS("vm.create_device", "api.rst 4.79", kDevice);

// --- Statistics
template <class Fd>
kvmapi::kvm_stats_header header_of(Ctx& t, const Fd& fd) {
  kvmapi::kvm_stats_header header{};
  if (::pread(fd.fd(), &header, sizeof header, 0) != sizeof header) t.broken("reading the statistics header failed");
  return header;
}

void expect_sound(Ctx& t, const kvmapi::Fd& fd, std::string_view id_begins) {
  const auto header = header_of(t, fd);
  EXPECT_EQ(header.flags, 0u);
  EXPECT_EQ(header.name_size, 48u);
  EXPECT_GT(header.num_desc, 0u);
  EXPECT_EQ(header.id_offset, sizeof header);
  EXPECT_GE(header.desc_offset, header.id_offset);
  EXPECT_EQ(header.data_offset, header.desc_offset + header.num_desc * (16 + header.name_size));
  char id[48] = {};
  ASSERT_EQ(::pread(fd.fd(), id, sizeof id, header.id_offset), static_cast<ssize_t>(sizeof id));
  EXPECT_EQ(std::string_view(id).substr(0, id_begins.size()), id_begins);
  std::size_t data_bytes = 0;
  for (u32 i = 0; i < header.num_desc; ++i) {
    struct {
      kvmapi::kvm_stats_desc desc;
      char name[48];
    } entry{};
    ASSERT_EQ(::pread(fd.fd(), &entry, sizeof entry, static_cast<off_t>(header.desc_offset + i * sizeof entry)),
              static_cast<ssize_t>(sizeof entry));
    EXPECT_NE(entry.name[0], '\0') << "statistic " << i;
    EXPECT_EQ(entry.name[47], '\0') << "statistic " << i;
    EXPECT_GE(entry.desc.size, 1) << entry.name;
    EXPECT_LE(entry.desc.flags & 0xf, 4u) << entry.name;
    data_bytes = std::max(data_bytes, entry.desc.offset + entry.desc.size * sizeof(u64));
  }
  std::vector<u8> data(data_bytes);
  EXPECT_EQ(::pread(fd.fd(), data.data(), data.size(), header.data_offset), static_cast<ssize_t>(data.size()));
}

KVM_TEST("vm.get_stats_fd", "block_is_sound", "api.rst 4.133", {.needs = {.cap = Cap::BinaryStatsFd}})(Ctx& t) {
  expect_sound(t, t.must(t.vm().get_stats_fd()), "kvm-");
}
KVM_TEST("vcpu.get_stats_fd", "block_is_sound", "api.rst 4.133", {.needs = {.cap = Cap::BinaryStatsFd}})(Ctx& t) {
  expect_sound(t, t.must(t.vcpu().get_stats_fd()), "kvm-");
}
KVM_TEST("vcpu.get_stats_fd", "id_names_the_vcpu", "kvm_vm_ioctl_create_vcpu",
         {.needs = {.cap = Cap::BinaryStatsFd}, .status = Abi::observed})
(Ctx& t) {
  const auto vcpu = t.must(t.vm().create_vcpu(3));
  const auto fd = t.must(vcpu.get_stats_fd());
  char id[48] = {};
  ASSERT_GT(::pread(fd.fd(), id, sizeof id - 1, header_of(t, fd).id_offset), 0);
  EXPECT_NE(std::string_view(id).find("/vcpu-3"), std::string_view::npos) << id;
}
KVM_TEST("vm.get_stats_fd", "takes_no_kvm_ioctl", "kvm_vm_stats_fops",
         {.needs = {.cap = Cap::BinaryStatsFd}, .status = Abi::observed})
(Ctx& t) {
  const auto fd = t.must(t.vm().get_stats_fd());
  EXPECT_THAT(fd.raw(Ioctl::CheckExtension, 3), FailsWith(ENOTTY));
}

constexpr IoctlCase kStats[] = {
    {.name = "argument_is_ignored",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::GetStatsFd, 0x1234); },
     .expect = succeeds(),
     .needs = {.cap = Cap::BinaryStatsFd},
     .status = Abi::observed},
    {.name = "before_5_14_is_enotty",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::GetStatsFd); },
     .expect = fails(ENOTTY),
     .needs = {.kernel_before = {5, 14}},
     .status = Abi::observed},
};
KVM_ROWS("vm.get_stats_fd", "api.rst 4.133", kStats);

// --- Memory encryption on a plain host
constexpr Probe kNoSev{"a host without SEV and TDX", [](Ctx& t) {
                         const auto answer = t.vm().memory_encrypt_op(nullptr);
                         return !answer.ok() && answer.error().value() == ENOTTY;
                       }};
constexpr IoctlCase kEncrypt[] = {
    {.name = "reg_region_on_a_plain_host_is_enotty",
     .call = [](Ctx& t) { return t.vm().memory_encrypt_reg_region({}); },
     .expect = fails(ENOTTY),
     .needs = {.probe = kNoSev},
     .status = Abi::observed,
     .source = "api.rst 4.111"},
    {.name = "unreg_region_on_a_plain_host_is_enotty",
     .call = [](Ctx& t) { return t.vm().memory_encrypt_unreg_region({}); },
     .expect = fails(ENOTTY),
     .needs = {.probe = kNoSev},
     .status = Abi::observed,
     .source = "api.rst 4.112"},
    {.name = "vcpu_form_on_a_plain_host_by_kernel",
     .call = [](Ctx& t) { return t.vcpu().memory_encrypt_op(nullptr); },
     .expect = before(6, 13, fails(EINVAL)).then(before(7, 0, Outcome{}).then(fails(ENOTTY))),
     .needs = {.probe = kNoSev},
     .status = Abi::observed,
     .source = "kvm_arch_vcpu_ioctl"},
};
KVM_ROWS("vm.memory_encrypt_op", "api.rst 4.110", kEncrypt);

// --- Xen
constexpr IoctlCase kXen[] = {
    {.name = "empty_is_accepted",
     .call = [](Ctx& t) { return t.vm().xen_hvm_config({}); },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::XenHvm}},
    {.name = "msr_with_blobs_is_accepted",
     .call =
         [](Ctx& t) {
           return t.vm().xen_hvm_config({.msr = 0x40000000,
                                         .blob_addr_32 = 0x1000,
                                         .blob_addr_64 = 0x2000,
                                         .blob_size_32 = 1,
                                         .blob_size_64 = 1});
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::XenHvm}},
    {.name = "unknown_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().xen_hvm_config({.flags = 0x8000}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::XenHvm}},
    {.name = "intercepted_hypercalls_with_a_blob_are_einval",
     .call =
         [](Ctx& t) {
           return t.vm().xen_hvm_config(
               {.flags = kvmapi::kXenHvmConfigInterceptHcall, .msr = 0x40000000, .blob_size_64 = 1});
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::XenHvm, .kernel = {5, 12}}},
    {.name = "msr_outside_the_synthetic_range_is_einval",
     .call = [](Ctx& t) { return t.vm().xen_hvm_config({.msr = 0x10}); },
     .expect = before(6, 12, Outcome{}).then(before(7, 0, Outcome{}).then(fails(EINVAL))),
     .needs = {.vm_cap = Cap::XenHvm},
     .status = Abi::observed},
    {.name = "without_xen_is_enotty",
     .call =
         [](Ctx& t) {
           if (t.must(t.vm().check_extension(Cap::XenHvm)) != 0) t.skip("Xen is built in");
           return t.vm().xen_hvm_config({});
         },
     .expect = fails(ENOTTY),
     .status = Abi::observed},
};
KVM_ROWS("vm.xen_hvm_config", "api.rst 4.28", kXen);

constexpr IoctlCase kXenAttr[] = {
    {.name = "unknown_type_is_enoent",
     .call = [](Ctx& t) { return t.vm().xen_hvm_set_attr({.type = 0x777}); },
     .expect = fails(ENOENT),
     .needs = {.vm_cap = Cap::XenHvm, .kernel = {5, 12}}},
    {.name = "long_mode_is_accepted",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_xen_hvm_attr attr{.type = kvmapi::kXenAttrTypeLongMode};
           attr.u.set(u8{1});
           return t.vm().xen_hvm_set_attr(attr);
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::XenHvm, .kernel = {5, 12}},
     .check =
         [](Ctx& t) {
           kvmapi::kvm_xen_hvm_attr attr{.type = kvmapi::kXenAttrTypeLongMode};
           t.must(t.vm().xen_hvm_get_attr(attr));
           EXPECT_EQ(attr.u.as<u8>(), 1);
         }},
    {.name = "upcall_vector_below_16_is_einval",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_xen_hvm_attr attr{.type = kvmapi::kXenAttrTypeUpcallVector};
           attr.u.set(u8{0xf});
           return t.vm().xen_hvm_set_attr(attr);
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::XenHvm, .kernel = {5, 12}}},
};
KVM_ROWS("vm.xen_hvm_set_attr", "api.rst 4.126", kXenAttr);

constexpr IoctlCase kXenVcpu[] = {
    {.name = "unknown_type_is_enoent",
     .call = [](Ctx& t) { return t.vcpu().xen_vcpu_set_attr({.type = 0x777}); },
     .expect = fails(ENOENT),
     .needs = {.vm_cap = Cap::XenHvm, .kernel = {5, 12}}},
};
KVM_ROWS("vcpu.xen_vcpu_set_attr", "api.rst 4.128", kXenVcpu);

constexpr IoctlCase kEvtchn[] = {
    {.name = "port_0_is_einval",
     .call = [](Ctx& t) { return t.vm().xen_hvm_evtchn_send({.port = 0, .priority = ~0u}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::XenHvm, .kernel = {5, 18}}},
    {.name = "priority_other_than_2level_is_einval",
     .call = [](Ctx& t) { return t.vm().xen_hvm_evtchn_send({.port = 1, .priority = 0}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::XenHvm, .kernel = {5, 18}}},
};
KVM_ROWS("vm.xen_hvm_evtchn_send", "api.rst 4.135", kEvtchn);

// --- Hyper-V
constexpr IoctlCase kHyperv[] = {
    {.name = "assigning_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd event;
           return t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()});
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "same_connection_twice_is_eexist",
     .call =
         [](Ctx& t) {
           const EventFd event;
           t.must(t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()}));
           return t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()});
         },
     .expect = fails(EEXIST),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "taking_back_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd event;
           t.must(t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()}));
           return t.vm().hyperv_eventfd({.conn_id = 1, .flags = kvmapi::kHypervEventfdDeassign});
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "taking_back_what_is_not_there_is_enoent",
     .call = [](Ctx& t) { return t.vm().hyperv_eventfd({.conn_id = 1, .flags = kvmapi::kHypervEventfdDeassign}); },
     .expect = fails(ENOENT),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "connection_beyond_24_bits_is_einval",
     .call =
         [](Ctx& t) {
           const EventFd event;
           return t.vm().hyperv_eventfd({.conn_id = 1u << 24, .fd = event.fd()});
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "unknown_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().hyperv_eventfd({.conn_id = 1, .flags = 2}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "closed_descriptor_is_ebadf",
     .call = [](Ctx& t) { return t.vm().hyperv_eventfd({.conn_id = 1, .fd = -1}); },
     .expect = fails(EBADF),
     .needs = {.vm_cap = Cap::HypervEventfd},
     .status = Abi::observed},
};
KVM_ROWS("vm.hyperv_eventfd", "api.rst 4.113", kHyperv);

}  // namespace
}  // namespace conformance
