// KVM_GET_FPU, KVM_SET_FPU, KVM_GET_XSAVE(2), KVM_SET_XSAVE, KVM_GET_XCRS, KVM_SET_XCRS: floating point and extended
// state.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_fpu;

void with_cpuid(Ctx& t) { t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid()))); }

// Size of the extended state of this vcpu. Before KVM_CAP_XSAVE2: 4096.
std::size_t state_bytes(Ctx& t) { return std::max(4096, t.must(t.vm().check_extension(Cap::Xsave2))); }

// The whole state, for KVM_SET_XSAVE.
std::vector<u8> xsave(Ctx& t) {
  std::vector<u8> state(state_bytes(t));
  if (state.size() > 4096) {
    t.must(t.vcpu().get_xsave2(state));
  } else {
    t.must(t.vcpu().raw(Ioctl::GetXsave, state.data()));
  }
  return state;
}
template <class T>
T& at(std::vector<u8>& state, std::size_t offset) {
  return *reinterpret_cast<T*>(state.data() + offset);
}
constexpr std::size_t kMxcsr = 24, kXmm0 = 160, kXstateBv = 512, kXcompBv = 520, kReserved = 528;

kvm_fpu pattern() {
  kvm_fpu fpu{};
  for (std::size_t i = 0; i < 8; ++i) fpu.fpr[i].fill(static_cast<u8>(0x10 + i));
  for (auto& r : fpu.fpr) std::fill(r.begin() + 10, r.end(), u8{0});
  for (std::size_t i = 0; i < 16; ++i) fpu.xmm[i].fill(static_cast<u8>(0x80 + i));
  fpu.fcw = 0x27f;
  fpu.fsw = 0x3800;
  fpu.ftwx = 0xff;
  fpu.last_opcode = 0x123;
  fpu.last_ip = 0x1234;
  fpu.last_dp = 0x5678;
  return fpu;
}

KVM_TEST("vcpu.set_fpu", "all_registers_are_read_back", "api.rst 4.23")(Ctx& t) {
  const kvm_fpu want = pattern();
  t.must(t.vcpu().set_fpu(want));
  const kvm_fpu got = t.must(t.vcpu().get_fpu());
  EXPECT_TRUE(same_bytes(got.fpr, want.fpr));
  EXPECT_TRUE(same_bytes(got.xmm, want.xmm));
  EXPECT_EQ(got.fcw, want.fcw);
  EXPECT_EQ(got.fsw, want.fsw);
  EXPECT_EQ(got.ftwx, want.ftwx);
  EXPECT_EQ(got.last_opcode, want.last_opcode);
  EXPECT_EQ(got.last_ip, want.last_ip);
  EXPECT_EQ(got.last_dp, want.last_dp);
}

KVM_TEST("vcpu.set_fpu", "mxcsr_is_ignored", "kvm_arch_vcpu_ioctl_set_fpu", {.status = Abi::observed})(Ctx& t) {
  kvm_fpu fpu = pattern();
  fpu.mxcsr = 0xffffffff;  // reserved bits
  EXPECT_THAT(t.vcpu().set_fpu(fpu), Returns(0));
  EXPECT_EQ(t.must(t.vcpu().get_fpu()).mxcsr, 0u);
}

KVM_TEST("vcpu.get_fpu", "starts_in_the_reset_state", "SDM 3A 9.1.1")(Ctx& t) {
  const kvm_fpu fpu = t.must(t.vcpu().get_fpu());
  EXPECT_EQ(fpu.fcw, 0x37f);
  EXPECT_EQ(fpu.fsw, 0);
  EXPECT_EQ(fpu.ftwx, 0);
}

// From 5.16 on KVM_SET_FPU does not mark x87 and SSE as in use: that takes a run of the guest, or KVM_SET_XSAVE.
void mark_x87_and_sse_in_use(Ctx& t) {
  with_cpuid(t);
  std::vector<u8> state = xsave(t);
  at<u64>(state, kXstateBv) |= 3;
  t.must(t.vcpu().set_xsave(state));
}

KVM_TEST("vcpu.get_xsave", "does_not_show_set_fpu_of_a_fresh_vcpu_from_5_16", "kvm_arch_vcpu_ioctl_set_fpu",
         {.needs = {.cpu = cpu_feature::kXsave, .kernel = {5, 16}}, .status = Abi::observed})
(Ctx& t) {
  with_cpuid(t);
  t.must(t.vcpu().set_fpu(pattern()));
  std::vector<u8> state = xsave(t);
  EXPECT_EQ(at<u64>(state, kXstateBv) & 3, 0u);
  EXPECT_EQ(at<u16>(state, 0), 0x37f);
}

