// KVM_GET_MSRS, KVM_SET_MSRS on a vcpu: how many are done, where they stop, and values that come back.
// KVM_X86_SET_MSR_FILTER rules: conformance/vm/msr_filter_test.cpp.
#include "conformance/support/msr_list_rows.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::Msrs;

constexpr u32 kSysenterCs = 0x174, kSysenterEsp = 0x175, kSysenterEip = 0x176, kStar = 0xc0000081, kLstar = 0xc0000082;
constexpr u32 kKernelGsBase = 0xc0000102, kPat = 0x277, kTsc = 0x10, kApicBase = 0x1b, kTscAux = 0xc0000103,
              kFsBase = 0xc0000100;
constexpr u32 kEfer = 0xc0000080;

struct OnVcpu {
  static constexpr u32 kMsr = kStar;
  static kvmapi::Vcpu& of(Ctx& t) { return t.vcpu(); }
};
KVM_ROWS("vcpu.get_msrs", "api.rst 4.18", kMsrListRows<OnVcpu>);

constexpr IoctlCase kDifferentOnes[] = {
    {.name = "returns_the_number_of_entries_done",
     .call =
         [](Ctx& t) {
           Msrs list{{.index = kStar}, {.index = kLstar}, {.index = kPat}};
           return t.vcpu().get_msrs(list);
         },
     .expect = succeeds(3)},
};
KVM_ROWS("vcpu.get_msrs", "api.rst 4.18", kDifferentOnes);

constexpr IoctlCase kSetCounts[] = {
    {.name = "returns_the_number_of_entries_done",
     .call =
         [](Ctx& t) {
           return t.vcpu().set_msrs({{.index = kStar, .data = 1}, {.index = kKernelGsBase, .data = 2}});
         },
     .expect = succeeds(2)},
    {.name = "stops_at_the_first_unknown_msr",
     .call =
         [](Ctx& t) {
           return t.vcpu().set_msrs({{.index = kStar, .data = 0x77},
                                     {.index = kUnknownMsr, .data = 1},
                                     {.index = kKernelGsBase, .data = 0x77}});
         },
     .expect = succeeds(1),
     .check =
         [](Ctx& t) {
           EXPECT_THAT(t.vcpu().get_msr(kStar), Returns(u64{0x77}));
           EXPECT_THAT(t.vcpu().get_msr(kKernelGsBase), Returns(u64{0})) << "an entry behind the bad one was written";
         }},
    {.name = "first_msr_unknown_returns_0_not_an_error",
     .call = [](Ctx& t) { return t.vcpu().set_msrs({{.index = kUnknownMsr, .data = 1}}); },
     .expect = succeeds(0)},
    {.name = "value_that_is_not_allowed_stops",
     .call =
         [](Ctx& t) {
           return t.vcpu().set_msrs({{.index = kStar, .data = 1}, {.index = kPat, .data = 0x0707070707070702}});
         },
     .expect = succeeds(1),
     .source = "api.rst 4.19; SDM 3A 12.12.2"},
    {.name = "two_hundred_fifty_six_entries_are_e2big",
     .call =
         [](Ctx& t) {
           Msrs list(256);
           for (auto& entry : list) entry.index = kStar;
           return t.vcpu().set_msrs(list);
         },
     .expect = fails(E2BIG),
     .status = Abi::observed,
     .source = "msr_io"},
    {.name = "last_of_two_writes_to_one_msr_wins",
     .call =
         [](Ctx& t) {
           return t.vcpu().set_msrs({{.index = kStar, .data = 1}, {.index = kStar, .data = 2}});
         },
     .expect = succeeds(2),
     .check = [](Ctx& t) { EXPECT_THAT(t.vcpu().get_msr(kStar), Returns(u64{2})); }},
    {.name = "address_that_is_not_canonical_stops",
     .call = [](Ctx& t) { return t.vcpu().set_msrs({{.index = kLstar, .data = 0x8000000000000000}}); },
     .expect = succeeds(0),
     .source = "__kvm_set_msr"},
};
KVM_ROWS("vcpu.set_msrs", "api.rst 4.19", kSetCounts);

