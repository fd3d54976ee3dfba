// Output, and the functions that the compiler calls without being asked to. See runtime.h.
#include "guests/programs/runtime.h"

#include "guests/programs/format_double.h"

struct Output program_output;

void put_char(char c) {
  if (program_output.size == kOutputBytes) __builtin_trap();
  program_output.text[program_output.size++] = c;
}

void put_text(const char* text) {
  while (*text) put_char(*text++);
}

void put_number(u64 value) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) put_char(digits[--count]);
}

void put_signed(i64 value) {
  if (value < 0) put_char('-');
  put_number(value < 0 ? 0 - (u64)value : (u64)value);
}

void put_hex(u64 value, int digits) {
  while (digits-- > 0) put_char("0123456789abcdef"[value >> (4 * digits) & 15]);
}

void put_double(double value, int precision) {
  char text[kDoubleChars];
  format_double(text, value, precision);
  put_text(text);
}

void put_result(const char* name, u64 value) {
  put_text(name);
  put_char('=');
  put_hex(value, 16);
  put_char('\n');
}

// The compiler must not turn these loops into calls of themselves: -fno-tree-loop-distribute-patterns, -fno-builtin.
void* memcpy(void* to, const void* from, size_t bytes) {
  u8* t = to;
  const u8* f = from;
  for (size_t i = 0; i < bytes; ++i) t[i] = f[i];
  return to;
}

void* memmove(void* to, const void* from, size_t bytes) {
  u8* t = to;
  const u8* f = from;
  if (t <= f) return memcpy(to, from, bytes);
  for (size_t i = bytes; i > 0; --i) t[i - 1] = f[i - 1];
  return to;
}

void* memset(void* to, int value, size_t bytes) {
  u8* t = to;
  for (size_t i = 0; i < bytes; ++i) t[i] = (u8)value;
  return to;
}

int memcmp(const void* a, const void* b, size_t bytes) {
  const u8 *x = a, *y = b;
  for (size_t i = 0; i < bytes; ++i) {
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char* text) {
  size_t length = 0;
  while (text[length]) ++length;
  return length;
}

int __popcountdi2(u64 value) {
  int count = 0;
  for (; value != 0; value &= value - 1) ++count;
  return count;
}

int __popcountsi2(u32 value) { return __popcountdi2(value); }

#ifndef __x86_64__

// Division of 64-bit numbers, under the names that the compiler calls. DIV takes 64 bits by 32 and faults if the
// quotient needs more than 32, hence two steps; a divisor above 32 bits is scaled down and the estimate corrected.
static u32 div32(u32 high, u32 low, u32 divisor, u32* remainder) {
  u32 quotient;
  __asm__("divl %4" : "=a"(quotient), "=d"(*remainder) : "0"(low), "1"(high), "rm"(divisor) : "cc");
  return quotient;
}

u64 __udivmoddi4(u64 value, u64 divisor, u64* remainder) {
  const u32 high = (u32)(value >> 32), low = (u32)value;
  u64 quotient = 0;
  if (divisor >> 32 == 0) {
    const u32 d = (u32)divisor;
    u32 rest;
    const u32 q = div32(0, high, d, &rest);
    quotient = (u64)q << 32 | div32(rest, low, d, &rest);
    if (remainder) *remainder = rest;
    return quotient;
  }
  if (value >= divisor) {
    const int shift = 32 - __builtin_clz((u32)(divisor >> 32));
    u32 rest;
    const u64 half = value >> 1;
    u32 estimate = div32((u32)(half >> 32), (u32)half, (u32)(divisor >> shift), &rest) >> (shift - 1);
    if (estimate != 0) --estimate;
    quotient = estimate;
    if (value - quotient * divisor >= divisor) ++quotient;
  }
  if (remainder) *remainder = value - quotient * divisor;
  return quotient;
}

u64 __udivdi3(u64 value, u64 divisor) { return __udivmoddi4(value, divisor, 0); }

u64 __umoddi3(u64 value, u64 divisor) {
  u64 remainder;
  __udivmoddi4(value, divisor, &remainder);
  return remainder;
}

static u64 magnitude(i64 value) { return value < 0 ? 0 - (u64)value : (u64)value; }

i64 __divmoddi4(i64 value, i64 divisor, i64* remainder) {
  u64 rest;
  const u64 quotient = __udivmoddi4(magnitude(value), magnitude(divisor), &rest);
  *remainder = (i64)(value < 0 ? 0 - rest : rest);
  return (i64)((value < 0) != (divisor < 0) ? 0 - quotient : quotient);
}

i64 __divdi3(i64 value, i64 divisor) {
  i64 remainder;
  return __divmoddi4(value, divisor, &remainder);
}

i64 __moddi3(i64 value, i64 divisor) {
  i64 remainder;
  __divmoddi4(value, divisor, &remainder);
  return remainder;
}

#endif
