// Printing of ABI structs: fields by name, flags by name, unions by what selects them, lists by their count.
#include "kvmapi/print.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "kvmapi/cap.hpp"
#include "kvmapi/constants.hpp"
#include "kvmapi/exit.hpp"
#include "kvmapi/flex.hpp"

namespace kvmapi {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(to_text, names_fields_and_flags) {
  EXPECT_EQ(to_text(kvm_userspace_memory_region{.slot = 1,
                                                .flags = kMemReadonly | kMemLogDirtyPages,
                                                .guest_phys_addr = 0x1000,
                                                .memory_size = 0x2000,
                                                .userspace_addr = 0x7000}),
            "{slot=1, flags=KVM_MEM_LOG_DIRTY_PAGES|KVM_MEM_READONLY, guest_phys_addr=0x1000, memory_size=0x2000, "
            "userspace_addr=0x7000}");
}

TEST(to_text, shows_unknown_flags_as_a_number) {
  EXPECT_THAT(to_text(kvm_userspace_memory_region{.flags = kMemReadonly | 0x80}),
              HasSubstr("flags=KVM_MEM_READONLY|0x80"));
}

TEST(to_text, names_alternatives) {
  EXPECT_EQ(to_text(kvm_mp_state{kMpStateHalted}), "{mp_state=KVM_MP_STATE_HALTED}");
  EXPECT_EQ(to_text(kvm_mp_state{77}), "{mp_state=77}");
  EXPECT_THAT(to_text(kvm_enable_cap{.cap = static_cast<u32>(Cap::SplitIrqchip), .args = {24}}),
              HasSubstr("cap=KVM_CAP_SPLIT_IRQCHIP, flags=0, args=[0x18, 0 ...]"));
}

TEST(to_text, hides_padding_only_while_it_is_zero) {
  EXPECT_THAT(to_text(kvm_enable_cap{}), Not(HasSubstr("pad")));
  EXPECT_THAT(to_text(kvm_guest_debug{.pad = 0x10}), HasSubstr("pad=0x10"));
}

TEST(to_text, prints_signed_fields) {
  EXPECT_THAT(to_text(kvm_ioeventfd{.fd = -1}), HasSubstr("fd=-1"));
  EXPECT_THAT(to_text(kvm_pit_channel_state{.count_load_time = -5}), HasSubstr("count_load_time=-5"));
}

TEST(to_text, prints_unions_by_their_selector) {
  kvm_irq_routing_entry entry{.gsi = 5, .type = kIrqRoutingMsi};
  entry.u.set(kvm_irq_routing_msi{.address_lo = 0xfee00000, .data = 0x41});
  EXPECT_THAT(to_text(entry),
              HasSubstr("type=KVM_IRQ_ROUTING_MSI, flags=0, u={address_lo=0xfee00000, address_hi=0, data=0x41"));
  entry.type = 99;
  EXPECT_THAT(to_text(entry), HasSubstr("type=99, flags=0, u=[00 00 e0 fe"));
}

TEST(to_text, prints_the_payload_of_the_exit_reason) {
  kvm_run run{.exit_reason = static_cast<u32>(Exit::Io)};
  run.exit.set(kvm_exit_io{.direction = kExitIoOut, .size = 1, .port = 0x3f8, .count = 1, .data_offset = 0x1000});
  EXPECT_THAT(to_text(run), HasSubstr("exit_reason=KVM_EXIT_IO"));
  EXPECT_THAT(to_text(run),
              HasSubstr("exit={direction=KVM_EXIT_IO_OUT, size=1, port=0x3f8, count=1, data_offset=0x1000}"));
  EXPECT_THAT(to_text(run), Not(HasSubstr(", s="))) << "sync registers that nobody asked for";
}

TEST(to_text, prints_an_emulation_failure_with_its_instruction) {
  kvm_run run{.exit_reason = static_cast<u32>(Exit::InternalError)};
  kvm_exit_emulation_failure failure{.suberror = kInternalErrorEmulation, .ndata = 3, .flags = 1, .insn_size = 2};
  failure.insn_bytes = {0xdd, 0x36};
  run.exit.set(failure);
  EXPECT_THAT(to_text(run), HasSubstr("suberror=KVM_INTERNAL_ERROR_EMULATION"));
  EXPECT_THAT(to_text(run), HasSubstr("insn_size=2, insn_bytes=[dd 36"));
}

TEST(to_text, prints_sync_registers_when_asked_for) {
  kvm_run run{.kvm_valid_regs = kSyncX86Regs};
  kvm_sync_regs sync{};
  sync.regs.rip = 0xfff0;
  run.s.set(sync);
  EXPECT_THAT(to_text(run), HasSubstr("kvm_valid_regs=KVM_SYNC_X86_REGS"));
  EXPECT_THAT(to_text(run), HasSubstr("rip=0xfff0"));
}

std::string list_text(const Msrs& msrs, std::size_t bytes, std::size_t max_elements = 8) {
  return to_text(layout_of<kvm_msrs>(), {reinterpret_cast<const std::byte*>(&msrs.header()), bytes}, max_elements);
}

TEST(to_text, prints_the_list_behind_a_header) {
  const Msrs msrs{{.index = 0x10, .data = 1}, {.index = 0x11, .data = 2}};
  EXPECT_EQ(list_text(msrs, msrs.bytes()), "{nmsrs=2, entries=[{index=0x10, data=0x1}, {index=0x11, data=0x2}]}");
  EXPECT_EQ(list_text(msrs, msrs.bytes(), 1), "{nmsrs=2, entries=[{index=0x10, data=0x1}, ... 1 more]}");
  EXPECT_EQ(list_text(msrs, 24), "{nmsrs=2, entries=[{index=0x10, data=0x1}, ... 1 more]}");
  EXPECT_EQ(list_text(msrs, 8), "{nmsrs=2}");
}

TEST(to_text, leaves_out_what_lies_beyond_the_given_bytes) {
  const kvm_regs regs{.rax = 1, .rbx = 2};
  const auto bytes = std::as_bytes(std::span(&regs, 1));
  EXPECT_EQ(to_text(layout_of<kvm_regs>(), bytes.first(12)), "{rax=0x1}");
  EXPECT_EQ(to_text(layout_of<kvm_regs>(), {}), "{}");
}

TEST(to_text, prints_every_struct_from_any_bytes) {
  for (const StructLayout& layout : struct_layouts()) {
    for (const u8 fill : {0x00, 0x01, 0x04, 0xff}) {
      for (const std::size_t size : {layout.bytes, layout.bytes + 64, layout.bytes / 2}) {
        const std::vector<std::byte> bytes(size, std::byte{fill});
        EXPECT_THAT(to_text(layout, bytes), HasSubstr("{")) << layout.name;
      }
    }
  }
}

TEST(differences, name_the_fields) {
  kvm_sregs a{}, b{};
  b.cs.selector = 8;
  b.interrupt_bitmap[2] = 4;
  const auto found = differences(a, b);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].path, "cs.selector");
  EXPECT_EQ(found[0].a, "0");
  EXPECT_EQ(found[0].b, "0x8");
  EXPECT_EQ(found[1].path, "interrupt_bitmap[2]");
  EXPECT_TRUE(differences(a, a).empty());
}

