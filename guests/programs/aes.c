// AES-128 and AES-256 (FIPS 197) with tables computed at the start: the standard's vectors, counter mode, and back.
#include "guests/programs/runtime.h"

static u8 sbox[256], inverse[256];

static u8 twice(u8 x) { return (u8)(x << 1 ^ (x >> 7) * 0x1b); }

static u8 times(u8 a, u8 b) {
  u8 product = 0;
  for (; b != 0; b >>= 1, a = twice(a)) product ^= b & 1 ? a : 0;
  return product;
}

static void make_tables(void) {
  u8 p = 1, q = 1;
  do {
    p ^= twice(p);  // times 3, a generator
    q ^= (u8)(q << 1);
    q ^= (u8)(q << 2);
    q ^= (u8)(q << 4);
    q ^= (q >> 7) * 0x09;  // divided by 3
    const u32 wide = q * 0x101u;
    const u8 s = (u8)(q ^ wide >> 7 ^ wide >> 6 ^ wide >> 5 ^ wide >> 4 ^ 0x63);
    sbox[p] = s;
    inverse[s] = p;
  } while (p != 1);
  sbox[0] = 0x63;
  inverse[0x63] = 0;
}

struct Key {
  int rounds;
  u8 bytes[15][16];
};

static void expand(struct Key* key, const u8* from, int words) {
  u8* out = key->bytes[0];
  key->rounds = words + 6;
  memcpy(out, from, (size_t)words * 4);
  u8 constant = 1;
  for (int i = words; i < 4 * (key->rounds + 1); ++i) {
    u8 t[4];
    memcpy(t, out + 4 * (i - 1), 4);
    if (i % words == 0) {
      const u8 first = t[0];
      t[0] = sbox[t[1]] ^ constant;
      t[1] = sbox[t[2]];
      t[2] = sbox[t[3]];
      t[3] = sbox[first];
      constant = twice(constant);
    } else if (words > 6 && i % words == 4) {
      for (int k = 0; k < 4; ++k) t[k] = sbox[t[k]];
    }
    for (int k = 0; k < 4; ++k) out[4 * i + k] = out[4 * (i - words) + k] ^ t[k];
  }
}

static void add_key(u8 block[16], const u8 key[16]) {
  for (int i = 0; i < 16; ++i) block[i] ^= key[i];
}

static void encrypt(const struct Key* key, u8 block[16]) {
  add_key(block, key->bytes[0]);
  for (int round = 1; round <= key->rounds; ++round) {
    u8 t[16];
    for (int i = 0; i < 16; ++i) t[i] = sbox[block[(i + 4 * (i % 4)) % 16]];
    for (int c = 0; c < 16; c += 4) {
      const u8 all = t[c] ^ t[c + 1] ^ t[c + 2] ^ t[c + 3];
      for (int k = 0; k < 4; ++k) {
        const u8 here = t[c + k];
        block[c + k] = round == key->rounds ? here : (u8)(here ^ all ^ twice(here ^ t[c + (k + 1) % 4]));
      }
    }
    add_key(block, key->bytes[round]);
  }
}

static void decrypt(const struct Key* key, u8 block[16]) {
  for (int round = key->rounds; round > 0; --round) {
    u8 t[16];
    add_key(block, key->bytes[round]);
    if (round != key->rounds) {
      for (int i = 0; i < 16; ++i) {
        const u8* column = block + i / 4 * 4;
        const int k = i % 4;
        t[i] = times(column[k], 14) ^ times(column[(k + 1) % 4], 11) ^ times(column[(k + 2) % 4], 13) ^
               times(column[(k + 3) % 4], 9);
      }
    } else {
      memcpy(t, block, 16);
    }
    for (int i = 0; i < 16; ++i) block[(i + 4 * (i % 4)) % 16] = inverse[t[i]];
  }
  add_key(block, key->bytes[0]);
}

static void put_block(const u8 block[16]) {
  for (int i = 0; i < 16; ++i) put_hex(block[i], 2);
  put_char('\n');
}

static void run(int words, unsigned round) {
  u8 secret[32], block[16], counter[16] = {0};
  struct Key key;
  for (int i = 0; i < 32; ++i) secret[i] = (u8)(i + (int)round * 3);
  for (int i = 0; i < 16; ++i) block[i] = (u8)(i * 0x11);
  expand(&key, secret, words);
  encrypt(&key, block);
  put_block(block);
  decrypt(&key, block);
  put_block(block);
  for (int n = 0; n < 100; ++n) {
    u8 stream[16];
    memcpy(stream, counter, 16);
    encrypt(&key, stream);
    add_key(block, stream);
    for (int i = 15; i >= 0 && ++counter[i] == 0; --i) {
    }
  }
  put_block(block);
}

void program(unsigned rounds) {
  make_tables();
  for (unsigned round = 0; round < rounds; ++round) {
    run(4, round);
    run(8, round);
  }
}