// A value that every kernel keeps, register by register.
struct KeptMsr {
  const char* name;
  u32 index;
  u64 value;
  Version since{};
};
constexpr KeptMsr kKept[] = {
    {"sysenter_cs", kSysenterCs, 0x10},
    {"sysenter_esp", kSysenterEsp, 0x12345678},
    {"sysenter_eip", kSysenterEip, 0x87654321},
    {"star", kStar, 0x0023001000000000},
    {"lstar", kLstar, 0xffffffff81000000},
    {"cstar", 0xc0000083, 0xffffffff82000000},
    {"syscall_mask", 0xc0000084, 0x47700},
    {"kernel_gs_base", kKernelGsBase, 0xffff888000000000},
    {"fs_base", kFsBase, 0x7f0000001000, {6, 1}},  // svm_set_msr of 5.10 does not do it
    {"gs_base", 0xc0000101, 0xffff888000001000, {6, 1}},
    {"pat", kPat, 0x0407050600070106},
    {"misc_enable", 0x1a0, 1},
    {"mtrr_def_type", 0x2ff, 0xc06},
    {"mtrr_phys_base_0", 0x200, 0x80000006},
    {"mtrr_phys_mask_0", 0x201, 0xf80000800},
    {"mtrr_fix_64k", 0x250, 0x0606060606060606},
    {"mcg_status", 0x17a, 0},
    {"kvm_poll_control", 0x4b564d05, 0},
    {"debugctl_zero", 0x1d9, 0},
};

const bool kRegistered = [] {
  for (const KeptMsr& row : kKept) {
    Registry::global().add(
        Test{.id = std::string("vcpu.set_msrs.keeps_") + row.name,
             .source = "api.rst 4.18, 4.19",
             .status = Abi::observed,
             .needs = {.kernel = row.since},
             .file = __FILE__,
             .line = __LINE__,
             .body =
                 [&row](Ctx& t) {
                   t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
                   EXPECT_THAT(t.vcpu().set_msr(row.index, row.value), Succeeds());
                   EXPECT_THAT(t.vcpu().get_msr(row.index), Returns(row.value));
                 },
             .describe = [&row] { return fmt::format("MSR {:#x} keeps {:#x}", row.index, row.value); }});
  }
  return true;
}();

KVM_TEST("vcpu.get_msrs", "start_values", "SDM 3A 9.1.1")(Ctx& t) {
  EXPECT_THAT(t.vcpu().get_msr(kPat), Returns(u64{0x0007040600070406}));
  EXPECT_THAT(t.vcpu().get_msr(kEfer), Returns(u64{0}));
  EXPECT_THAT(t.vcpu().get_msr(kStar), Returns(u64{0}));
  EXPECT_THAT(t.vcpu().get_msr(kApicBase), Returns(u64{0xfee00900}));
}

KVM_TEST("vcpu.get_msrs", "time_stamp_counter_runs", "api.rst 4.18")(Ctx& t) {
  const u64 first = t.must(t.vcpu().get_msr(kTsc));
  u64 last = first;
  for (int i = 0; i < 1000 && last == first; ++i) last = t.must(t.vcpu().get_msr(kTsc));
  EXPECT_GT(last, first);
}

KVM_TEST("vcpu.set_msrs", "time_stamp_counter_goes_on_from_the_value_set", "api.rst 4.19")(Ctx& t) {
  constexpr u64 kStart = u64{1} << 50;
  EXPECT_THAT(t.vcpu().set_msr(kTsc, kStart), Succeeds());
  const u64 now = t.must(t.vcpu().get_msr(kTsc));
  EXPECT_GE(now, kStart);
  EXPECT_LT(now, kStart + (u64{1} << 40));
}

