// A Bus for unit tests of the system side: flat RAM from guest-physical 0, no devices, MSRs and ports that answer as
// told.
#pragma once

#include <cstdlib>
#include <map>
#include <memory>

#include "mock/cpu/bus.hpp"

namespace mock::cpu {

class SystemTestBus : public Bus {
 public:
  explicit SystemTestBus(u64 bytes = 1 << 20)
      : bytes_(bytes), ram_(static_cast<u8*>(std::aligned_alloc(kPageSize, bytes)), &std::free) {
    std::memset(ram_.get(), 0, bytes);
  }

  Page page(Gpa address, Access access) override {
    if (address.value >= bytes_) return {};
    if (access == Access::write && address.value == read_only_page) return {};
    return {Page::Kind::ram, ram_.get() + address.value};
  }
  Reply port_in(u16, unsigned size, void* data) override { return std::memset(data, 0xff, size), Reply::done; }
  Reply port_out(u16, unsigned, const void*) override { return Reply::done; }
  Reply mmio_read(Gpa, unsigned size, void* data) override { return std::memset(data, 0xff, size), Reply::done; }
  Reply mmio_write(Gpa, unsigned, const void*) override { return Reply::done; }
  Reply read_msr(u32 index, u64& value) override {
    const auto it = msrs.find(index);
    if (it == msrs.end()) return Reply::fault;
    value = it->second;
    return Reply::done;
  }
  Reply write_msr(u32 index, u64 value) override {
    const auto it = msrs.find(index);
    if (it == msrs.end()) return Reply::fault;
    it->second = value;
    return Reply::done;
  }
  CpuidResult cpuid(u32 leaf, u32 subleaf) override {
    const auto it = cpuid_leaves.find({leaf, subleaf});
    return it == cpuid_leaves.end() ? CpuidResult{} : it->second;
  }
  u64 read_tsc() override { return tsc; }
  int acknowledge_interrupt() override { return -1; }
  Reply write_cr8(u8 value) override { return cr8 = value, Reply::done; }
  u8 read_cr8() override { return cr8; }

  template <class T>
  T peek(u64 address) const {
    T value;
    std::memcpy(&value, ram_.get() + address, sizeof value);
    return value;
  }
  template <class T>
  void poke(u64 address, const T& value) {
    std::memcpy(ram_.get() + address, &value, sizeof value);
  }

  u64 read_only_page = ~u64{0};
  std::map<u32, u64> msrs;
  std::map<std::pair<u32, u32>, CpuidResult> cpuid_leaves;
  u64 tsc = 0;
  u8 cr8 = 0;

 private:
  u64 bytes_;
  std::unique_ptr<u8, void (*)(void*)> ram_;
};

}  // namespace mock::cpu
