// What a program of this folder may use: it runs on nothing, so there is no C library. Output is collected in memory
// and delivered once, when program() returns: on a virtual CPU by one OUT (start.S), natively by one write()
// (native.c).
#pragma once

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef __INT8_TYPE__ i8;
typedef __INT16_TYPE__ i16;
typedef __INT32_TYPE__ i32;
typedef __INT64_TYPE__ i64;
typedef __SIZE_TYPE__ size_t;

// What every program defines. The work, and the output, grows with `rounds`.
void program(unsigned rounds);

enum { kOutputBytes = 6 * 1024 };
struct Output {
  u32 size;
  char text[kOutputBytes];
};
extern struct Output program_output;

void put_char(char c);
void put_text(const char* text);
void put_number(u64 value);
void put_signed(i64 value);
void put_hex(u64 value, int digits);
// As "%.<precision>g" of printf; precision 0: the shortest text that only this value rounds to.
void put_double(double value, int precision);
// name=hex, on a line of its own.
void put_result(const char* name, u64 value);

void* memcpy(void* to, const void* from, size_t bytes);
void* memmove(void* to, const void* from, size_t bytes);
void* memset(void* to, int value, size_t bytes);
int memcmp(const void* a, const void* b, size_t bytes);
size_t strlen(const char* text);

// Never 0 if *state is not.
static inline u32 next_random(u32* state) {
  u32 x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

// FNV-1a over words, to say much with few characters.
static inline u64 mix(u64 sum, u64 value) { return (sum ^ value) * 0x100000001b3ull; }

static inline double square_root(double x) {
#ifdef __SSE2_MATH__
  return __builtin_sqrt(x);
#else
  __asm__("fsqrt" : "+t"(x));
  return x;
#endif
}
