// How handlers follow each other. Included by files that define handlers.
//
// With tail calls (optimised builds) a handler ends by jumping to the next one: MOCK_CPU_NEXT. clang proves it with
// musttail; g++ is checked by ci/checks (no handler may grow the stack), so a handler must not have locals whose
// address escapes: work that needs them goes into a function of its own that returns. Builds without optimisation and
// with sanitizers return to a loop after each handler instead.
#pragma once

#include "mock/cpu/block.hpp"
#include "mock/cpu/guest_memory.hpp"
#include "mock/cpu/row.hpp"

#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOCK_CPU_CALL_THREADED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MOCK_CPU_CALL_THREADED 1
#endif
#endif
#ifndef MOCK_CPU_CALL_THREADED
#define MOCK_CPU_CALL_THREADED 0
#endif

#if defined(__clang__) && !MOCK_CPU_CALL_THREADED
#define MOCK_CPU_MUSTTAIL [[clang::musttail]]
#else
#define MOCK_CPU_MUSTTAIL
#endif

// Continue with another handler on the same op.
#define MOCK_CPU_TAIL(function) MOCK_CPU_MUSTTAIL return function(core, op, budget)

// Continue with `next_` (a const Op*).
#if MOCK_CPU_CALL_THREADED
#define MOCK_CPU_GO(next_, budget_) \
  do {                              \
    core->next_op = (next_);        \
    core->budget_left = (budget_);  \
    return;                         \
  } while (0)
#else
#define MOCK_CPU_GO(next_, budget_) MOCK_CPU_MUSTTAIL return (next_)->handler(core, (next_), (budget_))
#endif

#define MOCK_CPU_NEXT() MOCK_CPU_GO(op + 1, budget)

namespace mock::cpu {

// Slow continuations; all of them are handlers.
void leave_fault(Core* core, const Op* op, s64 budget);    // core.fault is recorded; the instruction has not happened
void leave_retired(Core* core, const Op* op, s64 budget);  // the instruction has happened; core.after says what to do
void transition(Core* core, const Op* op,
                s64 budget);  // continue at state.rip; notes the block in *core.link if not null

inline Links* links_of(const Op* op) { return reinterpret_cast<Links*>(const_cast<Op*>(op + 1)); }

// True if `block` may be entered now without any check but the budget.
inline bool may_enter(const Core* core, const Block* block) {
  return block->epoch == core->epoch && core->s.attention.load(std::memory_order_relaxed) == 0;
}

// Continue in a linked block. `slot` and `rip` are members of Links.
#define MOCK_CPU_FOLLOW(slot, rip_)             \
  do {                                          \
    Block* const block_ = links_of(op)->slot;   \
    if (may_enter(core, block_)) [[likely]] {   \
      const s64 left_ = budget - block_->count; \
      if (left_ >= 0) [[likely]]                \
        MOCK_CPU_GO(block_->first(), left_);    \
    }                                           \
    core->s.rip = links_of(op)->rip_;           \
    core->link = &links_of(op)->slot;           \
    MOCK_CPU_TAIL(transition);                  \
  } while (0)

inline JumpEntry& jump_entry(const Core* core, u64 rip) {
  return *reinterpret_cast<JumpEntry*>(reinterpret_cast<u8*>(core->jumps) +
                                       (((rip ^ (rip >> 10)) << 4) & core->jump_byte_mask));
}

// Continue at a computed RIP (already checked against limit or canonical form).
#define MOCK_CPU_JUMP(rip_)                                                  \
  do {                                                                       \
    const u64 target_ = (rip_);                                              \
    const JumpEntry& entry_ = jump_entry(core, target_);                     \
    if (entry_.rip == target_ && may_enter(core, entry_.block)) [[likely]] { \
      const s64 left_ = budget - entry_.block->count;                        \
      if (left_ >= 0) [[likely]]                                             \
        MOCK_CPU_GO(entry_.block->first(), left_);                           \
    }                                                                        \
    core->s.rip = target_;                                                   \
    core->link = nullptr;                                                    \
    MOCK_CPU_TAIL(transition);                                               \
  } while (0)

template <bool (*f)(Core&, const Op&)>
void call(Core* core, const Op* op, s64 budget) {
  note_access(core, op);
  if (op->ends_block()) {
    const bool is_step = core->step;  // the trap that is due comes before the next instruction, also if f ends stepping
    core->s.rip = core->next_rip_of(*op);
    if (!f(*core, *op)) [[unlikely]]
      MOCK_CPU_TAIL(leave_fault);
    if (op->serialises() && core->other_cpus) core->forget_verification();
    if (core->after || is_step) [[unlikely]]
      MOCK_CPU_TAIL(leave_retired);
    MOCK_CPU_JUMP(core->s.rip);
  }
  if (!f(*core, *op)) [[unlikely]]
    MOCK_CPU_TAIL(leave_fault);
  if (core->after) [[unlikely]]
    MOCK_CPU_TAIL(leave_retired);
  MOCK_CPU_NEXT();
}

}  // namespace mock::cpu
