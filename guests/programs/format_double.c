// See format_double.h. A double is an integer times a power of two, so its decimal expansion ends: it is computed in
// full, in words of nine digits, and rounded as text, half to even. The shortest text is found by comparing expansions
// with those of the points half way to both neighbours.
#include "guests/programs/format_double.h"

typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

enum {
  kBase = 1000000000,
  kIntegerWords = 36,    // 10^309 is above every double
  kFractionWords = 121,  // 2^-1075 has 1075 digits behind the point
  kWords = kIntegerWords + kFractionWords,
  kDigits = kWords * 9,
};

// 0.d0d1d2... times 10^exponent; d0 is not 0; digits behind `count` are 0.
struct Decimal {
  int exponent, count;
  char digit[kDigits];
};

// words = words * 2^shift, shift up to 29.
static void scale_up(u32* words, int shift) {
  u64 carry = 0;
  for (int i = kIntegerWords - 1; i >= 0; --i) {
    const u64 value = ((u64)words[i] << shift) + carry;
    carry = value / kBase;
    words[i] = (u32)(value % kBase);
  }
}

// words = words / 2^shift, shift up to 9; exact, since 2^9 divides 10^9.
static void scale_down(u32* words, int shift) {
  u32 carry = 0;
  for (int i = 0; i < kWords; ++i) {
    const u32 value = words[i];
    words[i] = (value >> shift) + carry;
    carry = (value & ((1u << shift) - 1)) * ((u32)kBase >> shift);
  }
}

// mantissa * 2^power, mantissa not 0.
static void expand(struct Decimal* decimal, u64 mantissa, int power) {
  static u32 words[kWords];
  for (int i = 0; i < kWords; ++i) words[i] = 0;
  words[kIntegerWords - 1] = (u32)(mantissa % kBase);
  words[kIntegerWords - 2] = (u32)(mantissa / kBase % kBase);
  words[kIntegerWords - 3] = (u32)(mantissa / kBase / kBase);
  for (; power > 0; power -= power < 29 ? power : 29) scale_up(words, power < 29 ? power : 29);
  for (; power<0; power += power> - 9 ? -power : 9) scale_down(words, power > -9 ? -power : 9);
  int first = 0;
  while (words[first] == 0) ++first;
  decimal->exponent = (kIntegerWords - first) * 9;
  decimal->count = 0;
  for (int i = first; i < kWords; ++i) {
    u32 word = words[i];
    for (int k = 8; k >= 0; --k, word /= 10) decimal->digit[decimal->count + k] = (char)(word % 10);
    decimal->count += 9;
  }
  int zeros = 0;
  while (decimal->digit[zeros] == 0) ++zeros;
  decimal->exponent -= zeros;
  decimal->count -= zeros;
  for (int i = 0; i < decimal->count; ++i) decimal->digit[i] = decimal->digit[i + zeros];
  while (decimal->digit[decimal->count - 1] == 0) --decimal->count;
}

// To at most `count` digits, half to even.
static void round_to(struct Decimal* to, const struct Decimal* from, int count) {
  to->exponent = from->exponent;
  to->count = from->count < count ? from->count : count;
  for (int i = 0; i < to->count; ++i) to->digit[i] = from->digit[i];
  if (from->count <= count) return;
  const int is_tie = from->digit[count] == 5 && from->count == count + 1;
  const int is_up = is_tie ? from->digit[count - 1] % 2 : from->digit[count] >= 5;
  int at = count - 1;
  if (is_up) {
    while (at >= 0 && to->digit[at] == 9) to->digit[at--] = 0;
    if (at < 0) {
      to->digit[0] = 1;
      ++to->exponent;
    } else {
      ++to->digit[at];
    }
  }
  while (to->digit[to->count - 1] == 0) --to->count;
}

static int compare(const struct Decimal* a, const struct Decimal* b) {
  if (a->exponent != b->exponent) return a->exponent < b->exponent ? -1 : 1;
  for (int i = 0; i < a->count || i < b->count; ++i) {
    const int x = i < a->count ? a->digit[i] : 0, y = i < b->count ? b->digit[i] : 0;
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

// The fewest digits between the half-way points; those count as this value's own if its mantissa is even.
static void shorten(struct Decimal* result, const struct Decimal* exact, u64 mantissa, int power) {
  static struct Decimal low, high;
  const int is_power_of_two = mantissa == 1ull << 52 && power > -1074;
  expand(&low, is_power_of_two ? mantissa * 4 - 1 : mantissa * 2 - 1, is_power_of_two ? power - 2 : power - 1);
  expand(&high, mantissa * 2 + 1, power - 1);
  const int slack = mantissa % 2 == 0;
  for (int count = 1;; ++count) {
    round_to(result, exact, count);
    if (count == 17 || (compare(&low, result) < slack && compare(result, &high) < slack)) return;
  }
}

static char* write_exponent(char* text, int exponent) {
  *text++ = 'e';
  *text++ = exponent < 0 ? '-' : '+';
  if (exponent < 0) exponent = -exponent;
  if (exponent >= 100) *text++ = (char)('0' + exponent / 100);
  *text++ = (char)('0' + exponent / 10 % 10);
  *text++ = (char)('0' + exponent % 10);
  return text;
}

static char* write_decimal(char* text, const struct Decimal* decimal, int precision) {
  const int exponent = decimal->exponent - 1;
  const int is_scientific = exponent < -4 || exponent >= precision;
  const int point = is_scientific ? 1 : decimal->exponent;  // digits before the point
  if (point <= 0) {
    *text++ = '0';
    *text++ = '.';
    for (int i = point; i < 0; ++i) *text++ = '0';
  }
  for (int i = 0; i < decimal->count || i < point; ++i) {
    if (i == point && i > 0) *text++ = '.';
    *text++ = i < decimal->count ? (char)('0' + decimal->digit[i]) : '0';
  }
  return is_scientific ? write_exponent(text, exponent) : text;
}

static char* write_word(char* text, const char* word) {
  while (*word) *text++ = *word++;
  return text;
}

void format_double(char* text, double value, int precision) {
  static struct Decimal exact, rounded;
  const union {
    double value;
    u64 bits;
  } pun = {value};
  const u64 fraction = pun.bits & ((1ull << 52) - 1);
  const int biased = (int)(pun.bits >> 52 & 0x7ff);
  if (pun.bits >> 63) *text++ = '-';
  if (biased == 0x7ff) {
    text = write_word(text, fraction ? "nan" : "inf");
  } else if (biased == 0 && fraction == 0) {
    *text++ = '0';
  } else {
    const u64 mantissa = biased ? fraction | 1ull << 52 : fraction;
    const int power = (biased ? biased : 1) - 1075;
    expand(&exact, mantissa, power);
    if (precision > 0) {
      round_to(&rounded, &exact, precision);
    } else {
      shorten(&rounded, &exact, mantissa, power);
    }
    text = write_decimal(text, &rounded, precision > 0 ? precision : 17);
  }
  *text = 0;
}
