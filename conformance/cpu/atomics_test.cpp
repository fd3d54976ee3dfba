// LOCKed instructions of several vcpus never lose an update, also where they cross cache lines and pages; accesses that
// come in one piece; code that another CPU rewrites; accessed and dirty bits beside LOCKed changes of the same entry;
// TLB shootdown. SDM vol. 3, 9.1 and 9.3, APM vol. 2, 7.3. Guests: guests/long64/atomics.S.
#include "conformance/cpu/smp.hpp"

namespace conformance {
namespace {

using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

constexpr u64 kRounds = 1'000'000;
constexpr u64 kLine = 64, kPage = kvmapi::kPageSize;
constexpr CpuFeature kCmpxchg16b{"cx16", 1, 0, CpuidRegister::ecx, 13};

template <class T = u64>
T value_at(const Smp& smp, u64 offset) {
  T value;
  std::memcpy(&value, smp.arena() + offset, sizeof value);
  return value;
}

// --- Counters

struct CounterCase {
  RowName name;
  Guest guest;
  unsigned bytes;        // of the counter, which wraps
  u64 offset = 0;        // of the counter in the arena
  bool is_pair = false;  // the upper half counts likewise
  u64 batch = 200'000;   // rounds of one CPU
  Needs needs{};
};

constexpr u64 kLock = 2 * kPage;

void run_row(const CounterCase& row, Ctx& t) {
  Smp smp(t, row.guest, 2, 3 * kPage);
  std::vector<kvmapi::kvm_regs> registers;
  for (unsigned n = 0; n < smp.cpus(); ++n) {
    kvmapi::kvm_regs regs = smp.start(n);
    regs.rdi = Smp::kArena + row.offset;
    regs.rsi = Smp::kArena + kLock;
    regs.rcx = row.batch;
    registers.push_back(regs);
  }
  const u64 rounds = row.batch * smp.cpus();
  const unsigned bits = row.is_pair ? 64 : row.bytes * 8;
  repeat(kRounds, rounds, [&] {
    std::memset(smp.arena(), 0, 3 * kPage);
    if (!smp.run(registers)) return false;
    const u64 mask = bits == 64 ? ~u64{0} : (u64{1} << bits) - 1;
    EXPECT_EQ(value_at(smp, row.offset) & mask, rounds & mask);
    if (row.is_pair) {
      EXPECT_EQ(value_at(smp, row.offset + 8), rounds);
    }
    return !testing::Test::HasFailure();
  });
}

void add_rows(Registry& registry, const char* suite, const char* source, std::span<const CounterCase> rows) {
  for (const CounterCase& row : rows) {
    registry.add(Test{.id = fmt::format("{}.{}", suite, row.name.text),
                      .source = source,
                      .status = Abi::sane,
                      .needs = row.needs,
                      .file = row.name.file,
                      .line = row.name.line,
                      .body = [&row](Ctx& t) { run_row(row, t); },
                      .describe =
                          [&row] {
                            return fmt::format(
                                "2 vcpus run {} (guests/long64/atomics.S) up to {} times; the counter counts",
                                guests::name(row.guest), kRounds);
                          }});
  }
}

constexpr CounterCase kCounters[] = {
    {.name = "inc_byte_is_not_lost", .guest = Guest::lock_inc_byte, .bytes = 1, .batch = 200'001},
    {.name = "inc_word_is_not_lost", .guest = Guest::lock_inc_word, .bytes = 2, .batch = 200'001},
    {.name = "inc_dword_is_not_lost", .guest = Guest::lock_inc_dword, .bytes = 4},
    {.name = "inc_qword_is_not_lost", .guest = Guest::lock_inc_qword, .bytes = 8},
    {.name = "add_is_not_lost", .guest = Guest::lock_add_qword, .bytes = 8},
    {.name = "sub_is_not_lost", .guest = Guest::lock_sub_qword, .bytes = 8},
    {.name = "xadd_is_not_lost", .guest = Guest::lock_xadd_qword, .bytes = 8},
    {.name = "cmpxchg_is_not_lost", .guest = Guest::lock_cmpxchg_qword, .bytes = 8},
    {.name = "cmpxchg8b_is_not_lost", .guest = Guest::lock_cmpxchg8b, .bytes = 8},
    {.name = "cmpxchg16b_is_not_lost",
     .guest = Guest::lock_cmpxchg16b,
     .bytes = 16,
     .is_pair = true,
     .needs = {.cpu = kCmpxchg16b}},
    {.name = "spin_lock_by_xchg_excludes", .guest = Guest::xchg_spin_lock, .bytes = 8},
    {.name = "spin_lock_by_bts_excludes", .guest = Guest::bts_spin_lock, .bytes = 8},
    {.name = "unaligned_inc_in_a_line_is_not_lost", .guest = Guest::lock_inc_qword, .bytes = 8, .offset = 3},
    {.name = "unaligned_inc_dword_in_a_line_is_not_lost", .guest = Guest::lock_inc_dword, .bytes = 4, .offset = 6},
    {.name = "inc_across_lines_is_not_lost",
     .guest = Guest::lock_inc_qword,
     .bytes = 8,
     .offset = kLine - 3,
     .batch = 50'000},
    {.name = "xadd_across_lines_is_not_lost",
     .guest = Guest::lock_xadd_qword,
     .bytes = 8,
     .offset = kLine - 4,
     .batch = 50'000},
    {.name = "cmpxchg_across_lines_is_not_lost",
     .guest = Guest::lock_cmpxchg_qword,
     .bytes = 8,
     .offset = kLine - 1,
     .batch = 50'000},
    {.name = "cmpxchg8b_across_lines_is_not_lost",
     .guest = Guest::lock_cmpxchg8b,
     .bytes = 8,
     .offset = kLine - 5,
     .batch = 50'000},
    {.name = "inc_across_pages_is_not_lost",
     .guest = Guest::lock_inc_qword,
     .bytes = 8,
     .offset = kPage - 3,
     .batch = 50'000},
    {.name = "inc_word_across_pages_is_not_lost",
     .guest = Guest::lock_inc_word,
     .bytes = 2,
     .offset = kPage - 1,
     .batch = 50'001},
    {.name = "cmpxchg_across_pages_is_not_lost",
     .guest = Guest::lock_cmpxchg_qword,
     .bytes = 8,
     .offset = kPage - 4,
     .batch = 50'000},
};
KVM_ROWS("cpu.locked", "SDM vol. 3, 9.1.2; APM vol. 2, 7.3.2", kCounters);

// --- Accesses in one piece

void expect_whole(Ctx& t, Guest guest, u64 offset) {
  constexpr u64 kBatch = 100'000, kTorn = kPage;
  Smp smp(t, guest, 2, 2 * kPage);
  std::vector<kvmapi::kvm_regs> registers;
  for (unsigned n = 0; n < smp.cpus(); ++n) {
    kvmapi::kvm_regs regs = smp.start(n);
    regs.rdi = Smp::kArena + offset;
    regs.r8 = Smp::kArena + kTorn;
    regs.rcx = kBatch;
    registers.push_back(regs);
  }
  repeat(kRounds, kBatch, [&] {
    std::memset(smp.arena(), 0, 2 * kPage);
    if (!smp.run(registers)) return false;
    EXPECT_EQ(value_at(smp, kTorn), 0u) << "reads that saw a half of a write";
    return !testing::Test::HasFailure();
  });
}

constexpr const char* kGuaranteed = "SDM vol. 3, 9.1.1";
KVM_TEST("cpu.atomic_access", "aligned_qword_is_whole", kGuaranteed, {.status = Abi::sane})(Ctx& t) {
  expect_whole(t, Guest::whole_qword, 8);
}
KVM_TEST("cpu.atomic_access", "unaligned_qword_in_a_line_is_whole", kGuaranteed, {.status = Abi::sane})(Ctx& t) {
  expect_whole(t, Guest::whole_qword, 3);
}
// Intel and AMD promise it for processors with AVX.
KVM_TEST("cpu.atomic_access", "aligned_16_bytes_are_whole_with_avx", kGuaranteed,
         {.needs = {.cpu = cpu_feature::kAvx}, .status = Abi::sane})
(Ctx& t) { expect_whole(t, Guest::whole_xmm, 16); }

// --- Code, page tables

KVM_TEST("cpu.cross_modifying_code", "is_seen_after_a_handshake_and_cpuid", "SDM vol. 3, 9.1.3", {.status = Abi::sane})
(Ctx& t) {
  constexpr u64 kBatch = 100, kFlag = 0, kAnswer = kLine, kWrong = 2 * kLine;
  Smp smp(t, Guest::rewrites_code_of_another_cpu, 2, kPage);
  std::vector<kvmapi::kvm_regs> registers;
  for (unsigned n = 0; n < smp.cpus(); ++n) {
    kvmapi::kvm_regs regs = smp.start(n);
    regs.rdi = Smp::kArena + kFlag;
    regs.rsi = Smp::kArena + kAnswer;
    regs.r8 = Smp::kArena + kWrong;
    regs.rcx = kBatch;
    registers.push_back(regs);
  }
  repeat(20'000, kBatch, [&] {
    std::memset(smp.arena(), 0, kPage);
    if (!smp.run(registers)) return false;
    EXPECT_EQ(value_at(smp, kWrong), 0u) << "calls that ran old code";
    return !testing::Test::HasFailure();
  });
}

KVM_TEST("cpu.page_tables", "accessed_and_dirty_bits_are_set_by_locked_updates", "SDM vol. 3, 4.8; APM vol. 2, 5.4.2",
         {.status = Abi::sane})
(Ctx& t) {
  constexpr u64 kBatch = 50'000, kLost = 0;
  Smp smp(t, Guest::accessed_and_dirty, 2, kPage);
  std::vector<kvmapi::kvm_regs> registers{smp.start(0), smp.start(1)};
  registers[0].rdi = guests::kSpare;
  registers[1].rsi = guests::pte_address(Mode::long64, guests::kSpare);
  registers[1].r8 = Smp::kArena + kLost;
  registers[0].rcx = registers[1].rcx = kBatch;
  repeat(kRounds, kBatch, [&] {
    std::memset(smp.arena(), 0, kPage);
    smp.cpu(0).change_pte(guests::kSpare, 0, 1u << 9);
    if (!smp.run(registers)) return false;
    EXPECT_EQ(value_at(smp, kLost), 0u) << "changes of the entry that the CPU wrote over";
    return !testing::Test::HasFailure();
  });
}

KVM_TEST("cpu.page_tables", "shootdown_by_ipi_ends_the_use_of_old_translations", "SDM vol. 3, 4.10.5",
         {.needs = {.cap = {Cap::Irqchip, Cap::MpState}}, .status = Abi::sane})
(Ctx& t) {
  constexpr u64 kBatch = 50, kStale = 0;
  constexpr u64 kPageA = guests::kSpare + kPage, kPageB = guests::kSpare + 2 * kPage;
  Smp smp(t, Guest::shoots_down_translations, 2, kPage, true);
  Machine& m = smp.cpu(0);
  constexpr unsigned kVector = 0x51;
  const u64 stub = guests::handler(kVector);
  m.poke<u8>(stub, 0xe9);
  m.poke<u32>(stub + 1, static_cast<u32>(m.at("handler") - (stub + 5)));
  const u64 entry = guests::pte_address(Mode::long64, guests::kSpare);
  std::vector<kvmapi::kvm_regs> registers{smp.start(0), smp.start(1)};
  for (kvmapi::kvm_regs& regs : registers) {
    regs.rdi = guests::kSpare;
    regs.rsi = entry;
    regs.r8 = Smp::kArena + kStale;
    regs.rcx = kBatch;
    regs.r12 = kPageA | 7;
    regs.r13 = kPageB | 7;
    regs.r14 = kPageA;
    regs.r15 = kPageB;
  }
  repeat(20'000, kBatch, [&] {
    std::memset(smp.arena(), 0, kPage);
    std::memset(m.host(guests::kData), 0, kPage);
    m.poke<u64>(entry, kPageA | 7);
    m.poke<u32>(kPageA, 1);
    m.poke<u32>(kPageB, 1);
    if (!smp.run(registers)) return false;
    EXPECT_EQ(value_at(smp, kStale), 0u) << "reads through a translation that was shot down";
    return !testing::Test::HasFailure();
  });
}

}  // namespace
}  // namespace conformance
