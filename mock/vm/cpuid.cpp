// The guest's CPUID table. api.rst 4.20, 4.46; KVM_SET_CPUID2, KVM_GET_CPUID2. Unlisted leaves answer as kvm_cpuid()
// does for an AMD guest: zero.
#include <cerrno>
#include <cstring>

#include "mock/cpu/xstate.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

kvm_cpuid_entry2* find(std::vector<kvm_cpuid_entry2>& entries, u32 leaf, u32 subleaf) {
  for (kvm_cpuid_entry2& entry : entries)
    if (entry.function == leaf && (!(entry.flags & kCpuidFlagSignifcantIndex) || entry.index == subleaf)) return &entry;
  return nullptr;
}

void assign_bit(u32& word, unsigned bit, bool value) { word = (word & ~(1u << bit)) | (u32{value} << bit); }

}  // namespace

const kvm_cpuid_entry2* Vcpu::find_cpuid(u32 leaf, u32 subleaf) const {
  return find(const_cast<std::vector<kvm_cpuid_entry2>&>(cpuid_), leaf, subleaf);
}

bool Vcpu::has_cpuid_bit(u32 leaf, u32 kvm_cpuid_entry2::*reg, unsigned bit) const {
  const kvm_cpuid_entry2* entry = find_cpuid(leaf, 0);
  return entry && ((entry->*reg >> bit) & 1);
}

// cpuid_query_maxphyaddr(): 36 when the table does not say.
unsigned Vcpu::max_physical_bits() const {
  const kvm_cpuid_entry2* top = find_cpuid(0x80000000, 0);
  if (!top || top->eax < 0x80000008) return 36;
  const kvm_cpuid_entry2* sizes = find_cpuid(0x80000008, 0);
  return sizes ? std::min<unsigned>(sizes->eax & 0xff, 52) : 36;
}

// Bits that mirror CPU state are kept right in the stored table (__kvm_update_cpuid_runtime()).
void Vcpu::update_cpuid_runtime(std::vector<kvm_cpuid_entry2>& entries) {
  if (kvm_cpuid_entry2* leaf1 = find(entries, 1, 0)) {
    assign_bit(leaf1->ecx, 27, state().cr4 & CR4_OSXSAVE);
    assign_bit(leaf1->edx, 9, apic_base_ & (u64{1} << 11));
  }
  if (kvm_cpuid_entry2* leaf7 = find(entries, 7, 0)) assign_bit(leaf7->ecx, 4, state().cr4 & CR4_PKE);
  if (kvm_cpuid_entry2* leafd = find(entries, 0xd, 0)) leafd->ebx = xsave_bytes(state().fpu.xcr0, false);
  if (kvm_cpuid_entry2* leafd = find(entries, 0xd, 1); leafd && (leafd->eax & 0xa))
    leafd->ebx = xsave_bytes(state().fpu.xcr0, true);
}

Result<int> Vcpu::set_cpuid_entries(std::vector<kvm_cpuid_entry2> entries) {
  update_cpuid_runtime(cpuid_);
  update_cpuid_runtime(entries);
  if (has_run_ && vm_.profile().since(6, 1)) {
    const bool same = entries.size() == cpuid_.size() &&
                      std::memcmp(entries.data(), cpuid_.data(), entries.size() * sizeof(kvm_cpuid_entry2)) == 0;
    return same ? Result<int>(0) : err(EINVAL);
  }
  if (const kvm_cpuid_entry2* sizes = find(entries, 0x80000008, 0)) {
    const u32 linear_bits = (sizes->eax >> 8) & 0xff;
    if (linear_bits != 48 && linear_bits != 57 && linear_bits != 0) return err(EINVAL);
  }
  cpuid_ = std::move(entries);
  if (lapic_) lapic_->set_has_tsc_deadline(has_cpuid_bit(1, &kvm_cpuid_entry2::ecx, 24));
  cpu_.cpuid_changed();
  state_changed_ = translations_changed_ = true;
  return 0;
}

Result<int> Vcpu::set_cpuid(UserPointer list) {
  kvm_cpuid header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (header.nent > kMaxCpuidEntries) return err(E2BIG);
  std::vector<kvm_cpuid_entry> old(header.nent);
  if (!copy_from_user(old.data(), list.address + sizeof header, old.size() * sizeof(kvm_cpuid_entry)))
    return err(EFAULT);
  std::vector<kvm_cpuid_entry2> entries;
  entries.reserve(old.size());
  for (const kvm_cpuid_entry& e : old)
    entries.push_back({.function = e.function,
                       .index = 0,
                       .flags = 0,
                       .eax = e.eax,
                       .ebx = e.ebx,
                       .ecx = e.ecx,
                       .edx = e.edx,
                       .padding = {}});
  return set_cpuid_entries(std::move(entries));
}

Result<int> Vcpu::set_cpuid2(UserPointer list) {
  kvm_cpuid2 header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (header.nent > kMaxCpuidEntries) return err(E2BIG);
  std::vector<kvm_cpuid_entry2> entries(header.nent);
  if (!copy_from_user(entries.data(), list.address + sizeof header, entries.size() * sizeof(kvm_cpuid_entry2)))
    return err(EFAULT);
  return set_cpuid_entries(std::move(entries));
}

Result<int> Vcpu::get_cpuid2(UserPointer list) {
  kvm_cpuid2 header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (header.nent < cpuid_.size()) return err(E2BIG);
  update_cpuid_runtime(cpuid_);
  if (!copy_to_user(list.address + sizeof header, cpuid_.data(), cpuid_.size() * sizeof(kvm_cpuid_entry2)))
    return err(EFAULT);
  // QUIRK(kvm, until 6.1): the number of entries is not stored.
  if (!vm_.profile().since(6, 12)) return 0;
  header.nent = static_cast<u32>(cpuid_.size());
  return put_user(list.address, header) ? Result<int>(0) : err(EFAULT);
}

Bus::CpuidResult Vcpu::cpuid(u32 leaf, u32 subleaf) {
  if (const kvm_cpuid_entry2* entry = find_cpuid(leaf, subleaf))
    return {entry->eax, entry->ebx, entry->ecx, entry->edx};
  if (leaf == 0xb || leaf == 0x1f)
    if (const kvm_cpuid_entry2* level1 = find_cpuid(leaf, 1)) return {0, 0, subleaf & 0xff, level1->edx};
  return {0, 0, 0, 0};
}

// What KVM_GET_SUPPORTED_CPUID offers is what the processor has.
Bus::CpuidResult Vcpu::processor(u32 leaf, u32 subleaf) {
  for (const kvm_cpuid_entry2& entry : vm_.profile().supported_cpuid)
    if (entry.function == leaf && entry.index == subleaf) return {entry.eax, entry.ebx, entry.ecx, entry.edx};
  return {};
}

}  // namespace mock::vm
