// KVM_PRE_FAULT_MEMORY: mapping guest memory before it is touched.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

template <u64 kGpa, u64 kSize, u64 kFlags = 0>
constexpr Call kPreFault = [](Ctx& t) {
  t.memory();
  kvmapi::kvm_pre_fault_memory range{.gpa = kGpa, .size = kSize, .flags = kFlags};
  return t.vcpu().pre_fault_memory(range);
};

constexpr IoctlCase kPreFaultRows[] = {
    {.name = "mapped_memory_is_done_whole",
     .call =
         [](Ctx& t) {
           t.memory();
           kvmapi::kvm_pre_fault_memory range{.gpa = 0x4000, .size = 0x3000};
           const auto answer = t.vcpu().pre_fault_memory(range);
           EXPECT_EQ(range.size, 0u);
           EXPECT_EQ(range.gpa, 0x7000u);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "memory_outside_slots_is_enoent",
     .call = kPreFault<u64{1} << 40, 0x1000>,
     .expect = fails(ENOENT),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "flags_are_einval",
     .call = kPreFault<0x4000, 0x1000, 1>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "address_not_page_aligned_is_einval",
     .call = kPreFault<0x4001, 0x1000>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "size_not_page_multiple_is_einval",
     .call = kPreFault<0x4000, 0x1001>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "size_0_is_einval",
     .call = kPreFault<0x4000, 0>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "range_that_wraps_is_einval",
     .call = kPreFault<~u64{0} & ~u64{0xfff}, 0x2000>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::PreFaultMemory}},
    {.name = "before_6_11_is_einval",
     .call = kPreFault<0x4000, 0x1000>,
     .expect = fails(EINVAL),
     .needs = {.kernel_before = {6, 11}},
     .status = Abi::observed},
};
KVM_ROWS("vcpu.pre_fault_memory", "api.rst 4.143", kPreFaultRows);

}  // namespace
}  // namespace conformance
