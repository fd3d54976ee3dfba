#include "mock/fuzz/cpu_machine.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace mock::fuzz {

using namespace cpu;

namespace {

constexpr u64 kPages = guests::kRamBytes / kPageSize;
constexpr u64 kAbsentPage = 0x1a000, kReadOnlyPage = 0x1b000;
constexpr u64 kPml5 = 0x14000;
constexpr u64 kFirstTable = guests::kPml4, kTablesEnd = kPml5 + kPageSize;

guests::Mode layout_of(CpuMode mode) {
  switch (mode) {
    case CpuMode::real:
    case CpuMode::unreal:
      return guests::Mode::real;
    case CpuMode::virtual8086:
    case CpuMode::protected16:
    case CpuMode::protected32:
      return guests::Mode::prot32;
    case CpuMode::virtual8086_paged:
    case CpuMode::paged32:
      return guests::Mode::paged32;
    case CpuMode::pae32:
      return guests::Mode::pae32;
    default:
      return guests::Mode::long64;
  }
}

Segment segment_of(const guests::Segment& from) {
  Segment to;
  to.base = from.base;
  to.limit_bytes = from.limit;
  to.selector = from.selector;
  to.attributes = static_cast<u16>(from.type | from.s << 4 | from.dpl << 5 | from.present << 7 | from.l << 9 |
                                   from.db << 10 | from.g << 11);
  return to;
}

void load(State& s, const guests::Cpu& from) {
  s.cr0 = from.cr0;
  s.cr3 = from.cr3;
  s.cr4 = from.cr4;
  s.efer = from.efer;
  s.seg = {segment_of(from.es), segment_of(from.cs), segment_of(from.ss),
           segment_of(from.ds), segment_of(from.fs), segment_of(from.gs)};
  s.tr = segment_of(from.tr);
  s.gdtr = {from.gdt_base, from.gdt_limit};
  s.idtr = {from.idt_base, from.idt_limit};
}

constexpr u16 kCode = 0x9b, kUser = 0x60, kL = 0x200, kDb = 0x400, kG = 0x800;

void set_code(State& s, u16 selector, u16 attributes, u32 limit) {
  s.seg[CS].selector = selector;
  s.seg[CS].attributes = attributes;
  s.seg[CS].limit_bytes = limit;
}

void set_mode(State& s, CpuMode mode) {
  switch (mode) {
    case CpuMode::unreal:
      for (SegReg r : {DS, ES}) {
        s.seg[r].limit_bytes = ~u32{0};
        s.seg[r].attributes |= kG;
      }
      break;
    case CpuMode::protected16:
      set_code(s, guests::kCode16Cs, kCode, 0xffff);
      break;
    case CpuMode::compatibility32:
      set_code(s, guests::kCode32Cs, kCode | kDb | kG, ~u32{0});
      break;
    case CpuMode::compatibility16:
      set_code(s, guests::kCode16Cs, kCode, 0xffff);
      break;
    case CpuMode::long64_5_levels:
      s.cr3 = kPml5;
      s.cr4 |= CR4_LA57;
      break;
    default:
      break;
  }
}

bool is_virtual8086(CpuMode mode) { return mode == CpuMode::virtual8086 || mode == CpuMode::virtual8086_paged; }
bool is_long(CpuMode mode) { return mode >= CpuMode::long64; }

void set_ring3(State& s) {
  s.cpl = 3;
  s.seg[CS].attributes |= kUser;
  s.seg[CS].selector = s.seg[CS].attributes & kL ? guests::kUserCs : guests::kUserCs32;
  for (SegReg r : {ES, SS, DS, FS, GS}) {
    s.seg[r].attributes |= kUser;
    s.seg[r].selector = guests::kUserDs;
  }
  s.gpr[RSP] = guests::kUserStackTop;
}

void set_virtual8086(State& s) {
  s.cpl = 3;
  for (Segment& seg : s.seg) {
    seg = Segment{};
    seg.attributes = 0xf3;
  }
  s.seg[GS].selector = guests::kSpare >> 4;
  s.seg[GS].base = guests::kSpare;
}

void set_options(State& s, u16 options, CpuMode mode) {
  const bool is_protected = s.cr0 & CR0_PE;
  if (options & kTaskSwitched) s.cr0 |= CR0_TS;
  if (options & kEmulated) s.cr0 |= CR0_EM;
  if (options & kAlignment) s.cr0 |= CR0_AM;
  if (options & kWriteProtect) s.cr0 |= CR0_WP;
  if (options & kNoExecute) s.efer |= EFER_NX;
  if (options & kXsave) {
    s.cr4 |= CR4_OSXSAVE;
    s.fpu.xcr0 = 7;
  }
  if (is_long(mode)) s.efer |= EFER_SCE;
  if (!is_protected) return;
  if (options & kSupervisor) s.cr4 |= CR4_SMEP | CR4_SMAP | CR4_UMIP;
  if (options & kMoreCr4) s.cr4 |= CR4_PGE | CR4_TSD | CR4_DE | CR4_FSGSBASE;
  if ((options & kMoreCr4) && is_long(mode)) s.cr4 |= CR4_PCIDE | CR4_PKE;
}

u64 flags_of(const CpuInput& input) {
  static constexpr u32 kBits[8] = {CF, PF, AF, ZF, SF, DF, OF, NT};
  u64 flags = kFlagsFixedOne;
  for (unsigned i = 0; i < 8; ++i)
    if (input.flags >> i & 1) flags |= kBits[i];
  if (input.options & kTrap) flags |= TF;
  if (input.options & kAlignment) flags |= AC;
  if (input.options & kInterrupt) flags |= IF;
  if (input.options & kIopl3) flags |= IOPL;
  if (is_virtual8086(static_cast<CpuMode>(input.mode))) flags |= VM;
  return flags;
}

u64 register_value(u8 choice, unsigned index, std::mt19937& noise) {
  static constexpr u64 kBases[32] = {
      0,
      1,
      ~u64{0},
      guests::kData,
      guests::kData + 0xff8,
      guests::kLoad,
      guests::kStackTop,
      guests::kMmioBase,
      0x80000000,
      0x7fffffffffff,
      0xffff800000000000,
      0x8000000000000000,
      guests::kIdt,
      guests::kGdt,
      guests::kTss,
      16,
      0xffff,
      0xffffffff,
      0x7fffffff,
      guests::kPml4,
      guests::kPt,
      kAbsentPage,
      kReadOnlyPage,
      guests::kRamBytes - 8,
      0xfee00000,
      guests::kUserDs,
      guests::kKernelCs,
      guests::kTssSel,
      0x00ffffffffffffff,
      0xff00000000000000,
      0xc0000080,
      0,
  };
  static constexpr u64 kOffsets[8] = {0, 1, 2, 4, 8, ~u64{0}, 0x7f8, 0xfff};
  if (choice == 0) return index == RSP ? u64{guests::kStackTop} : 0;
  if ((choice & 31) == 31) return u64{noise()} << 32 | noise();
  return kBases[choice & 31] + kOffsets[choice >> 5];
}

// Code: up to the handlers. Data, spare pages and vector registers: noise.
void fill_with_noise(IsolatedBus& bus, FpuState& fpu) {
  std::mt19937& noise = bus.noise();
  for (u64 page :
       {u64{guests::kData}, u64{guests::kData} + kPageSize, u64{guests::kSpare}, u64{guests::kSpare} + kPageSize})
    for (u64 i = 0; i < kPageSize; i += 4) {
      const u32 value = noise();
      std::memcpy(bus.page_host(page) + i, &value, sizeof value);
    }
  for (auto& st : fpu.st) st = {u64{noise()} << 32 | noise(), noise() & 0xffff};
  for (auto& ymm : fpu.ymm)
    for (u64& q : ymm.q) q = u64{noise()} << 32 | noise();
  fpu.ftw = static_cast<u8>(noise());
  fpu.fsw = noise() & 0x3800;
}

void hide_tables(IsolatedBus& bus, guests::Mode mode) {
  for (u64 page = kFirstTable; page < kTablesEnd; page += kPageSize) {
    const u64 entry = guests::pte_address(mode, page);
    if (!entry) return;
    const u8 nothing[8] = {};
    bus.put(entry, {nothing, guests::pte_bytes(mode)});
  }
}

}  // namespace

