// Doubles as text: the edges of the format, then random ones of every magnitude; conversions to and from integers.
#include "guests/programs/runtime.h"

static double from_bits(u64 bits) {
  const union {
    u64 bits;
    double value;
  } pun = {bits};
  return pun.value;
}

static void put_all_ways(double value) {
  static const int kPrecisions[] = {0, 17, 6, 1};
  for (int i = 0; i < 4; ++i) {
    put_double(value, kPrecisions[i]);
    put_char(i < 3 ? ' ' : '\n');
  }
}

static void put_edges(void) {
  static const u64 kEdges[] = {
      0x0000000000000000, 0x8000000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
      0x0000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x3ff0000000000001,
      0x4340000000000000, 0x44b52d02c7e14af6, 0x3fb999999999999a,
  };
  for (unsigned i = 0; i < sizeof kEdges / sizeof *kEdges; ++i) put_all_ways(from_bits(kEdges[i]));
}

static void put_conversions(u32 seed) {
  u64 sum = 0;
  for (int i = 0; i < 300; ++i) {
    const i64 wide = (i64)((u64)next_random(&seed) << 32 | next_random(&seed)) >> (i % 60);
    const double value = (double)wide;
    const float narrow = (float)value;
    const i64 back = (i64)(value * 0.5);
    sum = mix(mix(mix(sum, (u64)back), (u64)(i32)(narrow / 4294967296.0f)), (u64)(value > narrow));
    sum = mix(sum, (u64)(u32)(from_bits(0x41e0000000000000ull + (u64)seed) - 1));
  }
  put_result("conversions", sum);
}

void program(unsigned rounds) {
  put_edges();
  for (unsigned round = 0; round < rounds; ++round) {
    u32 seed = round + 1;
    for (int i = 0; i < 6; ++i) {
      const u64 bits = (u64)next_random(&seed) << 32 | next_random(&seed);
      put_all_ways(from_bits(bits >> 1));
      put_all_ways((double)(i32)bits / 1024);
    }
    put_conversions(seed);
  }
}
