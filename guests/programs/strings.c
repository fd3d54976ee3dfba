// Text: searching, reversing, UTF-8, base 64, numbers to and from text, memory moved over itself, a small matcher.
#include "guests/programs/runtime.h"

enum { kBytes = 1500 };

static char text[kBytes + 1], work[kBytes * 2];

static void write_text(u32 seed) {
  for (int i = 0; i < kBytes; ++i) text[i] = "abcab, "[next_random(&seed) % 7];
  text[kBytes] = 0;
}

static int occurrences(const char* word) {
  const size_t length = strlen(word);
  int count = 0;
  for (size_t i = 0; i + length <= kBytes; ++i) count += memcmp(text + i, word, length) == 0;
  return count;
}

// '?' matches one character, '*' any number of them.
static int is_match(const char* pattern, const char* word) {
  for (; *pattern; ++pattern, ++word) {
    if (*pattern == '*') {
      for (;; ++word) {
        if (is_match(pattern + 1, word)) return 1;
        if (!*word) return 0;
      }
    }
    if (!*word || (*pattern != '?' && *pattern != *word)) return 0;
  }
  return !*word;
}

static u32 encode_utf8(u32 point, u8* to) {
  if (point < 0x80) {
    to[0] = (u8)point;
    return 1;
  }
  const u32 length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  for (u32 i = length - 1; i > 0; --i, point >>= 6) to[i] = (u8)(0x80 | (point & 0x3f));
  to[0] = (u8)(0xf00 >> length | point);
  return length;
}

static u64 utf8(u32 seed) {
  u64 sum = 0;
  for (int i = 0; i < 300; ++i) {
    u8 bytes[4] = {0};
    const u32 point = (next_random(&seed) & 0x1fffff) >> (i % 21);
    const u32 length = encode_utf8(point, bytes);
    u32 back = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (u32 k = 1; k < length; ++k) back = back << 6 | (bytes[k] & 0x3f);
    if (back != point) put_text("utf8 differs\n");
    for (u32 k = 0; k < 4; ++k) sum = mix(sum, bytes[k]);
  }
  return sum;
}

static void put_base64(const u8* data, int size) {
  static const char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < size; i += 3) {
    const int left = size - i;
    const u32 group = (u32)data[i] << 16 | (left > 1 ? (u32)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0u);
    for (int k = 0; k < 4; ++k) put_char(k <= left ? kDigits[group >> (18 - 6 * k) & 63] : '=');
  }
  put_char('\n');
}

static u64 moves(u32 seed) {
  for (int i = 0; i < kBytes; ++i) work[i] = (char)i;
  for (int i = 0; i < 60; ++i) {
    const u32 from = next_random(&seed) % kBytes, to = next_random(&seed) % kBytes, size = next_random(&seed) % 300;
    memmove(work + to, work + from, size);
    memset(work + from / 2, i, size / 7);
  }
  u64 sum = 0;
  for (int i = 0; i < kBytes; ++i) sum = mix(sum, (u8)work[i]);
  return sum;
}

static i64 parse(const char* digits) {
  const int is_negative = *digits == '-';
  i64 value = 0;
  for (digits += is_negative; *digits >= '0' && *digits <= '9'; ++digits) value = value * 10 + (*digits - '0');
  return is_negative ? -value : value;
}

static void upper_and_reverse(void) {
  for (int i = 0; i < kBytes; ++i) work[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
  for (int i = 0, k = kBytes - 1; i < k; ++i, --k) {
    const char swapped = work[i];
    work[i] = work[k];
    work[k] = swapped;
  }
}

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    write_text(round + 31);
    put_number((u64)occurrences("abc"));
    put_char(' ');
    put_number((u64)occurrences("b, a"));
    put_char(' ');
    put_number((u64)is_match("*c?, ab*b*aa?*", text) + 2u * (u64)is_match("a*x", text));
    put_char(' ');
    put_signed(parse("-1234567890123") + parse("77") + (i64)round);
    put_char('\n');
    upper_and_reverse();
    put_base64((const u8*)work, 40 + (int)(round % 3));
    put_result("utf8", utf8(round + 1));
    put_result("moves", moves(round + 1));
  }
}
