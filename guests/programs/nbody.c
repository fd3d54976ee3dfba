// Bodies that attract each other, a Fourier transform there and back, a series: square roots, divisions, long dependent
// chains of floating-point operations, in single, double and extended precision.
#include "guests/programs/runtime.h"

enum { kBodies = 5, kPoints = 64 };

struct Body {
  double at[3], speed[3], mass;
};

static double energy(const struct Body* bodies) {
  double sum = 0;
  for (int i = 0; i < kBodies; ++i) {
    const struct Body* b = &bodies[i];
    for (int k = 0; k < 3; ++k) sum += 0.5 * b->mass * b->speed[k] * b->speed[k];
    for (int j = i + 1; j < kBodies; ++j) {
      double square = 0;
      for (int k = 0; k < 3; ++k) square += (b->at[k] - bodies[j].at[k]) * (b->at[k] - bodies[j].at[k]);
      sum -= b->mass * bodies[j].mass / square_root(square);
    }
  }
  return sum;
}

static void advance(struct Body* bodies, double step) {
  for (int i = 0; i < kBodies; ++i) {
    for (int j = i + 1; j < kBodies; ++j) {
      double d[3], square = 0.01;
      for (int k = 0; k < 3; ++k) {
        d[k] = bodies[i].at[k] - bodies[j].at[k];
        square += d[k] * d[k];
      }
      const double pull = step / (square * square_root(square));
      for (int k = 0; k < 3; ++k) {
        bodies[i].speed[k] -= d[k] * bodies[j].mass * pull;
        bodies[j].speed[k] += d[k] * bodies[i].mass * pull;
      }
    }
  }
  for (int i = 0; i < kBodies; ++i) {
    for (int k = 0; k < 3; ++k) bodies[i].at[k] += step * bodies[i].speed[k];
  }
}

static float re[kPoints], im[kPoints];

// In place, radix 2; the roots of unity by repeated multiplication from a table of the first ones.
static void transform(int is_inverse) {
  static const double kCos[] = {
      -1, 0, 0.70710678118654752, 0.92387953251128674, 0.98078528040323044, 0.99518472667219689};
  static const double kSin[] = {
      0, 1, 0.70710678118654752, 0.38268343236508977, 0.19509032201612827, 0.098017140329560602};
  for (int i = 1, j = 0; i < kPoints; ++i) {
    int bit = kPoints / 2;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    const float r = re[i], m = im[i];
    re[i] = re[j];
    im[i] = im[j];
    re[j] = r;
    im[j] = m;
  }
  for (int level = 0, half = 1; half < kPoints; ++level, half *= 2) {
    double wr = 1, wi = 0;
    for (int k = 0; k < half; ++k) {
      for (int i = k; i < kPoints; i += 2 * half) {
        const float tr = (float)wr * re[i + half] - (float)wi * im[i + half];
        const float ti = (float)wr * im[i + half] + (float)wi * re[i + half];
        re[i + half] = re[i] - tr;
        im[i + half] = im[i] - ti;
        re[i] += tr;
        im[i] += ti;
      }
      const double s = is_inverse ? -kSin[level] : kSin[level], next = wr * kCos[level] - wi * s;
      wi = wr * s + wi * kCos[level];
      wr = next;
    }
  }
}

static double series(unsigned terms) {
  long double sum = 0, term = 1;
  for (unsigned i = 1; i <= terms; ++i) {
    sum += term;
    term = term * 0.99L / (long double)i;
  }
  return (double)sum;
}

void program(unsigned rounds) {
  struct Body bodies[kBodies];
  u32 seed = 5;
  for (int i = 0; i < kBodies; ++i) {
    for (int k = 0; k < 3; ++k) {
      bodies[i].at[k] = (double)(i32)next_random(&seed) / (1 << 28);
      bodies[i].speed[k] = (double)(i32)next_random(&seed) / 4294967296.0;
    }
    bodies[i].mass = 1 + i;
  }
  for (unsigned round = 0; round < rounds; ++round) {
    for (int i = 0; i < 120; ++i) advance(bodies, 0.001);
    put_double(energy(bodies), 17);
    put_char(' ');
    for (int i = 0; i < kPoints; ++i) re[i] = (float)(i16)next_random(&seed) / 256, im[i] = (float)i;
    transform(0);
    put_double(re[3], 9);
    put_char(' ');
    put_double(im[kPoints - 1], 9);
    transform(1);
    put_char(' ');
    put_double(re[5] / kPoints, 9);
    put_char(' ');
    put_double(series(20 + round), 17);
    put_char('\n');
  }
}
