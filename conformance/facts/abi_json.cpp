#include "conformance/facts/abi_json.hpp"

namespace conformance {

using namespace kvmapi;

// clang-format off
template <> struct FieldNames<kvm_regs> {
  static constexpr std::array names = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10", "r11",
                                       "r12", "r13", "r14", "r15", "rip", "rflags"};
};
template <> struct FieldNames<kvm_segment> {
  static constexpr std::array names = {"base", "limit", "selector", "type", "present", "dpl", "db", "s", "l", "g", "avl",
                                       "unusable", "padding"};
};
template <> struct FieldNames<kvm_dtable> {
  static constexpr std::array names = {"base", "limit", "padding"};
};
template <> struct FieldNames<kvm_sregs> {
  static constexpr std::array names = {"cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt", "gdt", "idt", "cr0", "cr2", "cr3",
                                       "cr4", "cr8", "efer", "apic_base", "interrupt_bitmap"};
};
template <> struct FieldNames<kvm_sregs2> {
  static constexpr std::array names = {"cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt", "gdt", "idt", "cr0", "cr2", "cr3",
                                       "cr4", "cr8", "efer", "apic_base", "flags", "pdptrs"};
};
template <> struct FieldNames<kvm_fpu> {
  static constexpr std::array names = {"fpr", "fcw", "fsw", "ftwx", "pad1", "last_opcode", "last_ip", "last_dp", "xmm",
                                       "mxcsr", "pad2"};
};
template <> struct FieldNames<kvm_debugregs> {
  static constexpr std::array names = {"db", "dr6", "dr7", "flags", "reserved"};
};
template <> struct FieldNames<kvm_vcpu_events_exception> {
  static constexpr std::array names = {"injected", "nr", "has_error_code", "pending", "error_code"};
};
template <> struct FieldNames<kvm_vcpu_events_interrupt> {
  static constexpr std::array names = {"injected", "nr", "soft", "shadow"};
};
template <> struct FieldNames<kvm_vcpu_events_nmi> {
  static constexpr std::array names = {"injected", "pending", "masked", "pad"};
};
template <> struct FieldNames<kvm_vcpu_events_smi> {
  static constexpr std::array names = {"smm", "pending", "smm_inside_nmi", "latched_init"};
};
template <> struct FieldNames<kvm_vcpu_events_triple_fault> {
  static constexpr std::array names = {"pending"};
};
template <> struct FieldNames<kvm_vcpu_events> {
  static constexpr std::array names = {"exception", "interrupt", "nmi", "sipi_vector", "flags", "smi", "triple_fault",
                                       "reserved", "exception_has_payload", "exception_payload"};
};
template <> struct FieldNames<kvm_cpuid_entry2> {
  static constexpr std::array names = {"function", "index", "flags", "eax", "ebx", "ecx", "edx", "padding"};
};
template <> struct FieldNames<kvm_pic_state> {
  static constexpr std::array names = {"last_irr", "irr", "imr", "isr", "priority_add", "irq_base", "read_reg_select",
                                       "poll", "special_mask", "init_state", "auto_eoi", "rotate_on_auto_eoi",
                                       "special_fully_nested_mode", "init4", "elcr", "elcr_mask"};
};
template <> struct FieldNames<kvm_ioapic_state> {
  static constexpr std::array names = {"base_address", "ioregsel", "id", "irr", "pad", "redirtbl"};
};
template <> struct FieldNames<kvm_pit_channel_state> {
  static constexpr std::array names = {"count", "latched_count", "count_latched", "status_latched", "status", "read_state",
                                       "write_state", "write_latch", "rw_mode", "mode", "bcd", "gate", "count_load_time"};
};
// clang-format on

std::string hex(u64 value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  do text.insert(text.begin(), kDigits[value & 15]);
  while ((value >>= 4) != 0);
  return "0x" + text;
}

std::string hex_bytes(std::span<const u8> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const u8 byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

namespace {

template <class T>
Json value_of(const T& value);

template <std::size_t N>
Json value_of(const std::array<u8, N>& bytes) {
  return hex_bytes(bytes);
}

template <class T, std::size_t N>
Json value_of(const std::array<T, N>& items) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(value_of(item));
  return list;
}

// Padding says nothing and is left out as long as it is zero.
bool is_silent_padding(std::string_view name, const Json& value) {
  if (!name.starts_with("pad") && name != "reserved") return false;
  if (value.is_string()) return value.get<std::string>().find_first_not_of("0x") == std::string::npos;
  return std::ranges::all_of(value, [&](const Json& item) { return is_silent_padding(name, item); });
}

template <class T>
Json value_of(const T& value) {
  if constexpr (std::integral<T>) {
    return hex(static_cast<u64>(static_cast<std::make_unsigned_t<T>>(value)));
  } else {
    static_assert(boost::pfr::tuple_size_v<T> == FieldNames<T>::names.size());
    Json object = Json::object();
    boost::pfr::for_each_field(value, [&](const auto& field, std::size_t index) {
      Json member = value_of(field);
      const char* const name = FieldNames<T>::names[index];
      if (!is_silent_padding(name, member)) object[name] = std::move(member);
    });
    return object;
  }
}

}  // namespace

Json to_json_value(const kvm_regs& value) { return value_of(value); }
Json to_json_value(const kvm_sregs& value) { return value_of(value); }
Json to_json_value(const kvm_sregs2& value) { return value_of(value); }
Json to_json_value(const kvm_fpu& value) { return value_of(value); }
Json to_json_value(const kvm_debugregs& value) { return value_of(value); }
Json to_json_value(const kvm_vcpu_events& value) { return value_of(value); }
Json to_json_value(const kvm_cpuid_entry2& value) { return value_of(value); }
Json to_json_value(const kvm_pic_state& value) { return value_of(value); }
Json to_json_value(const kvm_ioapic_state& value) { return value_of(value); }
Json to_json_value(const kvm_pit_channel_state& value) { return value_of(value); }

}  // namespace conformance