CpuInput parse(std::span<const u8> data, std::span<const u8>& code) {
  CpuInput input;
  std::memcpy(&input, data.data(), std::min(data.size(), sizeof input));
  input.mode %= kCpuModes;
  code = data.size() > sizeof input ? data.subspan(sizeof input) : std::span<const u8>{};
  return input;
}

IsolatedBus::IsolatedBus() {
  const std::size_t bytes = (kPages * 2 + 1) * kPageSize;
  void* const memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  base_ = static_cast<u8*>(memory);
  for (u64 page = 0; page < kPages; ++page)
    if (mprotect(page_host(page * kPageSize), kPageSize, PROT_READ | PROT_WRITE) != 0) std::abort();
}

IsolatedBus::~IsolatedBus() { munmap(base_, (kPages * 2 + 1) * kPageSize); }

bool IsolatedBus::is_guest_memory(const u8* host) const {
  const u64 page = static_cast<u64>(host - base_) / kPageSize;
  return host >= base_ && page < kPages * 2 && page % 2 == 1;
}

void IsolatedBus::put(u64 gpa, std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), kPageSize - gpa % kPageSize);
    std::memcpy(page_host(gpa) + gpa % kPageSize, bytes.data(), part);
    bytes = bytes.subspan(part);
    gpa += part;
  }
}