KVM_TEST("vcpu.get_msrs", "efer_and_fs_base_agree_with_sregs", "api.rst 4.13, 4.18", {.needs = {.kernel = {6, 1}}})
(Ctx& t) {
  t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.efer = 1;
  sregs.fs.base = 0x12340;
  t.must(t.vcpu().set_sregs(sregs));
  EXPECT_THAT(t.vcpu().get_msr(kEfer), Returns(u64{1}));
  EXPECT_THAT(t.vcpu().get_msr(kFsBase), Returns(u64{0x12340}));
}

KVM_TEST("vcpu.set_msrs", "apic_base_shows_in_sregs", "api.rst 4.13, 4.19")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  EXPECT_THAT(t.vcpu().set_msr(kApicBase, 0xfee00800), Succeeds());
  EXPECT_EQ(t.must(t.vcpu().get_sregs()).apic_base, 0xfee00800u);
}

KVM_TEST("vcpu.set_msrs", "guest_rdmsr_sees_the_value", "api.rst 4.19")(Ctx& t) {
  EXPECT_THAT(t.vcpu().set_msr(kSysenterEsp, 0x1234), Succeeds());
  load(t, {0x66, 0xb9, 0x75, 0x01, 0x00, 0x00, 0x0f, 0x32, 0xf4});  // mov ecx, 0x175; rdmsr; hlt
  run_to_halt(t);
  EXPECT_EQ(t.must(t.vcpu().get_regs()).rax, 0x1234u);
}

KVM_TEST("vcpu.get_msrs", "shows_what_the_guest_wrote", "api.rst 4.18")(Ctx& t) {
  // mov ecx, 0x175; mov eax, 0x4321; xor edx, edx; wrmsr; hlt
  load(t, {0x66, 0xb9, 0x75, 0x01, 0x00, 0x00, 0x66, 0xb8, 0x21, 0x43, 0x00, 0x00, 0x66, 0x31, 0xd2, 0x0f, 0x30, 0xf4});
  run_to_halt(t);
  EXPECT_THAT(t.vcpu().get_msr(kSysenterEsp), Returns(u64{0x4321}));
}

KVM_TEST("vcpu.set_msrs", "every_listed_msr_takes_back_what_it_shows", "api.rst 4.3, 4.19",
         {.needs = {.kernel = {6, 1}}, .status = Abi::sane})
(Ctx& t) {
  t.must(t.vm().create_irqchip());  // MSR_KVM_ASYNC_PF_INT wants a local APIC
  t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
  for (u32 msr : t.must(t.system().get_msr_index_list())) {
    const auto value = t.vcpu().get_msr(msr);
    if (!value.ok()) continue;
    EXPECT_THAT(t.vcpu().set_msr(msr, *value), Succeeds()) << fmt::format("MSR {:#x} = {:#x}", msr, *value);
  }
}

// IA32_ARCH_CAPABILITIES is a feature MSR: what the host offers, and 0, may be set before the vcpu runs.
constexpr IoctlCase kFeature[] = {
    {.name = "feature_msr_before_run_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
           return t.vcpu().set_msrs({{.index = 0x10a, .data = 0}});
         },
     .expect = succeeds(1)},
    {.name = "feature_msr_same_value_after_run_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
           run_once(t);
           const u64 value = t.must(t.vcpu().get_msr(0x10a));
           return t.vcpu().set_msrs({{.index = 0x10a, .data = value}});
         },
     .expect = succeeds(1)},
    {.name = "feature_msr_other_value_after_run_by_kernel",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
           kvmapi::Msrs offered{{.index = 0x10a}};
           t.must(t.system().get_msrs(offered));
           if (offered[0].data == 0) t.skip("the host offers no bit of IA32_ARCH_CAPABILITIES");
           t.must(t.vcpu().set_msr(0x10a, 0));
           run_once(t);
           return t.vcpu().set_msrs({{.index = 0x10a, .data = offered[0].data}});
         },
     .expect = before(6, 2, succeeds(1)).then(before(6, 12, Outcome{}).then(succeeds(0))),
     .status = Abi::observed,
     .source = "do_set_msr, kvm_is_immutable_feature_msr"},
};
KVM_ROWS("vcpu.set_msrs", "api.rst 4.19", kFeature);

}  // namespace
}  // namespace conformance
