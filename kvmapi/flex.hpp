// Flex: an ABI header and the list that follows it, in one allocation, as KVM_SET_CPUID2, KVM_GET_MSRS and others want
// it. The header's count field is the caller's to set (a short or lying count is a valid test); capacity() is what is
// allocated.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <vector>

#include "kvmapi/uapi/cpuid.hpp"
#include "kvmapi/uapi/irq.hpp"
#include "kvmapi/uapi/misc.hpp"
#include "kvmapi/uapi/msr.hpp"
#include "kvmapi/uapi/nested.hpp"

namespace kvmapi {

namespace detail {
template <class Member>
struct MemberOf;
template <class Class, class Value>
struct MemberOf<Value Class::*> {
  using Type = Class;
  using Field = Value;
};
}  // namespace detail

// Count: pointer to the header's member that counts entries, e.g. &kvm_cpuid2::nent.
template <auto Count, class Entry>
class Flex {
 public:
  using Header = typename detail::MemberOf<decltype(Count)>::Type;
  using CountField = typename detail::MemberOf<decltype(Count)>::Field;
  static_assert(std::is_trivially_copyable_v<Header> && std::is_trivially_copyable_v<Entry>);
  static_assert(sizeof(Header) % alignof(Entry) == 0 && alignof(Header) <= 8 && alignof(Entry) <= 8);

  // `entries` zeroed entries, all counted.
  explicit Flex(std::size_t entries = 0) : words_(words_for(entries)), capacity_(entries) {
    header().*Count = static_cast<CountField>(entries);
  }
  Flex(std::initializer_list<Entry> list) : Flex(list.size()) { std::copy(list.begin(), list.end(), all().begin()); }
  explicit Flex(std::span<const Entry> list) : Flex(list.size()) { std::copy(list.begin(), list.end(), all().begin()); }

  Header& header() { return *reinterpret_cast<Header*>(words_.data()); }
  const Header& header() const { return *reinterpret_cast<const Header*>(words_.data()); }
  Header* operator->() { return &header(); }
  const Header* operator->() const { return &header(); }

  // The count as the header says it.
  std::size_t count() const { return header().*Count; }
  std::size_t capacity() const { return capacity_; }
  std::size_t bytes() const { return sizeof(Header) + capacity_ * sizeof(Entry); }

  // Every allocated entry, whatever the header counts.
  std::span<Entry> all() { return {first(), capacity_}; }
  std::span<const Entry> all() const { return {first(), capacity_}; }
  // The counted entries, never more than are allocated.
  std::span<Entry> entries() { return all().first(std::min(count(), capacity_)); }
  std::span<const Entry> entries() const { return all().first(std::min(count(), capacity_)); }
  Entry& operator[](std::size_t i) { return first()[i]; }
  const Entry& operator[](std::size_t i) const { return first()[i]; }
  auto begin() { return entries().begin(); }
  auto end() { return entries().end(); }
  auto begin() const { return entries().begin(); }
  auto end() const { return entries().end(); }

  // Adds one entry after the counted ones and counts it.
  void push_back(const Entry& entry) {
    const std::size_t index = std::min(count(), capacity_);
    if (index == capacity_) resize(capacity_ + 1);
    first()[index] = entry;
    header().*Count = static_cast<CountField>(index + 1);
  }

  // New allocation size; the count becomes the same. Entries that remain keep their values, new ones are zero.
  void resize(std::size_t entries) {
    words_.resize(words_for(entries));
    capacity_ = entries;
    header().*Count = static_cast<CountField>(entries);
  }

 private:
  static std::size_t words_for(std::size_t entries) { return (sizeof(Header) + entries * sizeof(Entry) + 7) / 8; }
  Entry* first() { return reinterpret_cast<Entry*>(reinterpret_cast<std::byte*>(words_.data()) + sizeof(Header)); }
  const Entry* first() const {
    return reinterpret_cast<const Entry*>(reinterpret_cast<const std::byte*>(words_.data()) + sizeof(Header));
  }

  std::vector<u64> words_;
  std::size_t capacity_;
};

using Cpuid = Flex<&kvm_cpuid2::nent, kvm_cpuid_entry2>;
using LegacyCpuid = Flex<&kvm_cpuid::nent, kvm_cpuid_entry>;
using Msrs = Flex<&kvm_msrs::nmsrs, kvm_msr_entry>;
using MsrIndexList = Flex<&kvm_msr_list::nmsrs, u32>;
using IrqRouting = Flex<&kvm_irq_routing::nr, kvm_irq_routing_entry>;
using RegList = Flex<&kvm_reg_list::n, u64>;
using PmuEventFilter = Flex<&kvm_pmu_event_filter::nevents, u64>;
// Counts bytes. KVM wants the kernel's signal set: 8 bytes.
using SignalMask = Flex<&kvm_signal_mask::len, u8>;
// Header of 128 bytes, then the vendor's data; its count field is the size of everything in bytes.
class NestedState {
 public:
  explicit NestedState(std::size_t bytes = sizeof(kvm_nested_state) + 2 * 4096)
      : words_((std::max(bytes, sizeof(kvm_nested_state)) + 7) / 8) {
    header().size = static_cast<u32>(bytes);
  }
  kvm_nested_state& header() { return *reinterpret_cast<kvm_nested_state*>(words_.data()); }
  const kvm_nested_state& header() const { return *reinterpret_cast<const kvm_nested_state*>(words_.data()); }
  // What follows the header: the VMCB (SVM) or both VMCS (VMX).
  std::span<u8> data() {
    return {reinterpret_cast<u8*>(words_.data()) + sizeof(kvm_nested_state),
            words_.size() * 8 - sizeof(kvm_nested_state)};
  }

 private:
  std::vector<u64> words_;
};

}  // namespace kvmapi