void IsolatedBus::get(u64 gpa, std::span<u8> bytes) const {
  while (!bytes.empty()) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), kPageSize - gpa % kPageSize);
    std::memcpy(bytes.data(), page_host(gpa) + gpa % kPageSize, part);
    bytes = bytes.subspan(part);
    gpa += part;
  }
}

// What a mode's memory looks like is the same each time.
void IsolatedBus::start(const CpuInput& input) {
  static const auto kImages = [] {
    std::array<std::vector<u8>, 5> images;
    for (const guests::Mode mode : guests::kEveryMode) {
      auto& image = images[static_cast<unsigned>(mode)];
      image.resize(guests::kRamBytes);
      guests::prepare_memory(mode, image);
    }
    return images;
  }();
  put(0, kImages[static_cast<unsigned>(layout_of(static_cast<CpuMode>(input.mode)))]);
  noise_.seed(input.noise);
  has_holes_ = input.options & kHoles;
  has_features_ = !(input.options & kNoFeatures);
  interrupt_ = input.options & kInterrupt ? input.vector : -1;
  cr8_ = 0;
}

Page IsolatedBus::page(Gpa address, Access access) {
  if (address.value % kPageSize) std::abort();
  if (address.value >= guests::kRamBytes) return {};
  if (has_holes_ && address.value == kAbsentPage) return {Page::Kind::absent, nullptr};
  if (has_holes_ && address.value == kReadOnlyPage && access == Access::write) return {};
  return {Page::Kind::ram, page_host(address.value)};
}

Reply IsolatedBus::answer(void* data, unsigned size_bytes) {
  const u64 value = u64{noise_()} << 32 | noise_();
  if (value & 1) return Reply::exit;
  std::memcpy(data, &value, size_bytes);
  return Reply::done;
}

Reply IsolatedBus::port_in(u16, unsigned size_bytes, void* data) { return answer(data, size_bytes); }
Reply IsolatedBus::port_out(u16, unsigned, const void*) { return noise_() & 1 ? Reply::exit : Reply::done; }
Reply IsolatedBus::mmio_read(Gpa address, unsigned size_bytes, void* data) {
  if (size_bytes > 8 || address.value % kPageSize + size_bytes > kPageSize) std::abort();
  return answer(data, size_bytes);
}
Reply IsolatedBus::mmio_write(Gpa address, unsigned size_bytes, const void*) {
  if (size_bytes > 8 || address.value % kPageSize + size_bytes > kPageSize) std::abort();
  return noise_() & 1 ? Reply::exit : Reply::done;
}