TEST(differences, see_padding_and_unions) {
  kvm_guest_debug a{}, b{};
  b.pad = 1;
  ASSERT_EQ(differences(a, b).size(), 1u);
  kvm_run c{}, d{};
  d.exit.words[31] = 1;
  ASSERT_EQ(differences(c, d).size(), 1u);
  EXPECT_EQ(differences(c, d)[0].path, "exit");
}

TEST(printing, works_with_streams) {
  std::ostringstream out;
  out << kvm_interrupt{32};
  EXPECT_EQ(out.str(), "{irq=32}");
}

TEST(constant_text, needs_a_known_group) {
  EXPECT_EQ(constant_text("MpState", kMpStateHalted), "KVM_MP_STATE_HALTED");
  EXPECT_EQ(constant_text("NoSuchGroup", 5), "5");
}

TEST(layout_table, names_only_groups_that_exist) {
  for (const StructLayout& layout : struct_layouts()) {
    for (const LayoutField& field : layout.fields) {
      const std::string_view format = field.format;
      const bool is_plain = format == "Hex" || format == "Dec" || format == "Bytes" || format == "Struct" ||
                            format == "Union" || format == "Pad" || format == "Cap" || format == "Exit";
      EXPECT_TRUE(is_plain || !constants(format).empty()) << layout.name << "." << field.name << ": " << format;
    }
  }
}

}  // namespace
}  // namespace kvmapi
