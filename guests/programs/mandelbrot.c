// The Mandelbrot set as text, once in double and once in float, and a whole row at a time, which a compiler may
// vectorise.
#include "guests/programs/runtime.h"

enum { kWidth = 40, kHeight = 13, kMost = 24, kRow = 64 };

static int iterations(double cx, double cy) {
  double x = 0, y = 0;
  int n = 0;
  for (; n < kMost && x * x + y * y <= 4; ++n) {
    const double next = x * x - y * y + cx;
    y = 2 * x * y + cy;
    x = next;
  }
  return n;
}

static int iterations_float(float cx, float cy) {
  float x = 0, y = 0;
  int n = 0;
  for (; n < kMost && x * x + y * y <= 4; ++n) {
    const float next = x * x - y * y + cx;
    y = 2 * x * y + cy;
    x = next;
  }
  return n;
}

static u64 row_of(float cy, double zoom) {
  static float x[kRow], y[kRow], cx[kRow];
  static int count[kRow];
  for (int i = 0; i < kRow; ++i) {
    x[i] = y[i] = 0;
    count[i] = 0;
    cx[i] = (float)(-2 + 3.0 * i / kRow * zoom);
  }
  for (int n = 0; n < kMost; ++n) {
    for (int i = 0; i < kRow; ++i) {
      const float xx = x[i] * x[i], yy = y[i] * y[i], xy = x[i] * y[i];
      const int is_inside = xx + yy <= 4;
      count[i] += is_inside;
      x[i] = is_inside ? xx - yy + cx[i] : x[i];
      y[i] = is_inside ? 2 * xy + cy : y[i];
    }
  }
  u64 sum = 0;
  for (int i = 0; i < kRow; ++i) sum = mix(sum, (u64)count[i]);
  return sum;
}

void program(unsigned rounds) {
  double zoom = 1;
  for (unsigned round = 0; round < rounds; ++round, zoom *= 0.75) {
    u64 sum = 0, rows = 0;
    for (int j = 0; j < kHeight; ++j) {
      for (int i = 0; i < kWidth; ++i) {
        const double cx = -0.75 + (i - kWidth / 2) * 0.08 * zoom, cy = (j - kHeight / 2) * 0.2 * zoom;
        const int n = iterations(cx, cy);
        sum = mix(sum, (u64)iterations_float((float)cx, (float)cy));
        if (round == 0) put_char(" .:-=+*#%@"[n % 10]);
        sum = mix(sum, (u64)n);
      }
      if (round == 0) put_char('\n');
      if (j % 4 == 0) rows = mix(rows, row_of((float)((j - kHeight / 2) * 0.17 * zoom), zoom));
    }
    put_result("points", sum);
    put_result("rows", rows);
  }
}
