// A compressor: matches found through hash chains, and an adaptive binary range coder; then back, and compared.
#include "guests/programs/runtime.h"

enum { kBytes = 4000, kPacked = 5000, kChains = 1024, kMinMatch = 3, kMaxMatch = 66, kWindow = 4096, kTries = 24 };

static u8 text[kBytes], packed[kPacked], unpacked[kBytes];

// Bit models: probability of a 0 in 1/4096.
struct Models {
  u16 is_match, literal[256], length[64], distance[4096 / 8];
};
static struct Models models;

static void reset_models(void) {
  u16* p = (u16*)&models;
  for (u32 i = 0; i < sizeof models / sizeof *p; ++i) p[i] = 2048;
}

// One coder for both directions, so that they cannot drift apart.
static struct {
  int is_decoding;
  u32 low, range, code, at, cache, pending;
  int has_cache, has_carry;
} coder;

static void shift_low(void) {
  if (coder.low < 0xff000000u || coder.has_carry) {
    if (coder.has_cache) packed[coder.at++] = (u8)(coder.cache + (u32)coder.has_carry);
    for (; coder.pending > 0; --coder.pending) packed[coder.at++] = (u8)(0xff + coder.has_carry);
    coder.cache = coder.low >> 24;
    coder.has_cache = 1;
    coder.has_carry = 0;
  } else {
    ++coder.pending;
  }
  coder.low <<= 8;
}

static void start_coder(int is_decoding) {
  memset(&coder, 0, sizeof coder);
  coder.is_decoding = is_decoding;
  coder.range = ~0u;
  if (is_decoding) {
    for (int i = 0; i < 4; ++i) coder.code = coder.code << 8 | packed[coder.at++];
  }
}

static int code_bit(u16* model, int bit) {
  const u32 bound = (coder.range >> 12) * *model;
  if (coder.is_decoding) bit = coder.code >= bound;
  if (bit) {
    if (coder.is_decoding) {
      coder.code -= bound;
    } else {
      const u32 low = coder.low + bound;
      if (low < bound) coder.has_carry = 1;
      coder.low = low;
    }
    coder.range -= bound;
    *model = (u16)(*model - (*model >> 5));
  } else {
    coder.range = bound;
    *model = (u16)(*model + ((4096 - *model) >> 5));
  }
  while (coder.range < 1u << 24) {
    coder.range <<= 8;
    if (coder.is_decoding) {
      coder.code = coder.code << 8 | packed[coder.at++];
    } else {
      shift_low();
    }
  }
  return bit;
}

static u32 code_bits(u16* tree, u32 mask, int count, u32 value) {
  u32 node = 1;
  for (int i = count - 1; i >= 0; --i) node = node << 1 | (u32)code_bit(&tree[node & mask], value >> i & 1);
  return node - (1u << count);
}

static void pack(void) {
  static i16 head[kChains], next[kBytes];
  memset(head, 0xff, sizeof head);
  for (u32 at = 0; at < kBytes;) {
    u32 best = 0, from = 0;
    if (at + kMinMatch <= kBytes) {
      int tries = kTries;
      const u32 hash =
          (text[at] * 506832829u + text[at + 1] * 2654435761u + text[at + 2] * 40503u) >> 12 & (kChains - 1);
      for (int c = head[hash]; c >= 0 && tries-- > 0; c = next[c]) {
        u32 length = 0;
        while (length < kMaxMatch && at + length < kBytes && text[(u32)c + length] == text[at + length]) ++length;
        if (length > best) best = length, from = (u32)c;
      }
      next[at] = head[hash];
      head[hash] = (i16)at;
    }
    if (code_bit(&models.is_match, best >= kMinMatch)) {
      code_bits(models.length, 63, 6, best - kMinMatch);
      code_bits(models.distance, 511, 12, at - from - 1);
      at += best;
    } else {
      code_bits(models.literal, 255, 8, text[at++]);
    }
  }
  for (int i = 0; i < 5; ++i) shift_low();
}

static void unpack(void) {
  for (u32 at = 0; at < kBytes;) {
    if (code_bit(&models.is_match, 0)) {
      u32 length = code_bits(models.length, 63, 6, 0) + kMinMatch;
      const u32 distance = code_bits(models.distance, 511, 12, 0) + 1;
      for (; length > 0 && at < kBytes && distance <= at; --length, ++at) unpacked[at] = unpacked[at - distance];
    } else {
      unpacked[at++] = (u8)code_bits(models.literal, 255, 8, 0);
    }
  }
}

// Words of a small vocabulary, with noise.
static void write_text(u32 seed) {
  u32 at = 0;
  while (at < kBytes) {
    u32 word = next_random(&seed) % 40 + 1;
    for (u32 length = 2 + word % 7; length > 0 && at < kBytes; --length)
      text[at++] = (u8)('a' + next_random(&word) % 26);
    if (at < kBytes) text[at++] = seed % 31 == 0 ? (u8)seed : ' ';
  }
}

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    write_text(round + 11);
    reset_models();
    start_coder(0);
    pack();
    const u32 size = coder.at;
    reset_models();
    start_coder(1);
    unpack();
    u64 sum = 0;
    for (u32 i = 0; i < size; ++i) sum = mix(sum, packed[i]);
    put_text(memcmp(text, unpacked, kBytes) == 0 ? "same " : "different ");
    put_number(size);
    put_result(" packed", sum);
  }
}