Reply IsolatedBus::read_msr(u32, u64& value) {
  value = noise_();
  return static_cast<Reply>(value % 3);
}
Reply IsolatedBus::write_msr(u32, u64) { return static_cast<Reply>(noise_() % 3); }

Bus::CpuidResult IsolatedBus::cpuid(u32 leaf, u32 subleaf) {
  if (!has_features_) return {};
  switch (leaf) {
    case 0:
      return {0x1f, 0, 0, 0};
    case 0x80000000:
      return {0x80000021, 0, 0, 0};
    case 0x80000008:
      return {0x3030, 0, 0, 0};
    case 0xd:
      if (subleaf == 0) return {0x207, 0, 0x348, 0};
      if (subleaf == 2) return {0x100, 0x240, 0, 0};
      if (subleaf == 9) return {8, 0x340, 0, 0};
      return {};
    default:
      return {~u32{0}, ~u32{0}, ~u32{0}, ~u32{0}};
  }
}

int IsolatedBus::acknowledge_interrupt() {
  const int vector = interrupt_;
  interrupt_ = -1;
  return vector;
}

Reply IsolatedBus::write_cr8(u8 value) {
  const Reply reply = value < cr8_ ? Reply::exit : Reply::done;
  cr8_ = value & 15;
  return reply;
}

void CpuMachine::start(const CpuInput& input, std::span<const u8> code, bool hidden_tables) {
  const auto mode = static_cast<CpuMode>(input.mode);
  cpu.reset();
  State& s = cpu.state();
  bus.start(input);
  load(s, guests::start_cpu(layout_of(mode)));
  s.gpr[RSP] = guests::kStackTop;
  set_mode(s, mode);
  set_options(s, input.options, mode);
  if (mode == CpuMode::long64_5_levels) {
    const u64 entry = guests::kPml4 | 7;
    bus.put(kPml5, {reinterpret_cast<const u8*>(&entry), sizeof entry});
  }
  for (unsigned i = 0; i < 16; ++i) s.gpr[i] = register_value(input.gpr[i], i, bus.noise());
  if (is_virtual8086(mode))
    set_virtual8086(s);
  else if ((input.options & kRing3) && (s.cr0 & CR0_PE))
    set_ring3(s);
  if (input.noise) fill_with_noise(bus, s.fpu);
  if (hidden_tables) hide_tables(bus, layout_of(mode));
  s.rip = guests::kLoad + input.offset * 16u;
  bus.put(s.rip, code.first(std::min<std::size_t>(code.size(), guests::kHandlers - s.rip)));
  if (input.options & kBreakpoints) {
    s.dr = {s.rip + 3, guests::kData, guests::kStackTop - 8, guests::kData + 0xff8};
    s.dr7 = 0x400 | 0xff | 0x1u << 20 | 0xdu << 24 | 0xbu << 28;
  }
  if (input.options & kEvent) {
    s.event.kind = Event::Kind::exception;
    s.event.vector = input.vector & 31;
    s.event.has_error_code = guests::has_error_code(s.event.vector) && (s.cr0 & CR0_PE);
  }
  s.attention = input.options & kInterrupt ? u32{kAttentionInterrupt} : 0;
  cpu.set_rflags(flags_of(input));
  cpu.cpuid_changed();
  cpu.flush_all_memory();
  cpu.state_changed();
}

bool CpuMachine::answer(Stop stop) {
  std::array<u64, 512> data;
  for (u64& word : data) word = 0x0102030405060708;
  for (int i = 0; cpu.is_completion_pending(); ++i) {
    if (i == 2048) std::abort();  // no instruction has that many parts
    data[0] = bus.noise()();
    switch (stop) {
      case Stop::msr_read:
      case Stop::msr_write:
        stop = cpu.complete_msr(data[0] & 1, data[0]);
        break;
      case Stop::hypercall:
        stop = cpu.complete_hypercall(data[0]);
        break;
      default:
        stop = cpu.complete(data.data());
    }
  }
  cpu.state().attention.fetch_and(~u32{kAttentionStop | kAttentionFlush});
  return stop != Stop::shutdown && stop != Stop::unmodelled && stop != Stop::emulation_failure &&
         stop != Stop::host_fault;
}

}  // namespace mock::fuzz
