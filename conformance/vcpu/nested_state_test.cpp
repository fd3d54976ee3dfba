// KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE of a vcpu that is not in guest mode.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::NestedState;

constexpr IoctlCase kGetNested[] = {
    {.name = "outside_guest_mode_is_the_header_only",
     .call =
         [](Ctx& t) {
           NestedState state;
           const auto answer = t.vcpu().get_nested_state(state);
           EXPECT_EQ(state.header().size, 128u);
           EXPECT_EQ(state.header().flags & kvmapi::kStateNestedGuestMode, 0);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::NestedState}},
    {.name = "format_is_that_of_the_vendor",
     .call =
         [](Ctx& t) {
           NestedState state;
           const auto answer = t.vcpu().get_nested_state(state);
           EXPECT_EQ(state.header().format, kvmapi::kStateNestedFormatSvm);
           EXPECT_NE(state.header().flags & kvmapi::kStateNestedGifSet, 0);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::NestedState, .vendor = Vendor::amd}},
    {.name = "size_too_small_is_e2big_and_writes_the_needed_size",
     .call =
         [](Ctx& t) {
           NestedState state;
           state.header().size = 8;
           const auto answer = t.vcpu().get_nested_state(state);
           EXPECT_EQ(state.header().size, 128u);
           return answer;
         },
     .expect = fails(E2BIG),
     .needs = {.cap = Cap::NestedState}},
    {.name = "without_nesting_is_einval",
     .call =
         [](Ctx& t) {
           if (t.must(t.system().check_extension(Cap::NestedState)) != 0) t.skip("nesting is on");
           NestedState state;
           return t.vcpu().get_nested_state(state);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.get_nested_state", "api.rst 4.114", kGetNested);

template <auto kChange>
constexpr Call kSetNested = [](Ctx& t) {
  NestedState state;
  t.must(t.vcpu().get_nested_state(state));
  kChange(state.header());
  return t.vcpu().set_nested_state(state);
};

constexpr IoctlCase kSetNestedRows[] = {
    {.name = "what_was_read_is_accepted",
     .call = kSetNested<[](kvmapi::kvm_nested_state&) {}>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::NestedState}},
    {.name = "size_below_the_header_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.size = 127; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "unknown_flag_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.flags |= 0x8000; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "run_pending_without_guest_mode_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.flags |= kvmapi::kStateNestedRunPending; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "unknown_format_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.format = 9; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "guest_mode_without_svme_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.flags |= kvmapi::kStateNestedGuestMode; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState, .vendor = Vendor::amd}},
};
KVM_ROWS("vcpu.set_nested_state", "api.rst 4.115", kSetNestedRows);

}  // namespace
}  // namespace conformance
