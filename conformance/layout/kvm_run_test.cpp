// struct kvm_run, the page that KVM_RUN and its caller share: where its parts lie, and that every exit payload fits its
// union. api.rst section 5.
#include <cstddef>

#include "conformance/layout/layout_rows.hpp"
#include "kvmapi/exit.hpp"
#include "kvmapi/layout.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_run;
using kvmapi::LayoutField;

const LayoutField& run_field(std::string_view name) {
  const LayoutField* field = kvmapi::layout_of<kvm_run>().field(name);
  if (field == nullptr) throw BrokenSetup("layout.def has no such field of kvm_run");
  return *field;
}

KVM_TEST("layout.kvm_run", "exit_payloads_share_256_bytes_at_32", "api.rst 5")
(Ctx&) {
  EXPECT_EQ(run_field("exit").offset, 32u);
  EXPECT_EQ(run_field("exit").bytes, 256u);
  EXPECT_EQ(offsetof(kvm_run, exit), 32u);
  EXPECT_EQ(sizeof(kvm_run::exit), 256u);
}

KVM_TEST("layout.kvm_run", "masks_of_synchronised_registers_follow_the_payload", "api.rst 5, 6.74")
(Ctx&) {
  EXPECT_EQ(run_field("kvm_valid_regs").offset, 288u);
  EXPECT_EQ(run_field("kvm_dirty_regs").offset, 296u);
  EXPECT_EQ(offsetof(kvm_run, kvm_valid_regs), 288u);
  EXPECT_EQ(offsetof(kvm_run, kvm_dirty_regs), 296u);
}

KVM_TEST("layout.kvm_run", "synchronised_registers_have_2048_bytes_at_304", "api.rst 5, 6.74")
(Ctx&) {
  EXPECT_EQ(run_field("s").offset, 304u);
  EXPECT_EQ(run_field("s").bytes, 2048u);
  EXPECT_EQ(sizeof(kvm_run::s), 2048u);
  EXPECT_EQ(sizeof(kvm_run), 2352u) << "nothing follows them";
  EXPECT_LE(sizeof(kvmapi::kvm_sync_regs), sizeof(kvm_run::s));
  EXPECT_EQ(sizeof(kvmapi::kvm_sync_regs), 520u);
}

KVM_TEST("layout.kvm_run", "synchronised_registers_are_regs_sregs_events", "api.rst 6.74")
(Ctx&) {
  EXPECT_EQ(offsetof(kvmapi::kvm_sync_regs, regs), 0u);
  EXPECT_EQ(offsetof(kvmapi::kvm_sync_regs, sregs), sizeof(kvmapi::kvm_regs));
  EXPECT_EQ(offsetof(kvmapi::kvm_sync_regs, events), sizeof(kvmapi::kvm_regs) + sizeof(kvmapi::kvm_sregs));
}

KVM_TEST("layout.kvm_run", "fits_the_first_page_of_the_mapping", "api.rst 4.5")
(Ctx&) { EXPECT_LE(sizeof(kvm_run), kvmapi::kPioPageOffset * 4096u); }

// One row per exit reason: the payload starts the union and fits it.
void expect_payload(const kvmapi::ExitInfo& exit) {
  const kvmapi::StructLayout* payload = kvmapi::find_layout(exit.payload);
  ASSERT_NE(payload, nullptr) << exit.payload;
  EXPECT_LE(payload->bytes, run_field("exit").bytes);
  int members = 0;
  for (const kvmapi::LayoutMember& member : kvmapi::layout_of<kvm_run>().members) {
    if (member.field != "exit" || static_cast<kvmapi::u32>(exit.id) < member.first) continue;
    if (static_cast<kvmapi::u32>(exit.id) > member.last) continue;
    ++members;
    EXPECT_EQ(member.type_name, exit.payload);
    EXPECT_EQ(member.offset, run_field("exit").offset);
    EXPECT_EQ(member.bytes, payload->bytes);
  }
  EXPECT_EQ(members, 1);
}

void expect_no_payload(const kvmapi::ExitInfo& exit) {
  for (const kvmapi::LayoutMember& member : kvmapi::layout_of<kvm_run>().members) {
    const bool covers =
        static_cast<kvmapi::u32>(exit.id) >= member.first && static_cast<kvmapi::u32>(exit.id) <= member.last;
    EXPECT_FALSE(member.field == "exit" && covers) << member.type_name;
  }
}

void add_payload_rows() {
  for (const kvmapi::ExitInfo& exit : kvmapi::exits()) {
    const bool has_payload = exit.payload != "NoPayload";
    const std::string claim =
        lower_words(exit.c_name) + (has_payload ? "_payload_starts_the_union" : "_has_no_payload");
    add_layout_row(
        "kvm_run", claim, "api.rst 5", __FILE__, __LINE__,
        [&exit, has_payload](Ctx&) { has_payload ? expect_payload(exit) : expect_no_payload(exit); },
        std::string(exit.c_name) + ": " + std::string(exit.payload));
  }
}

const LayoutRegistrar kPayloadRows(add_payload_rows);

}  // namespace
}  // namespace conformance
