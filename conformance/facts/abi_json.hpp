// ABI structs as JSON, field by field. Integers become hexadecimal strings ("0x60000010"), byte arrays one string of
// hexadecimal digits, so that two recordings can be read as a diff.
#pragma once

#include <array>
#include <boost/pfr/core.hpp>
#include <concepts>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "kvmapi/uapi/all.hpp"

namespace conformance {

// Keeps the order in which facts are collected.
using Json = nlohmann::ordered_json;

std::string hex(kvmapi::u64 value);
std::string hex_bytes(std::span<const kvmapi::u8> bytes);

// The names of a struct's fields in order. Specialised in abi_json.cpp for every struct that facts contain.
template <class T>
struct FieldNames;

Json to_json_value(const kvmapi::kvm_regs& value);
Json to_json_value(const kvmapi::kvm_sregs& value);
Json to_json_value(const kvmapi::kvm_sregs2& value);
Json to_json_value(const kvmapi::kvm_fpu& value);
Json to_json_value(const kvmapi::kvm_debugregs& value);
Json to_json_value(const kvmapi::kvm_vcpu_events& value);
Json to_json_value(const kvmapi::kvm_cpuid_entry2& value);
Json to_json_value(const kvmapi::kvm_pic_state& value);
Json to_json_value(const kvmapi::kvm_ioapic_state& value);
Json to_json_value(const kvmapi::kvm_pit_channel_state& value);

}  // namespace conformance
