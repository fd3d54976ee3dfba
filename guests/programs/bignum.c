// Big numbers: digits of pi, a factorial, modular powers by doubling, products and quotients of 64-bit numbers.
#include "guests/programs/runtime.h"

enum { kLimbs = 40 };

// Little-endian.
struct Number {
  u32 limb[kLimbs];
};

static u32 multiply_small(struct Number* n, u32 by, u32 carry) {
  for (int i = 0; i < kLimbs; ++i) {
    const u64 product = (u64)n->limb[i] * by + carry;
    n->limb[i] = (u32)product;
    carry = (u32)(product >> 32);
  }
  return carry;
}

static u32 divide_small(struct Number* n, u32 by) {
  u64 rest = 0;
  for (int i = kLimbs - 1; i >= 0; --i) {
    rest = rest << 32 | n->limb[i];
    n->limb[i] = (u32)(rest / by);
    rest %= by;
  }
  return (u32)rest;
}

static void add(struct Number* to, const struct Number* n) {
  u64 carry = 0;
  for (int i = 0; i < kLimbs; ++i) {
    carry += (u64)to->limb[i] + n->limb[i];
    to->limb[i] = (u32)carry;
    carry >>= 32;
  }
}

static void subtract(struct Number* from, const struct Number* n) {
  i64 carry = 0;
  for (int i = 0; i < kLimbs; ++i) {
    carry += (i64)from->limb[i] - n->limb[i];
    from->limb[i] = (u32)carry;
    carry >>= 32;
  }
}

static int is_less(const struct Number* a, const struct Number* b) {
  for (int i = kLimbs - 1; i >= 0; --i) {
    if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i];
  }
  return 0;
}

static int is_zero(const struct Number* n) {
  u32 any = 0;
  for (int i = 0; i < kLimbs; ++i) any |= n->limb[i];
  return any == 0;
}

// a * b modulo m by doubling, all below m, m below half the range.
static struct Number multiply_modulo(struct Number a, const struct Number* b, const struct Number* m, int bits) {
  struct Number result = {{0}};
  for (int i = bits - 1; i >= 0; --i) {
    add(&result, &result);
    if (!is_less(&result, m)) subtract(&result, m);
    if (b->limb[i / 32] >> i % 32 & 1) {
      add(&result, &a);
      if (!is_less(&result, m)) subtract(&result, m);
    }
  }
  return result;
}

static void put_decimal(struct Number n) {
  char digits[kLimbs * 10];
  int count = 0;
  do {
    u32 nine = divide_small(&n, 1000000000);
    for (int i = 0; i < 9; ++i, nine /= 10) digits[count++] = (char)('0' + nine % 10);
  } while (!is_zero(&n));
  while (count > 1 && digits[count - 1] == '0') --count;
  while (count > 0) put_char(digits[--count]);
  put_char('\n');
}

// scale / x - scale / 3x^3 + ..., scale a power of ten.
static struct Number arctangent_of_inverse(u32 x, u32 factor, int nines) {
  struct Number sum = {{0}}, power = {{factor}};
  for (int i = 0; i < nines; ++i) multiply_small(&power, 1000000000, 0);
  divide_small(&power, x);
  for (u32 k = 1; !is_zero(&power); k += 2) {
    struct Number term = power;
    divide_small(&term, k);
    if (k % 4 == 1) {
      add(&sum, &term);
    } else {
      subtract(&sum, &term);
    }
    divide_small(&power, x * x);
  }
  return sum;
}

static void put_pi(int nines) {
  struct Number pi = arctangent_of_inverse(5, 16, nines);
  const struct Number rest = arctangent_of_inverse(239, 4, nines);
  subtract(&pi, &rest);
  put_decimal(pi);
}

static void put_factorial(u32 n) {
  struct Number product = {{1}};
  for (u32 i = 2; i <= n; ++i) multiply_small(&product, i, 0);
  put_decimal(product);
}

// Fermat's test of 2^31-1 and 2^31-3.
static void put_power(u32 base, u32 below) {
  const struct Number m = {{0x80000000u - below}};
  struct Number result = {{1}}, square = {{base}};
  for (int i = 0; i < 31; ++i) {
    if ((m.limb[0] - 1) >> i & 1) result = multiply_modulo(result, &square, &m, 31);
    square = multiply_modulo(square, &square, &m, 31);
  }
  put_decimal(result);
}

static void put_wide_products(u32 seed) {
  u64 sum = 0;
  for (int i = 0; i < 400; ++i) {
    const u64 a = (u64)next_random(&seed) << 32 | next_random(&seed), b = (u64)next_random(&seed) << 16 | i;
    const u64 low = (u64)(u32)a * (u32)b, cross1 = (a >> 32) * (u32)b, cross2 = (u64)(u32)a * (b >> 32);
    const u64 middle = (low >> 32) + (u32)cross1 + (u32)cross2;
    u64 high = (a >> 32) * (b >> 32) + (cross1 >> 32) + (cross2 >> 32) + (middle >> 32);
#ifdef __SIZEOF_INT128__
    high = (u64)((unsigned __int128)a * b >> 64);
    sum = mix(sum, (u64)(((__int128)(i64)a * (i64)b) >> 64) + (a >> 63) * b + (b >> 63) * a - high);
#else
    sum = mix(sum, 0);
#endif
    sum = mix(mix(sum, high), a * b);
    sum = mix(sum, a / (b | 1) + a % (b | 1) + (u64)((i64)a / (i64)(b >> 20 | 1)) + (u64)((i64)a % ((i32)b | 1)));
  }
  put_result("wide", sum);
}

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    put_pi(10 + (int)round * 4);
    put_factorial(60 + round * 20);
    put_power(3 + round, 1);
    put_power(3 + round, 3);
    put_wide_products(round + 1);
  }
}
