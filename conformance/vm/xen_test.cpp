// KVM_XEN_HVM_CONFIG, KVM_XEN_HVM_SET_ATTR, KVM_XEN_HVM_GET_ATTR, KVM_XEN_HVM_EVTCHN_SEND, KVM_XEN_VCPU_SET_ATTR: rules
// of their arguments.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

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

}  // namespace
}  // namespace conformance
