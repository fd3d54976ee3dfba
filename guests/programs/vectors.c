// Loops over arrays of every element width that compilers vectorise: saturation, averages, minima, sums of products and
// of differences, widening, narrowing, blends, shuffles, conversions, strided access.
#include "guests/programs/runtime.h"

enum { kCount = 200 };

static u8 a8[kCount], b8[kCount], c8[kCount * 2];
static i16 a16[kCount], b16[kCount], c16[kCount];
static u32 a32[kCount], b32[kCount], c32[kCount];
static u64 a64[kCount], c64[kCount];
static float af[kCount], bf[kCount], cf[kCount];
static double ad[kCount], cd[kCount];

static u64 sum_bytes(const void* data, size_t bytes) {
  const u8* p = data;
  u64 sum = 0;
  for (size_t i = 0; i < bytes; ++i) sum = mix(sum, p[i]);
  return sum;
}

static void fill(u32 seed) {
  for (int i = 0; i < kCount; ++i) {
    a8[i] = (u8)next_random(&seed);
    b8[i] = (u8)(next_random(&seed) >> 9);
    a16[i] = (i16)next_random(&seed);
    b16[i] = (i16)(next_random(&seed) >> 5);
    a32[i] = next_random(&seed);
    b32[i] = next_random(&seed) >> (i % 32);
    a64[i] = (u64)a32[i] << 29 ^ b32[i];
    af[i] = (float)((i32)a32[i] >> 4) / 4096.0f;
    bf[i] = (float)(i16)b32[i] + 0.25f;
    ad[i] = (double)(i32)a32[i] / 65536.0;
  }
}

static void bytes(void) {
  for (int i = 0; i < kCount; ++i) {
    const int sum = a8[i] + b8[i], difference = a8[i] - b8[i];
    c8[i] = (u8)(sum > 255 ? 255 : sum);
    c8[i + kCount] = (u8)(difference < 0 ? 0 : difference);
  }
  put_result("saturated", sum_bytes(c8, sizeof c8));
  for (int i = 0; i < kCount; ++i) c8[i] = (u8)((a8[i] + b8[i] + 1) >> 1);
  for (int i = 0; i < kCount; ++i) c8[i + kCount] = a8[i] > b8[i] ? a8[i] : b8[i];
  put_result("averages", sum_bytes(c8, sizeof c8));
  u32 differences = 0, total = 0;
  for (int i = 0; i < kCount; ++i) differences += (u32)(a8[i] > b8[i] ? a8[i] - b8[i] : b8[i] - a8[i]);
  for (int i = 0; i < kCount; ++i) total += (u32)(a8[i] * b8[i]);
  put_result("differences", (u64)differences << 32 | total);
  for (int i = 0; i < kCount; ++i) c8[2 * i] = a8[i], c8[2 * i + 1] = b8[kCount - 1 - i];
  put_result("interleaved", sum_bytes(c8, sizeof c8));
}

static void words(void) {
  i32 dot = 0;
  for (int i = 0; i < kCount; ++i) dot += a16[i] * b16[i] >> 3;
  for (int i = 0; i < kCount; ++i) c16[i] = (i16)((a16[i] * b16[i]) >> 16);
  put_result("products", sum_bytes(c16, sizeof c16) ^ (u32)dot);
  for (int i = 0; i < kCount; ++i) {
    const i32 sum = a16[i] + b16[i];
    c16[i] = (i16)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
  }
  put_result("clamped", sum_bytes(c16, sizeof c16));
  for (int i = 0; i < kCount; ++i) c16[i] = (i16)(a16[i] < b16[i] ? a16[i] << 2 : b16[i] >> 3);
  put_result("blended", sum_bytes(c16, sizeof c16));
  for (int i = 0; i < kCount; ++i) c16[i] = (i16)(a16[i] < 0 ? -a16[i] : a16[i]);
  for (int i = 0; i < kCount; ++i) c8[i] = (u8)(c16[i] >> 4);
  put_result("narrowed", sum_bytes(c8, kCount) ^ sum_bytes(c16, sizeof c16));
}

static void longs(void) {
  for (int i = 0; i < kCount; ++i) c32[i] = a32[i] * b32[i] + (a32[i] << (b32[i] & 31)) - (a32[i] >> (i & 31));
  put_result("mixed", sum_bytes(c32, sizeof c32));
  i32 least = 0x7fffffff;
  u32 most = 0;
  for (int i = 0; i < kCount; ++i) least = (i32)a32[i] < least ? (i32)a32[i] : least;
  for (int i = 0; i < kCount; ++i) most = b32[i] > most ? b32[i] : most;
  put_result("extremes", (u64)(u32)least << 32 | most);
  for (int i = 0; i < kCount; ++i) c64[i] = (u64)a32[i] * b32[i] + a64[i];
  put_result("widened", sum_bytes(c64, sizeof c64));
  for (int i = 0; i < kCount; ++i) c64[i] = (i64)a64[i] > (i64)c64[i] ? a64[i] << 3 : c64[i] >> 7 | 1;
  put_result("compared", sum_bytes(c64, sizeof c64));
  for (int i = 0; i < kCount; ++i) c32[i] = a32[(b32[i] ^ (u32)i) % kCount] ^ (u32)(i8)a8[i] ^ (u16)b16[i];
  put_result("gathered", sum_bytes(c32, sizeof c32));
  for (int i = 0; i < kCount / 4; ++i) c32[i] = a32[4 * i] + a32[4 * i + 1] * 3 + (a32[4 * i + 2] ^ a32[4 * i + 3]);
  put_result("strided", sum_bytes(c32, kCount));
}

static void reals(void) {
  for (int i = 0; i < kCount; ++i) cf[i] = af[i] * bf[i] + (af[i] > bf[i] ? af[i] : bf[i]) / (bf[i] * bf[i] + 1);
  put_result("floats", sum_bytes(cf, sizeof cf));
  for (int i = 0; i < kCount; ++i) c32[i] = (u32)(i32)(af[i] * 0.37f) ^ (u32)(i32)bf[i];
  put_result("truncated", sum_bytes(c32, sizeof c32));
  for (int i = 0; i < kCount; ++i) cd[i] = ad[i] * af[i] - (double)(i32)b32[i];
  put_result("doubles", sum_bytes(cd, sizeof cd));
  for (int i = 0; i < kCount; ++i) cd[i] = square_root(ad[i] < 0 ? -ad[i] : ad[i]);
  for (int i = 0; i < kCount; ++i) cf[i] = (float)(cd[i] / 3) + (float)a16[i];
  put_result("roots", sum_bytes(cd, sizeof cd) ^ sum_bytes(cf, sizeof cf));
}

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    fill(round + 21);
    bytes();
    words();
    longs();
    reals();
  }
}