KVM_TEST("vcpu.get_xsave", "shows_what_set_fpu_set", "api.rst 4.42")(Ctx& t) {
  mark_x87_and_sse_in_use(t);
  const kvm_fpu fpu = pattern();
  t.must(t.vcpu().set_fpu(fpu));
  std::vector<u8> state = xsave(t);
  EXPECT_EQ(at<u16>(state, 0), fpu.fcw);
  EXPECT_EQ(at<u8>(state, kXmm0), 0x80);
  EXPECT_EQ(at<u8>(state, kXmm0 + 15 * 16), 0x8f);
}

KVM_TEST("vcpu.get_xsave", "mxcsr_starts_as_1f80", "SDM 3A 9.1.1")(Ctx& t) {
  std::vector<u8> state = xsave(t);
  EXPECT_EQ(at<u32>(state, kMxcsr), 0x1f80u);
}

KVM_TEST("vcpu.get_xsave", "is_not_compacted", "api.rst 4.42", {.status = Abi::observed})(Ctx& t) {
  std::vector<u8> state = xsave(t);
  EXPECT_EQ(at<u64>(state, kXcompBv) & (u64{1} << 63), 0u);
}

KVM_TEST("vcpu.set_xsave", "what_was_read_is_accepted", "api.rst 4.43")(Ctx& t) {
  with_cpuid(t);
  EXPECT_THAT(t.vcpu().set_xsave(xsave(t)), Returns(0));
}

KVM_TEST("vcpu.set_xsave", "sse_registers_and_mxcsr_are_read_back", "api.rst 4.43")(Ctx& t) {
  with_cpuid(t);
  std::vector<u8> state = xsave(t);
  at<u64>(state, kXstateBv) |= 3;
  at<u32>(state, kMxcsr) = 0x1f00;
  std::memset(state.data() + kXmm0, 0x3c, 256);
  t.must(t.vcpu().set_xsave(state));
  std::vector<u8> got = xsave(t);
  EXPECT_EQ(at<u32>(got, kMxcsr), 0x1f00u);
  EXPECT_EQ(std::memcmp(got.data() + kXmm0, state.data() + kXmm0, 256), 0);
}

constexpr CpuFeature kXcr0Avx{"xcr0_avx", 0xd, 0, CpuidRegister::eax, 2};
constexpr CpuFeature kPku{"pku", 7, 0, CpuidRegister::ecx, 3};

// Where CPUID leaf 0Dh says that a component lies.
std::size_t offset_of(Ctx& t, u32 component) {
  const kvmapi::Cpuid table = t.must(t.system().get_supported_cpuid());
  for (const auto& entry : table.entries())
    if (entry.function == 0xd && entry.index == component) return entry.ebx;
  t.broken("CPUID leaf 0xd has no such component");
}

KVM_TEST("vcpu.set_xsave", "upper_halves_of_avx_registers_are_read_back", "api.rst 4.43", {.needs = {.cpu = kXcr0Avx}})
(Ctx& t) {
  with_cpuid(t);
  const std::size_t at_avx = offset_of(t, 2);
  std::vector<u8> state = xsave(t);
  at<u64>(state, kXstateBv) = 7;
  std::memset(state.data() + at_avx, 0x5a, 256);
  t.must(t.vcpu().set_xsave(state));
  std::vector<u8> got = xsave(t);
  EXPECT_EQ(at<u64>(got, kXstateBv) & 7, 7u);
  EXPECT_EQ(std::memcmp(got.data() + at_avx, state.data() + at_avx, 256), 0);
}

KVM_TEST("vcpu.set_xsave", "components_that_the_header_lacks_are_initial", "SDM 1 13.8",
         {.needs = {.cpu = kXcr0Avx, .kernel = {5, 16}}})
(Ctx& t) {
  with_cpuid(t);
  const std::size_t at_avx = offset_of(t, 2);
  std::vector<u8> state = xsave(t);
  at<u64>(state, kXstateBv) = 0;
  at<u16>(state, 0) = 0x27f;
  at<u32>(state, kMxcsr) = 0x1f00;
  std::memset(state.data() + kXmm0, 0x3c, 256);
  std::memset(state.data() + at_avx, 0x5a, 256);
  t.must(t.vcpu().set_xsave(state));
  std::vector<u8> got = xsave(t);
  EXPECT_EQ(at<u16>(got, 0), 0x37f);
  EXPECT_EQ(at<u32>(got, kMxcsr), 0x1f80u) << "MXCSR goes with SSE or AVX";
  EXPECT_EQ(at<u64>(got, kXmm0), 0u);
  EXPECT_EQ(at<u64>(got, at_avx), 0u);
}

