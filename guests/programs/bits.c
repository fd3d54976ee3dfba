// Bit tricks: counting, scanning, reversing, rotating, bit fields, divisions by constants, the patterns that compilers
// turn into single instructions where there are such.
#include "guests/programs/runtime.h"

static u32 reverse32(u32 x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}

static int count_bits(u64 x) {
  int count = 0;
  for (; x != 0; x &= x - 1) ++count;
  return count;
}

static int highest(u64 x) {
  int bit = -1;
  if (x >> 32) bit += 32, x >>= 32;
  return x ? bit + 32 - __builtin_clz((u32)x) : bit;
}

static int lowest(u64 x) { return (u32)x ? __builtin_ctz((u32)x) : 32 + __builtin_ctz((u32)(x >> 32) | 1u << 31); }

struct Fields {
  u32 a : 3, b : 7, c : 13;
  i32 d : 5;
  u64 e : 41;
};

static u64 fields(u64 x) {
  struct Fields f = {.a = (u32)x & 7, .b = (u32)(x >> 3) & 127, .c = (u32)(x >> 11) & 0x1fff, .e = x >> 23};
  f.d = (i32)(x >> 7) % 16;
  f.b += f.a;
  f.c ^= f.b;
  f.e -= f.c;
  return mix(mix(f.a + f.b * 8u + f.c, (u64)(i64)f.d), f.e);
}

static u64 divisions(u64 x, u32 y) {
  const i32 s = (i32)y;
  u64 sum = x / 10 + x % 1000 + x / 7 + (u64)((i64)x / 3) + (u64)((i64)x % 100);
  sum = mix(sum, y / 3 + y % 7 + y / 641 + (u32)(s / 5) + (u32)(s % 9) + (u32)(s / 16) + (u32)(s % 32));
  sum = mix(sum, (u16)y / 11u + (u8)y / 13u + (u32)((i16)y / 17) + (u32)((i8)y % 19));
  return mix(sum, x / (y | 1) + (u64)((i64)x % (s | 1)) + (u16)x / ((u8)y | 1u));
}

static u64 shifts(u64 x, u32 y) {
  const int n = (int)(y & 63), m = (int)(y & 31);
  u64 sum = (x << n) ^ (x >> n) ^ (u64)((i64)x >> n) ^ (x << n | x >> (-n & 63));
  sum = mix(sum, (u32)(y << m) ^ (y >> m) ^ (u32)((i32)y >> m) ^ (y >> m | y << (-m & 31)));
  sum = mix(sum, (u16)((u16)x << (m & 15) | (u16)x >> (-m & 15)));
  return mix(sum, (x & ~(1ull << n)) + (x | 1ull << n) + (x ^ 1ull << n) + (x >> n & 1));
}

static u64 comparisons(u64 x, u32 y) {
  const i64 s = (i64)x;
  const i32 t = (i32)y;
  u32 set = 0;
  set |= (u32)(s < t) | (u32)(s > t) << 1 | (u32)(x < y) << 2 | (u32)((i32)x <= t) << 3 | (u32)((u16)x > (u16)y) << 4;
  set |= (u32)((i8)x < (i8)y) << 5 | (u32)((u8)x >= (u8)y) << 6 | (u32)(s == t) << 7;
  i32 sum;
  set |= (u32)__builtin_add_overflow((i32)x, t, &sum) << 8 | (u32)__builtin_sub_overflow((i32)x, t, &sum) << 9;
  set |= (u32)__builtin_mul_overflow((i32)(x >> 16), t, &sum) << 10;
  u64 wide;
  set |= (u32)__builtin_add_overflow(x, (u64)y << 32, &wide) << 11 | (u32)__builtin_sub_overflow(x, (u64)y, &wide)
                                                                         << 12;
  const i32 least = t < (i32)x ? t : (i32)x;
  return mix(mix(set, wide), (u64)(u32)least + (u64)(s < 0 ? -s : s));
}

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    u32 seed = round + 77;
    u64 sums[6] = {0};
    for (int i = 0; i < 1200; ++i) {
      const u32 y = next_random(&seed) >> (i % 29);
      const u64 x = ((u64)next_random(&seed) << 32 | next_random(&seed)) >> (i % 61);
      sums[0] = mix(sums[0], (u64)count_bits(x) << 16 | (u64)__builtin_popcount(y) << 8 | (u64)__builtin_parity(y));
      sums[1] = mix(sums[1], (u64)(u32)highest(x) << 8 | (u64)lowest(x | 1ull << 63));
      sums[2] = mix(sums[2], ((u64)reverse32(y) << 32 | __builtin_bswap16((u16)x)) ^ __builtin_bswap64(x));
      sums[3] = mix(sums[3], fields(x));
      sums[4] = mix(sums[4], divisions(x, y));
      sums[5] = mix(mix(sums[5], shifts(x, y)), comparisons(x, y));
    }
    static const char* const kNames[] = {"count", "scan", "reverse", "fields", "divide", "shift"};
    for (int i = 0; i < 6; ++i) put_result(kNames[i], sums[i]);
  }
}
