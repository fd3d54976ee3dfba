// SHA-256 (FIPS 180-4): a known message, then a chain over a growing one.
#include "guests/programs/runtime.h"

static const u32 kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static u32 rotate(u32 x, int by) { return x >> by | x << (32 - by); }

static void compress(u32 state[8], const u8* block) {
  u32 w[64];
  for (int i = 0; i < 16; ++i) {
    u32 word;
    memcpy(&word, block + 4 * i, sizeof word);
    w[i] = __builtin_bswap32(word);
  }
  for (int i = 16; i < 64; ++i) {
    const u32 a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
  }
  u32 s[8];
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; ++i) {
    const u32 e = s[4], a = s[0];
    const u32 t1 =
        s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + kRound[i] + w[i];
    const u32 t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    for (int k = 7; k > 0; --k) s[k] = s[k - 1];
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; ++i) state[i] += s[i];
}

static void sha256(u8 digest[32], const u8* data, u32 size) {
  u32 state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  u8 tail[128] = {0};
  const u32 whole = size & ~63u, rest = size - whole;
  for (u32 at = 0; at < whole; at += 64) compress(state, data + at);
  memcpy(tail, data + whole, rest);
  tail[rest] = 0x80;
  const u32 end = rest < 56 ? 64 : 128;
  for (u32 i = 0; i < 8; ++i) tail[end - 1 - i] = (u8)((u64)size * 8 >> 8 * i);
  compress(state, tail);
  if (end == 128) compress(state, tail + 64);
  for (int i = 0; i < 32; ++i) digest[i] = (u8)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void put_digest(const u8 digest[32]) {
  for (int i = 0; i < 32; ++i) put_hex(digest[i], 2);
  put_char('\n');
}

void program(unsigned rounds) {
  static u8 message[1024];
  u8 digest[32];
  sha256(digest, (const u8*)"abc", 3);
  put_digest(digest);
  for (unsigned round = 0; round < rounds; ++round) {
    for (u32 i = 0; i < 60; ++i) {
      memcpy(message + i * 16 % 992, digest, sizeof digest);
      sha256(digest, message, i * 17);
    }
    put_digest(digest);
  }
}