KVM_TEST("vcpu.set_xsave", "pkru_is_read_back", "api.rst 4.43", {.needs = {.cpu = kPku}})(Ctx& t) {
  with_cpuid(t);
  const std::size_t at_pkru = offset_of(t, 9);
  std::vector<u8> state = xsave(t);
  at<u64>(state, kXstateBv) |= 0x200;
  at<u32>(state, at_pkru) = 0x55555554;
  t.must(t.vcpu().set_xsave(state));
  std::vector<u8> got = xsave(t);
  EXPECT_EQ(at<u64>(got, kXstateBv) & 0x200, 0x200u);
  EXPECT_EQ(at<u32>(got, at_pkru), 0x55555554u);
}

KVM_TEST("vcpu.get_xsave", "leaves_out_what_the_guests_cpuid_lacks_from_5_16", "kvm_vcpu_ioctl_x86_get_xsave2",
         {.needs = {.cpu = kXcr0Avx, .kernel = {5, 16}}, .status = Abi::observed})
(Ctx& t) {
  const std::size_t at_avx = offset_of(t, 2);
  std::vector<u8> state = xsave(t);
  at<u64>(state, kXstateBv) = 7;
  std::memset(state.data() + at_avx, 0x5a, 256);
  t.must(t.vcpu().set_xsave(state));
  EXPECT_EQ(at<u64>(state = xsave(t), kXstateBv), 3u) << "no KVM_SET_CPUID2 yet";
  EXPECT_EQ(at<u64>(state, at_avx), 0u);
  with_cpuid(t);
  EXPECT_EQ(at<u64>(state = xsave(t), kXstateBv), 7u);
  EXPECT_EQ(at<u64>(state, at_avx), 0x5a5a5a5a5a5a5a5a);
}

constexpr IoctlCase kXsave[] = {
    {.name = "unknown_feature_bit_is_einval",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           std::vector<u8> state = xsave(t);
           at<u64>(state, kXstateBv) |= u64{1} << 62;
           return t.vcpu().set_xsave(state);
         },
     .expect = fails(EINVAL),
     .needs = {.cpu = cpu_feature::kXsave}},
    {.name = "mxcsr_with_reserved_bits_is_einval",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           std::vector<u8> state = xsave(t);
           at<u64>(state, kXstateBv) |= 3;
           at<u32>(state, kMxcsr) = 0xffff0000;
           return t.vcpu().set_xsave(state);
         },
     .expect = fails(EINVAL),
     .needs = {.cpu = cpu_feature::kXsave}},
    {.name = "reserved_header_bytes_are_einval_from_5_16",
     .call =
         [](Ctx& t) {
           with_cpuid(t);
           std::vector<u8> state = xsave(t);
           at<u64>(state, kReserved) = 1;
           return t.vcpu().set_xsave(state);
         },
     .expect = before(5, 16, Outcome{}).then(fails(EINVAL)),
     .needs = {.cpu = cpu_feature::kXsave},
     .status = Abi::observed},
    {.name = "works_before_set_cpuid2",
     .call = [](Ctx& t) { return t.vcpu().set_xsave(xsave(t)); },
     .expect = succeeds(0)},
};
KVM_ROWS("vcpu.set_xsave", "api.rst 4.43", kXsave);

KVM_TEST("vcpu.get_xsave2", "begins_as_the_first_form", "api.rst 4.134", {.needs = {.vm_cap = Cap::Xsave2}})(Ctx& t) {
  mark_x87_and_sse_in_use(t);
  t.must(t.vcpu().set_fpu(pattern()));
  std::vector<u8> second(state_bytes(t));
  t.must(t.vcpu().get_xsave2(second));
  kvm_fpu fpu = t.must(t.vcpu().get_fpu());
  EXPECT_EQ(at<u16>(second, 0), fpu.fcw);
  EXPECT_EQ(std::memcmp(second.data() + kXmm0, fpu.xmm.data(), 256), 0);
}

KVM_TEST("vcpu.get_xsave2", "writes_no_more_than_xsave2_says", "api.rst 4.134", {.needs = {.vm_cap = Cap::Xsave2}})
(Ctx& t) {
  const std::size_t size = state_bytes(t);
  std::vector<u8> state(size + 4096, kPoison);
  t.must(t.vcpu().raw(Ioctl::GetXsave2, state.data()));
  for (std::size_t i = size; i < state.size(); ++i) ASSERT_EQ(state[i], kPoison) << "byte " << i;
}

}  // namespace
}  // namespace conformance
