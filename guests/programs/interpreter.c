// A bytecode machine with a jump table: sieve, greatest common divisor and Collatz lengths as its programs; and
// recursion.
#include "guests/programs/runtime.h"

enum Op {
  kPush,
  kLoad,
  kStore,
  kPeek,
  kPoke,
  kAdd,
  kSub,
  kMul,
  kMod,
  kLess,
  kEqual,
  kJump,
  kBranch,
  kOdd,
  kHalf,
  kStop
};

struct Instruction {
  u8 op;
  i32 value;
};

static i32 execute(const struct Instruction* code, i32 input) {
  static i32 heap[1024];
  i32 stack[16], local[8] = {input};
  i32* top = stack;
  memset(heap, 0, sizeof heap);
  for (const struct Instruction* at = code;; ++at) {
    switch ((enum Op)at->op) {
      case kPush:
        *top++ = at->value;
        break;
      case kLoad:
        *top++ = local[at->value];
        break;
      case kStore:
        local[at->value] = *--top;
        break;
      case kPeek:
        top[-1] = heap[top[-1] & 1023];
        break;
      case kPoke:
        top -= 2;
        heap[top[0] & 1023] = top[1];
        break;
      case kAdd:
        --top;
        top[-1] += top[0];
        break;
      case kSub:
        --top;
        top[-1] -= top[0];
        break;
      case kMul:
        --top;
        top[-1] = (i32)((u32)top[-1] * (u32)top[0]);
        break;
      case kMod:
        --top;
        top[-1] %= top[0];
        break;
      case kLess:
        --top;
        top[-1] = top[-1] < top[0];
        break;
      case kEqual:
        --top;
        top[-1] = top[-1] == top[0];
        break;
      case kJump:
        at = code + at->value - 1;
        break;
      case kBranch:
        if (*--top) at = code + at->value - 1;
        break;
      case kOdd:
        top[-1] &= 1;
        break;
      case kHalf:
        top[-1] = (i32)((u32)top[-1] / 2);
        break;
      case kStop:
        return local[at->value];
    }
  }
}

// Numbers below `input` (local 0) that are prime. Locals: 1 count, 2 candidate, 3 multiple.
static const struct Instruction kSieve[] = {
    {kPush, 2},    {kStore, 2},  {kLoad, 2},  {kPeek, 0}, {kBranch, 18}, {kLoad, 1},  {kPush, 1}, {kAdd, 0},   // 0
    {kStore, 1},   {kLoad, 2},   {kLoad, 2},  {kMul, 0},  {kStore, 3},   {kLoad, 3},  {kLoad, 0}, {kLess, 0},  // 8
    {kBranch, 27}, {kJump, 18},  {kLoad, 2},  {kPush, 1}, {kAdd, 0},     {kStore, 2}, {kLoad, 2}, {kLoad, 0},  // 16
    {kLess, 0},    {kBranch, 2}, {kStop, 1},  {kLoad, 3}, {kPush, 1},    {kPoke, 0},  {kLoad, 3}, {kLoad, 2},  // 24
    {kAdd, 0},     {kStore, 3},  {kJump, 13},                                                                  // 32
};
// Steps of Collatz' sequence from `input`. Local 1: steps.
static const struct Instruction kCollatz[] = {
    {kLoad, 0}, {kPush, 2}, {kLess, 0},    {kBranch, 19}, {kLoad, 1},  {kPush, 1},  {kAdd, 0},  {kStore, 1},
    {kLoad, 0}, {kOdd, 0},  {kBranch, 14}, {kLoad, 0},    {kHalf, 0},  {kJump, 20}, {kLoad, 0}, {kPush, 3},
    {kMul, 0},  {kPush, 1}, {kJump, 22},   {kStop, 1},    {kStore, 0}, {kJump, 0},  {kAdd, 0},  {kJump, 20},
};
// Greatest common divisor of `input` and 360360.
static const struct Instruction kDivisor[] = {
    {kPush, 360360}, {kStore, 1}, {kLoad, 0}, {kPush, 0},  {kEqual, 0}, {kBranch, 13}, {kLoad, 1},
    {kLoad, 0},      {kMod, 0},   {kLoad, 0}, {kStore, 1}, {kStore, 0}, {kJump, 2},    {kStop, 1},
};

static u32 ackermann(u32 m, u32 n) {
  if (m == 0) return n + 1;
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static int queens(u32 rows, u32 left, u32 right, u32 all) {
  if (rows == all) return 1;
  int count = 0;
  for (u32 free = all & ~(rows | left | right); free != 0; free &= free - 1) {
    const u32 place = free & (0 - free);
    count += queens(rows | place, (left | place) << 1, (right | place) >> 1, all);
  }
  return count;
}

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    const i32 n = (i32)round;
    put_signed(execute(kSieve, 500 + 100 * n));
    put_char(' ');
    for (i32 i = 0; i < 5; ++i) {
      put_signed(execute(kCollatz, 27 + 44 * i + 1000 * n));
      put_char(' ');
      put_signed(execute(kDivisor, 693 * i + 1260 * (n + 1)));
      put_char(' ');
    }
    put_number(ackermann(2, 6 + round));
    put_char(' ');
    put_signed(queens(0, 0, 0, (1u << (6 + round % 2)) - 1));
    put_char('\n');
  }
}
