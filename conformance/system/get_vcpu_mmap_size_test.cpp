// KVM_GET_VCPU_MMAP_SIZE: how much of a vcpu descriptor a caller maps. The mapping itself:
// conformance/vcpu/mmap_test.cpp.
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kRows[] = {
    {.name = "is_three_pages",  // kvm_run, port data, coalesced ring
     .call = [](Ctx& t) { return t.system().get_vcpu_mmap_size(); },
     .expect = succeeds(3 * 4096),
     .status = Abi::observed},
    {.name = "holds_struct_kvm_run",
     .call = [](Ctx& t) { return t.system().get_vcpu_mmap_size(); },
     .expect = succeeds(),
     .check =
         [](Ctx& t) {
           EXPECT_GE(static_cast<std::size_t>(t.must(t.system().get_vcpu_mmap_size())), sizeof(kvmapi::kvm_run));
         }},
    {.name = "argument_that_is_not_zero_is_einval",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::GetVcpuMmapSize, 1); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_dev_ioctl"},
    {.name = "does_not_count_dirty_ring_pages",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_enable_cap cap{};
           cap.cap = static_cast<kvmapi::u32>(Cap::DirtyLogRing);
           cap.args[0] = 65536;
           t.must(t.vm().enable_cap(cap));
           return t.system().get_vcpu_mmap_size();
         },
     .expect = succeeds(3 * 4096),
     .needs = {.cap = Cap::DirtyLogRing},
     .status = Abi::observed},
};
KVM_ROWS("system.get_vcpu_mmap_size", "api.rst 4.5", kRows);

}  // namespace
}  // namespace conformance
