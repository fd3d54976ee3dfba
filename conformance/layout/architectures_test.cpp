// struct kvm_run and the register structs on other architectures: what an ABI model computes from the types, against
// what each architecture's compiler gave. kvm_run is the same everywhere except on s390x, which has two more members
// before the payload; i386 aligns u64 to 4.
#include <fmt/format.h>

#include "conformance/layout/abi_model.hpp"
#include "conformance/layout/layout_rows.hpp"
#include "kvmapi/layout.hpp"

namespace conformance {
namespace {

using kvmapi::LayoutField;
using kvmapi::StructLayout;
using kvmapi::u32;

// An ABI and its own structs, in the language of abi_model.hpp. "x86": as in layout.def.
struct Architecture {
  std::string_view name;
  AbiRules abi;
  std::string_view sync_regs, regs, sregs, fpu, debug_exit_arch, guest_debug_arch;
  std::string_view before_payload = "";  // members of kvm_run between apic_base and the payload
};

constexpr std::string_view kX86 = "x86", kEmpty = "{}";
constexpr std::string_view kPpcRegs = "{u64[17] u64[32]}";
// sdr1, 64 SLB entries and the 32-bit registers are the largest of three forms.
constexpr std::string_view kPpcSregs = "{u32 <{u64 {{u64 u64}[64]} {u32[16] u64[8] u64[8]}} | u8[1020]>}";
constexpr std::string_view kPpcDebugExit = "{u64 u32 u32}", kPpcGuestDebug = "{{u64 u32 u32}[16]}";

constexpr Architecture kArchitectures[] = {
    {"x86_64", {}, kX86, kX86, kX86, kX86, kX86, kX86},
    {"i386", {4, 4, 4}, kX86, kX86, kX86, kX86, kX86, kX86},
    {"x32", {4, 4, 8}, kX86, kX86, kX86, kX86, kX86, kX86},
    {"arm64",
     {},
     "{u64}",
     // user_pt_regs, sp_el1, elr_el1, spsr, user_fpsimd_state
     "{{u64[31] u64 u64 u64} u64 u64 u64[5] {u128[32] u32 u32 u32[2]}}",
     kEmpty,
     kEmpty,
     "{u32 u32 u64}",
     "{u64[16] u64[16] u64[16] u64[16]}"},
    {"riscv64", {}, kEmpty, kEmpty, kEmpty, kEmpty, kEmpty, kEmpty},
    {"s390x",
     {},
     // prefix, gprs, acrs, crs, todpr ... pfc, vector or floating point registers, reserved, fpc, flags and padding,
     // riccb, diag318, padding, sdnx
     "{u64 u64[16] u32[16] u64[16] u64[8] <{u64[2]}[32] | u64[16]> u8[512] u32 u8 u8[51] u8[64] u64 u8[184] <u8[256] | "
     "{u64[2] u64[4] u64 u64}>}",
     "{u64[16]}",
     "{u32[16] u64[16]}",
     "{u32 u64[16]}",
     "{u64 u8 u8[7]}",
     "{u32 u32 pointer}",
     "psw_mask:u64 psw_addr:u64"},
    {"ppc64le", {}, kEmpty, kPpcRegs, kPpcSregs, "{u64[32]}", kPpcDebugExit, kPpcGuestDebug},
    {"mips64el", {}, kEmpty, "{u64[32] u64 u64 u64}", kEmpty, kEmpty, "{u64}", kEmpty},
    {"ppc64", {}, kEmpty, kPpcRegs, kPpcSregs, "{u64[32]}", kPpcDebugExit, kPpcGuestDebug},
    {"loongarch64", {}, kEmpty, "{u64[32] u64}", kEmpty, "{u32 u64 {u64[4]}[32]}", kEmpty, kEmpty},
};

// What the compiler of an architecture gave.
struct Measured {
  std::string_view name;
  u32 run_bytes, run_alignment;
  u32 exit_reason, flags, cr8, apic_base, exit, exit_bytes, valid_regs, dirty_regs, s, s_bytes;
  u32 sync_regs, regs, sregs, fpu, debug_exit_arch, guest_debug_arch;
  u32 hypercall_flags, system_event_data, internal_data;
  u32 coalesced_page, dirty_ring_page;
};
constexpr Measured kMeasured[] = {
#define ARCH_LAYOUT(name, ...) {#name, __VA_ARGS__},
#include "conformance/layout/architectures.def"
};

std::string model_text(const StructLayout& layout, const Architecture& architecture);

// A type of layout.def as the model writes it.
std::string type_text(std::string_view type, u32 count, const Architecture& architecture) {
  std::string text;
  if (type == "kvm_debug_exit_arch" && architecture.debug_exit_arch != kX86) {
    text = architecture.debug_exit_arch;
  } else if (type == "kvm_sync_regs" && architecture.sync_regs != kX86) {
    text = architecture.sync_regs;
  } else if (const StructLayout* nested = kvmapi::find_layout(type)) {
    text = model_text(*nested, architecture);
  } else {
    text = type.starts_with('s') ? fmt::format("u{}", type.substr(1)) : std::string(type);
  }
  return count == 1 ? text : fmt::format("{}[{}]", text, count);
}

// RISC-V's payloads are declared with unsigned long.
bool is_declared_with_long(std::string_view owner) { return owner.starts_with("kvm_exit_riscv"); }

std::string union_text(const StructLayout& layout, const LayoutField& field, const Architecture& architecture) {
  std::string text = fmt::format("<u8[{}]", field.bytes);
  for (const kvmapi::LayoutMember& member : layout.members) {
    if (member.field != field.name) continue;
    const bool is_payload = member.type_name.starts_with("kvm_exit_");
    const std::string name = is_payload ? fmt::format("{}:", member.type_name.substr(9)) : "";
    text += fmt::format(" | {}{}", name, type_text(member.type_name, 1, architecture));
  }
  return text + ">";
}

std::string model_text(const StructLayout& layout, const Architecture& architecture) {
  std::string text = "{";
  for (const LayoutField& field : layout.fields) {
    if (layout.name == "kvm_run" && field.name == "exit") text += fmt::format("{} ", architecture.before_payload);
    std::string type = field.type == kvmapi::FieldType::Union ? union_text(layout, field, architecture)
                                                              : type_text(field.type_name, field.count, architecture);
    if (is_declared_with_long(layout.name)) type.replace(0, 3, "long");
    text += fmt::format("{}:{} ", field.name, type);
  }
  return text + "}";
}

u32 bytes_of(std::string_view model, std::string_view x86_struct, const Architecture& architecture) {
  const StructLayout* layout = kvmapi::find_layout(x86_struct);
  return lay_out(model == kX86 ? model_text(*layout, architecture) : std::string(model), architecture.abi).bytes;
}

void expect_kvm_run(const Architecture& architecture, const Measured& measured) {
  const ModelLayout run = lay_out(model_text(kvmapi::layout_of<kvmapi::kvm_run>(), architecture), architecture.abi);
  EXPECT_EQ(run.bytes, measured.run_bytes);
  EXPECT_EQ(run.alignment, measured.run_alignment);
  EXPECT_EQ(run.offset("exit_reason"), measured.exit_reason);
  EXPECT_EQ(run.offset("flags"), measured.flags);
  EXPECT_EQ(run.offset("cr8"), measured.cr8);
  EXPECT_EQ(run.offset("apic_base"), measured.apic_base);
  EXPECT_EQ(run.offset("exit"), measured.exit);
  EXPECT_EQ(run.offset("kvm_valid_regs") - run.offset("exit"), measured.exit_bytes);
  EXPECT_EQ(run.offset("kvm_valid_regs"), measured.valid_regs);
  EXPECT_EQ(run.offset("kvm_dirty_regs"), measured.dirty_regs);
  EXPECT_EQ(run.offset("s"), measured.s);
  EXPECT_EQ(run.bytes - run.offset("s"), measured.s_bytes);
  EXPECT_EQ(run.offset("exit.hypercall.flags"), measured.hypercall_flags);
  EXPECT_EQ(run.offset("exit.system_event.data"), measured.system_event_data);
  EXPECT_EQ(run.offset("exit.internal.data"), measured.internal_data);
}

void expect_register_structs(const Architecture& architecture, const Measured& measured) {
  EXPECT_EQ(bytes_of(architecture.sync_regs, "kvm_sync_regs", architecture), measured.sync_regs);
  EXPECT_EQ(bytes_of(architecture.regs, "kvm_regs", architecture), measured.regs);
  EXPECT_EQ(bytes_of(architecture.sregs, "kvm_sregs", architecture), measured.sregs);
  EXPECT_EQ(bytes_of(architecture.fpu, "kvm_fpu", architecture), measured.fpu);
  EXPECT_EQ(bytes_of(architecture.debug_exit_arch, "kvm_debug_exit_arch", architecture), measured.debug_exit_arch);
  EXPECT_EQ(bytes_of(architecture.guest_debug_arch, "kvm_guest_debug_arch", architecture), measured.guest_debug_arch);
}

const Measured& measured_on(std::string_view name) {
  for (const Measured& measured : kMeasured) {
    if (measured.name == name) return measured;
  }
  throw BrokenSetup("architectures.def has no row for it");
}

void add_architecture_rows() {
  for (const Architecture& architecture : kArchitectures) {
    const std::string name(architecture.name);
    add_layout_row(
        "architectures", name + "_kvm_run_follows_from_its_abi", "<linux/kvm.h>", __FILE__, __LINE__,
        [&architecture](Ctx&) { expect_kvm_run(architecture, measured_on(architecture.name)); },
        "struct kvm_run on " + name);
    add_layout_row(
        "architectures", name + "_register_structs_follow_from_its_abi", "<asm/kvm.h>", __FILE__, __LINE__,
        [&architecture](Ctx&) { expect_register_structs(architecture, measured_on(architecture.name)); },
        "register structs on " + name);
  }
}

const LayoutRegistrar kArchitectureRows(add_architecture_rows);

KVM_TEST("layout.architectures", "every_measured_abi_is_modelled", "conformance/layout/architectures.def")
(Ctx&) { EXPECT_EQ(std::size(kMeasured), std::size(kArchitectures)); }

KVM_TEST("layout.architectures", "x86_64_pages_of_the_mapping_are_as_measured", "<asm/kvm.h>")
(Ctx&) {
  EXPECT_EQ(measured_on("x86_64").coalesced_page, kvmapi::kCoalescedMmioPageOffset);
  EXPECT_EQ(measured_on("x86_64").dirty_ring_page, kvmapi::kDirtyLogPageOffset);
}

// An i386 process on a 64-bit kernel: the struct is shorter, so the number differs and has a row of its own.
KVM_TEST("layout.architectures", "i386_msr_filter_has_its_own_size_and_number", "kvmapi/ioctls.def")
(Ctx&) {
  // flags, then 16 ranges of flags, nmsrs, base and a pointer.
  const ModelLayout filter = lay_out("{u32 {u32 u32 u32 pointer}[16]}", {4, 4, 4});
  const u32 full = kvmapi::number(Ioctl::X86SetMsrFilter), compat = kvmapi::number(Ioctl::X86SetMsrFilterCompat);
  EXPECT_EQ(filter.bytes, kvmapi::split_request(compat).bytes);
  EXPECT_EQ(lay_out("{u32 {u32 u32 u32 pointer}[16]}", {}).bytes, kvmapi::split_request(full).bytes);
  EXPECT_EQ(kvmapi::split_request(full).nr, kvmapi::split_request(compat).nr);
}

// No compat path exists for it: an i386 process sees the payload four bytes earlier than a 64-bit one.
KVM_TEST("layout.architectures", "i386_xen_exit_differs_from_x86_64", "<asm/kvm.h>")
(Ctx&) {
  constexpr std::string_view kXenExit =
      "{type:u32 u:<hcall:{longmode:u32 cpl:u32 input:u64 result:u64 params:u64[6]}>}";
  EXPECT_EQ(lay_out(kXenExit, {4, 4, 4}).offset("u"), 4u);
  EXPECT_EQ(lay_out(kXenExit, {}).offset("u"), 8u);
}

}  // namespace
}  // namespace conformance
