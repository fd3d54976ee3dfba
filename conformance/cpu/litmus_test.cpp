// Which orders of loads and stores several vcpus may see: the litmus tests of x86-TSO. SDM vol. 3, 9.2 (Intel), APM
// vol. 2, 7.2 (AMD). Guests: guests/long64/litmus.S. What is allowed may be seen or not; what is forbidden never.
#include "conformance/cpu/smp.hpp"

namespace conformance {
namespace {

using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

constexpr u64 kRounds = 1'000'000, kBatch = 8192;
constexpr unsigned kMaxCpus = 4;
constexpr u64 kLine = 64;

// One round: the variables at its end, and the two results of each CPU.
struct Seen {
  u32 x, y;
  u32 r[kMaxCpus][2];
};

struct LitmusCase {
  RowName name;
  Guest guest;
  unsigned cpus;
  bool (*is_forbidden)(const Seen&);
  bool (*is_relaxed)(const Seen&) = nullptr;  // allowed, though no order of whole programs gives it: counted
};

// Where things lie in the arena.
constexpr u64 kX = 0, kY = kBatch * kLine, kResults = 2 * kY, kProgress = kResults + kMaxCpus * kBatch * 8;
constexpr u64 kArenaBytes = kProgress + kvmapi::kPageSize;

std::vector<kvmapi::kvm_regs> start(const Smp& smp) {
  std::vector<kvmapi::kvm_regs> all;
  for (unsigned n = 0; n < smp.cpus(); ++n) {
    kvmapi::kvm_regs regs = smp.start(n);
    regs.rdi = Smp::kArena + kX;
    regs.rsi = Smp::kArena + kY;
    regs.r8 = Smp::kArena + kResults + n * kBatch * 8;
    regs.rcx = kBatch;
    regs.r9 = Smp::kArena + kProgress + n * kLine;
    regs.r10 = Smp::kArena + kProgress + (n + 1) % smp.cpus() * kLine;
    all.push_back(regs);
  }
  return all;
}

u32 word(const Smp& smp, u64 offset) {
  u32 value;
  std::memcpy(&value, smp.arena() + offset, sizeof value);
  return value;
}

Seen seen(const Smp& smp, u64 round) {
  Seen s{.x = word(smp, kX + round * kLine), .y = word(smp, kY + round * kLine), .r = {}};
  for (unsigned n = 0; n < smp.cpus(); ++n)
    for (unsigned i = 0; i < 2; ++i) s.r[n][i] = word(smp, kResults + n * kBatch * 8 + round * 8 + i * 4);
  return s;
}

void run_row(const LitmusCase& row, Ctx& t) {
  Smp smp(t, row.guest, row.cpus, kArenaBytes);
  const auto registers = start(smp);
  u64 relaxed = 0;
  repeat(kRounds, kBatch, [&] {
    std::memset(smp.arena(), 0, kArenaBytes);
    const u64 all = kBatch;
    for (unsigned n = 0; n < smp.cpus(); ++n) std::memcpy(smp.arena() + kProgress + n * kLine, &all, sizeof all);
    if (!smp.run(registers)) return false;
    for (u64 round = 0; round < kBatch; ++round) {
      const Seen s = seen(smp, round);
      if (row.is_relaxed && row.is_relaxed(s)) ++relaxed;
      if (!row.is_forbidden(s)) continue;
      ADD_FAILURE() << "a forbidden outcome: x " << s.x << ", y " << s.y << ", results " << s.r[0][0] << ' '
                    << s.r[0][1] << ", " << s.r[1][0] << ' ' << s.r[1][1] << ", " << s.r[2][0] << ' ' << s.r[2][1]
                    << ", " << s.r[3][0] << ' ' << s.r[3][1];
      return false;
    }
    return true;
  });
  if (row.is_relaxed) SUCCEED() << "the relaxed outcome was seen " << relaxed << " times";
}

void add_rows(Registry& registry, const char* suite, const char* source, std::span<const LitmusCase> rows) {
  for (const LitmusCase& row : rows) {
    registry.add(Test{.id = fmt::format("{}.{}", suite, row.name.text),
                      .source = source,
                      .status = Abi::sane,
                      .needs = {.vm_cap = Cap::NrVcpus},
                      .file = row.name.file,
                      .line = row.name.line,
                      .body = [&row](Ctx& t) { run_row(row, t); },
                      .describe =
                          [&row] {
                            return fmt::format("{} vcpus run {} (guests/long64/litmus.S) up to {} times", row.cpus,
                                               guests::name(row.guest), kRounds);
                          }});
  }
}

constexpr LitmusCase kRows[] = {
    {.name = "a_cpu_sees_its_own_store",
     .guest = Guest::store_forwarding,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[0][0] != 1 || s.r[1][0] != 1; },
     .is_relaxed = [](const Seen& s) { return s.r[0][1] == 0 && s.r[1][1] == 0; }},
    {.name = "loads_may_pass_earlier_stores",
     .guest = Guest::store_buffering,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[0][0] > 1 || s.r[1][0] > 1; },
     .is_relaxed = [](const Seen& s) { return s.r[0][0] == 0 && s.r[1][0] == 0; }},
    {.name = "mfence_keeps_loads_behind_stores",
     .guest = Guest::store_buffering_mfence,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[0][0] == 0 && s.r[1][0] == 0; }},
    {.name = "locked_instruction_keeps_loads_behind_stores",
     .guest = Guest::store_buffering_locked,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[0][0] == 0 && s.r[1][0] == 0; }},
    {.name = "xchg_is_a_fence",
     .guest = Guest::store_buffering_xchg,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[0][0] == 0 && s.r[1][0] == 0; }},
    {.name = "stores_and_loads_stay_in_order_for_messages",
     .guest = Guest::message_passing,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[1][0] == 1 && s.r[1][1] == 0; }},
    {.name = "stores_do_not_pass_earlier_loads",
     .guest = Guest::load_buffering,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[0][0] == 1 && s.r[1][0] == 1; }},
    {.name = "stores_of_one_cpu_stay_in_order",
     .guest = Guest::two_plus_two_writes,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.x == 1 && s.y == 1; }},
    {.name = "store_after_a_seen_store_comes_later",
     .guest = Guest::store_after_seen_store,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[1][0] == 1 && s.x == 2; }},
    {.name = "independent_stores_have_one_order_for_all",
     .guest = Guest::independent_reads,
     .cpus = 4,
     .is_forbidden =
         [](const Seen& s) { return s.r[2][0] == 1 && s.r[2][1] == 0 && s.r[3][0] == 1 && s.r[3][1] == 0; }},
    {.name = "causality_is_transitive",
     .guest = Guest::write_to_read_causality,
     .cpus = 3,
     .is_forbidden = [](const Seen& s) { return s.r[1][0] == 1 && s.r[2][0] == 1 && s.r[2][1] == 0; }},
    {.name = "reads_of_one_location_do_not_go_back",
     .guest = Guest::coherent_reads,
     .cpus = 2,
     .is_forbidden = [](const Seen& s) { return s.r[1][0] > s.r[1][1]; }},
};
KVM_ROWS("cpu.litmus", "SDM vol. 3, 9.2.3; APM vol. 2, 7.2", kRows);

}  // namespace
}  // namespace conformance
