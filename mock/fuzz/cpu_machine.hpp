// A CPU for fuzzers: one input chooses mode, control bits, registers and code; the world around it answers with noise
// that follows from the input alone, so that every run repeats.
//
// Each page of guest memory is a host page between two inaccessible ones: a touch of anything else, also one byte past
// a page without a translation of its own, ends the process.
#pragma once

#include <array>
#include <cstddef>
#include <random>
#include <span>

#include "guests/layout.hpp"
#include "mock/cpu/cpu.hpp"

namespace mock::fuzz {

using namespace kvmapi;

enum class CpuMode : u8 {
  real,
  unreal,
  virtual8086,
  virtual8086_paged,
  protected16,
  protected32,
  paged32,
  pae32,
  long64,
  long64_5_levels,
  compatibility32,
  compatibility16,
};
inline constexpr unsigned kCpuModes = 12;

// The bits of CpuInput::options.
enum Option : u16 {
  kRing3 = 1 << 0,
  kTrap = 1 << 1,
  kAlignment = 1 << 2,
  kBreakpoints = 1 << 3,
  kHoles = 1 << 4,       // an absent and a read-only page
  kSupervisor = 1 << 5,  // SMEP, SMAP, UMIP
  kInterrupt = 1 << 6,   // pending, with IF set
  kEvent = 1 << 7,       // an exception is injected
  kNoFeatures = 1 << 8,  // CPUID says nothing
  kTaskSwitched = 1 << 9,
  kEmulated = 1 << 10,  // CR0.EM
  kXsave = 1 << 11,
  kWriteProtect = 1 << 12,
  kNoExecute = 1 << 13,
  kIopl3 = 1 << 14,
  kMoreCr4 = 1 << 15,  // PGE, PCIDE, FSGSBASE, PKE, TSD, DE
};

// The fixed head of an input; the code follows. Inputs that are shorter count as padded with zeros.
struct CpuInput {
  u8 mode = 0;
  u8 vector = 0;  // of the interrupt or the injected exception
  u16 options = 0;
  u8 flags = 0;   // CF PF AF ZF SF DF OF NT, from bit 0
  u8 offset = 0;  // code starts at kLoad + 16 * this
  u16 noise = 0;  // seed of memory, vector registers and answers; 0: memory is zero
  std::array<u8, 16> gpr{};
  std::array<u8, 8> spare{};
};
static_assert(sizeof(CpuInput) == 32);

// `code` is what follows the head.
CpuInput parse(std::span<const u8> data, std::span<const u8>& code);

class IsolatedBus final : public cpu::Bus {
 public:
  IsolatedBus();
  ~IsolatedBus() override;
  IsolatedBus(const IsolatedBus&) = delete;
  IsolatedBus& operator=(const IsolatedBus&) = delete;

  void start(const CpuInput& input);
  u8* page_host(u64 gpa) const { return base_ + gpa / kPageSize * 2 * kPageSize + kPageSize; }
  // Whether a host address lies in a page of guest memory.
  bool is_guest_memory(const u8* host) const;
  void put(u64 gpa, std::span<const u8> bytes);
  void get(u64 gpa, std::span<u8> bytes) const;

  cpu::Page page(Gpa address, cpu::Access access) override;
  cpu::Reply port_in(u16 port, unsigned size_bytes, void* data) override;
  cpu::Reply port_out(u16 port, unsigned size_bytes, const void* data) override;
  cpu::Reply mmio_read(Gpa address, unsigned size_bytes, void* data) override;
  cpu::Reply mmio_write(Gpa address, unsigned size_bytes, const void* data) override;
  cpu::Reply read_msr(u32 index, u64& value) override;
  cpu::Reply write_msr(u32 index, u64 value) override;
  CpuidResult cpuid(u32 leaf, u32 subleaf) override;
  u64 read_tsc() override { return 0x123456789; }
  int acknowledge_interrupt() override;
  cpu::Reply write_cr8(u8 value) override;
  u8 read_cr8() override { return cr8_; }

  std::mt19937& noise() { return noise_; }

 private:
  cpu::Reply answer(void* data, unsigned size_bytes);

  u8* base_;
  std::mt19937 noise_;
  bool has_holes_ = false, has_features_ = true;
  int interrupt_ = -1;
  u8 cr8_ = 0;
};

struct CpuMachine {
  CpuMachine() : cpu(bus) {}

  // Everything as the input says. `hidden_tables`: page tables are not mapped, so that the guest cannot change them.
  void start(const CpuInput& input, std::span<const u8> code, bool hidden_tables);
  // Answers the stop until none is pending. False: the program is over.
  bool answer(cpu::Stop stop);

  IsolatedBus bus;
  cpu::Cpu cpu;
};

}  // namespace mock::fuzz
