// Every struct of the ABI: ours against the documented table (no member missing, extra, reordered, resized or retyped),
// and the table against the host's <linux/kvm.h> wherever that version has the item. api.rst names the structs; sizes
// and offsets are those of kernel 7.3 on x86-64.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/layout/actual_layout.hpp"
#include "conformance/layout/host_header.hpp"
#include "conformance/layout/layout_rows.hpp"
#include "kvmapi/layout.hpp"

namespace conformance {
namespace {

using kvmapi::LayoutField;
using kvmapi::StructLayout;

void expect_as_documented(const StructLayout& documented) {
  const ActualStruct* actual = find_actual(documented.name);
  ASSERT_NE(actual, nullptr);
  EXPECT_EQ(actual->bytes, documented.bytes) << "size of the struct";
  EXPECT_EQ(actual->alignment, documented.alignment) << "alignment of the struct";
  ASSERT_EQ(actual->fields.size(), documented.fields.size()) << "number of members";
  for (std::size_t i = 0; i < documented.fields.size(); ++i) {
    const LayoutField& field = documented.fields[i];
    const ActualField& member = actual->fields[i];
    EXPECT_EQ(member.offset, field.offset) << field.name;
    EXPECT_EQ(member.bytes, field.bytes) << field.name;
    EXPECT_EQ(member.type, field.type_name) << field.name;
    EXPECT_EQ(member.count, field.count) << field.name;
  }
}

void expect_names_at_their_places(const StructLayout& documented) {
  for (const NamedPlace& place : named_places()) {
    if (place.owner != documented.name) continue;
    const LayoutField* field = documented.field(place.name);
    ASSERT_NE(field, nullptr);
    EXPECT_EQ(place.offset, field->offset) << place.name;
    EXPECT_EQ(place.bytes, field->bytes) << place.name;
  }
}

// Members must not overlap, and a gap between them is padding that the compiler adds in C as well.
void expect_in_order(const StructLayout& layout) {
  kvmapi::u32 end = 0;
  for (const LayoutField& field : layout.fields) {
    EXPECT_GE(field.offset, end) << field.name << " overlaps the field before it";
    EXPECT_LE(field.offset, (end + 7) / 8 * 8) << "a hole before " << field.name;
    end = field.offset + field.bytes;
  }
  EXPECT_LE(end, layout.bytes);
  EXPECT_LT(layout.bytes - end, layout.alignment) << "a hole at the end";
}

void expect_unions_to_hold_their_members(const StructLayout& layout) {
  for (const kvmapi::LayoutMember& member : layout.members) {
    const LayoutField* field = layout.field(member.field);
    ASSERT_NE(field, nullptr) << member.field;
    EXPECT_EQ(member.offset, field->offset) << member.type_name;
    EXPECT_LE(member.bytes, field->bytes) << member.type_name;
    EXPECT_EQ(member.bytes, kvmapi::element_bytes(member.type, member.type_name)) << member.type_name;
    EXPECT_NE(layout.field(member.selector), nullptr) << member.selector;
  }
  if (layout.list != nullptr) {
    EXPECT_EQ(layout.list->offset, layout.bytes) << "the list follows the header at once";
  }
}

const HostStruct* find_host(std::string_view name) {
  const auto all = host_header().structs;
  const auto found = std::ranges::find(all, name, &HostStruct::name);
  return found == all.end() ? nullptr : &*found;
}

// Structs that changed. Most grew into what was padding; kvm_vcpu_pv_apf_data lost its last member.
struct Changed {
  std::string_view owner, path;  // path "": the size of the struct
  kvmapi::u32 since;             // first version, of those that were looked at, that has today's form
};
constexpr Changed kChanged[] = {
    {"kvm_vcpu_pv_apf_data", "", 0x060c00},    {"kvm_clock_data", "pad", 0x060100},
    {"kvm_exit_system_event", "", 0x060100},   {"kvm_run", "system_event", 0x060100},
    {"kvm_vcpu_events", "reserved", 0x060100}, {"kvm_svm_nested_state_hdr", "", 0x070200},
    {"kvm_nested_state", "hdr.svm", 0x070200},
};

bool had_an_older_form(std::string_view owner, std::string_view path) {
  return std::ranges::any_of(kChanged, [&](const Changed& changed) {
    return changed.owner == owner && changed.path == path && host_header().version < changed.since;
  });
}

void expect_as_host_header(Ctx& t, const StructLayout& documented) {
  const HostStruct* host = find_host(documented.name);
  ASSERT_NE(host, nullptr);
  const std::string where = fmt::format(" in <linux/kvm.h> {}", version_text(host_header()));
  if (!host->is_present) t.skip(fmt::format("<linux/kvm.h> {} has no such struct", version_text(host_header())));
  if (had_an_older_form(documented.name, "")) {
    EXPECT_NE(host->bytes, documented.bytes) << "size" << where;
  } else {
    EXPECT_EQ(documented.bytes, host->bytes) << "size" << where;
  }
  EXPECT_EQ(documented.alignment, host->alignment) << "alignment" << where;
  for (const HostField& field : host_header().fields) {
    if (field.owner != documented.name || !field.host.is_present) continue;
    if (had_an_older_form(field.owner, field.path)) continue;
    EXPECT_EQ(field.documented.offset, field.host.offset) << field.path << where;
    EXPECT_EQ(field.documented.bytes, field.host.bytes) << field.path << where;
  }
}

std::string table_text(const StructLayout& layout) {
  std::string text = fmt::format("{}: {} bytes, aligned to {}", layout.name, layout.bytes, layout.alignment);
  for (const LayoutField& field : layout.fields) {
    const std::string count = field.count == 1 ? "" : fmt::format("[{}]", field.count);
    text += fmt::format("\n  {:4} {:4}  {}{} {}", field.offset, field.bytes, field.type_name, count, field.name);
  }
  return text;
}

void add_struct_rows() {
  for (const StructLayout& layout : kvmapi::struct_layouts()) {
    const auto documented = [&layout](Ctx&) {
      expect_as_documented(layout);
      expect_names_at_their_places(layout);
      expect_in_order(layout);
      expect_unions_to_hold_their_members(layout);
    };
    const auto host = [&layout](Ctx& t) { expect_as_host_header(t, layout); };
    add_layout_row(layout.name, "is_laid_out_as_documented", "kvmapi/layout.def", __FILE__, __LINE__, documented,
                   table_text(layout));
    add_layout_row(layout.name, "agrees_with_host_header", "<linux/kvm.h>", __FILE__, __LINE__, host,
                   table_text(layout));
  }
}

const LayoutRegistrar kStructRows(add_struct_rows);

}  // namespace
}  // namespace conformance
