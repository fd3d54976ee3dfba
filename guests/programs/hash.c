// Hashing: FNV-1a, Adler-32, CRC-32, MurmurHash3, SipHash-2-4 and xxHash64 of one buffer at many lengths, and a hash
// table.
#include "guests/programs/runtime.h"

enum { kBytes = 4096, kSlots = 512 };

static u8 buffer[kBytes];
static u32 crc_table[256];

static u32 rotate32(u32 x, int by) { return x << by | x >> (32 - by); }
static u64 rotate64(u64 x, int by) { return x << by | x >> (64 - by); }
static u32 load32(const u8* p) { return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24; }
static u64 load64(const u8* p) { return load32(p) | (u64)load32(p + 4) << 32; }

static u64 fnv(const u8* data, u32 size) {
  u64 hash = 0xcbf29ce484222325ull;
  for (u32 i = 0; i < size; ++i) hash = (hash ^ data[i]) * 0x100000001b3ull;
  return hash;
}

static u64 adler(const u8* data, u32 size) {
  u32 a = 1, b = 0;
  for (u32 i = 0; i < size; ++i) {
    a = (a + data[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

static u64 crc(const u8* data, u32 size) {
  u32 sum = ~0u;
  for (u32 i = 0; i < size; ++i) sum = crc_table[(sum ^ data[i]) & 255] ^ sum >> 8;
  return ~sum;
}

static u64 murmur(const u8* data, u32 size) {
  u32 hash = 42, tail = 0;
  const u32 whole = size & ~3u;
  for (u32 i = 0; i < whole; i += 4) {
    hash ^= rotate32(load32(data + i) * 0xcc9e2d51u, 15) * 0x1b873593u;
    hash = rotate32(hash, 13) * 5 + 0xe6546b64u;
  }
  for (u32 i = size; i > whole; --i) tail = tail << 8 | data[i - 1];
  hash ^= rotate32(tail * 0xcc9e2d51u, 15) * 0x1b873593u;
  hash ^= size;
  hash = (hash ^ hash >> 16) * 0x85ebca6bu;
  hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
  return hash ^ hash >> 16;
}

static void sip_round(u64 v[4]) {
  v[0] += v[1];
  v[2] += v[3];
  v[1] = rotate64(v[1], 13) ^ v[0];
  v[3] = rotate64(v[3], 16) ^ v[2];
  v[0] = rotate64(v[0], 32) + v[3];
  v[2] += v[1];
  v[3] = rotate64(v[3], 21) ^ v[0];
  v[1] = rotate64(v[1], 17) ^ v[2];
  v[2] = rotate64(v[2], 32);
}

static u64 sip(const u8* data, u32 size) {
  const u64 k0 = 0x0706050403020100ull, k1 = 0x0f0e0d0c0b0a0908ull;
  u64 v[4] = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull, k0 ^ 0x6c7967656e657261ull,
              k1 ^ 0x7465646279746573ull};
  for (u32 i = 0; i <= size; i += 8) {
    u64 word = 0;
    if (size - i >= 8) {
      word = load64(data + i);
    } else {
      for (u32 k = i; k < size; ++k) word |= (u64)data[k] << 8 * (k - i);
      word |= (u64)size << 56;
    }
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
  }
  v[2] ^= 255;
  for (int i = 0; i < 4; ++i) sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static u64 xx(const u8* data, u32 size) {
  const u64 p1 = 0x9e3779b185ebca87ull, p2 = 0xc2b2ae3d27d4eb4full, p3 = 0x165667b19e3779f9ull;
  u64 lane[4] = {p1 + p2, p2, 0, 0 - p1};
  u32 at = 0;
  for (; size - at >= 32; at += 32) {
    for (u32 i = 0; i < 4; ++i) lane[i] = rotate64(lane[i] + load64(data + at + 8 * i) * p2, 31) * p1;
  }
  u64 hash = rotate64(lane[0], 1) + rotate64(lane[1], 7) + rotate64(lane[2], 12) + rotate64(lane[3], 18);
  for (; at < size; ++at) hash = rotate64(hash ^ data[at] * p3, 11) * p1;
  hash = (hash ^ hash >> 33) * p2;
  hash = (hash ^ hash >> 29) * p3;
  return hash ^ hash >> 32;
}

// Open addressing: counts how often each key was seen.
static u64 count_words(u32 seed) {
  static struct { u32 key, count; } table[kSlots];
  memset(table, 0, sizeof table);
  for (int i = 0; i < 3000; ++i) {
    const u32 key = next_random(&seed) % 401 + 1;
    u32 at = key * 2654435761u % kSlots;
    while (table[at].count != 0 && table[at].key != key) at = (at + 1) % kSlots;
    table[at].key = key;
    ++table[at].count;
  }
  u64 sum = 0;
  for (int i = 0; i < kSlots; ++i) sum = mix(sum, (u64)table[i].key << 32 | table[i].count);
  return sum;
}

static const struct {
  const char* name;
  u64 (*hash)(const u8*, u32);
} kHashes[] = {{"fnv", fnv}, {"adler", adler}, {"crc", crc}, {"murmur", murmur}, {"sip", sip}, {"xx", xx}};

void program(unsigned rounds) {
  for (u32 i = 0; i < 256; ++i) {
    u32 c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    crc_table[i] = c;
  }
  for (unsigned round = 0; round < rounds; ++round) {
    u32 seed = round + 7;
    for (int i = 0; i < kBytes; ++i) buffer[i] = (u8)next_random(&seed);
    for (unsigned h = 0; h < sizeof kHashes / sizeof *kHashes; ++h) {
      u64 sum = 0;
      for (u32 size = 0; size < 100; ++size) sum = mix(sum, kHashes[h].hash(buffer + size % 9, size));
      put_result(kHashes[h].name, sum);
      put_result(kHashes[h].name, kHashes[h].hash(buffer, kBytes));
    }
    put_result("table", count_words(round + 3));
  }
}
