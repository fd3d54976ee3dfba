// Solving dense linear systems, in double and in float: elimination with partial pivoting, as LINPACK does it.
#include "guests/programs/runtime.h"

enum { kSize = 32 };

static double absolute(double x) { return x < 0 ? -x : x; }

#define SOLVER(Real, suffix)                                                                 \
  static Real a_##suffix[kSize][kSize], b_##suffix[kSize];                                   \
                                                                                             \
  static void fill_##suffix(u32 seed) {                                                      \
    for (int i = 0; i < kSize; ++i) {                                                        \
      b_##suffix[i] = 0;                                                                     \
      for (int k = 0; k < kSize; ++k) {                                                      \
        a_##suffix[i][k] = (Real)((i32)next_random(&seed) >> 8) / (Real)(1 << 20);           \
        b_##suffix[i] += a_##suffix[i][k];                                                   \
      }                                                                                      \
    }                                                                                        \
  }                                                                                          \
                                                                                             \
  static void solve_##suffix(void) {                                                         \
    for (int step = 0; step < kSize; ++step) {                                               \
      int pivot = step;                                                                      \
      for (int i = step + 1; i < kSize; ++i) {                                               \
        if (absolute(a_##suffix[i][step]) > absolute(a_##suffix[pivot][step])) pivot = i;    \
      }                                                                                      \
      for (int k = 0; k < kSize; ++k) {                                                      \
        const Real swapped = a_##suffix[step][k];                                            \
        a_##suffix[step][k] = a_##suffix[pivot][k];                                          \
        a_##suffix[pivot][k] = swapped;                                                      \
      }                                                                                      \
      const Real right = b_##suffix[step];                                                   \
      b_##suffix[step] = b_##suffix[pivot];                                                  \
      b_##suffix[pivot] = right;                                                             \
      for (int i = step + 1; i < kSize; ++i) {                                               \
        const Real factor = a_##suffix[i][step] / a_##suffix[step][step];                    \
        for (int k = step; k < kSize; ++k) a_##suffix[i][k] -= factor * a_##suffix[step][k]; \
        b_##suffix[i] -= factor * b_##suffix[step];                                          \
      }                                                                                      \
    }                                                                                        \
    for (int i = kSize - 1; i >= 0; --i) {                                                   \
      for (int k = i + 1; k < kSize; ++k) b_##suffix[i] -= a_##suffix[i][k] * b_##suffix[k]; \
      b_##suffix[i] /= a_##suffix[i][i];                                                     \
    }                                                                                        \
  }                                                                                          \
                                                                                             \
  static void report_##suffix(void) {                                                        \
    double worst = 0, sum = 0;                                                               \
    for (int i = 0; i < kSize; ++i) {                                                        \
      sum += b_##suffix[i];                                                                  \
      if (absolute(b_##suffix[i] - 1) > worst) worst = absolute(b_##suffix[i] - 1);          \
    }                                                                                        \
    put_text(#suffix " ");                                                                   \
    put_double(sum, 17);                                                                     \
    put_char(' ');                                                                           \
    put_double(worst, 17);                                                                   \
    put_char(' ');                                                                           \
    put_double(b_##suffix[3], 0);                                                            \
    put_char('\n');                                                                          \
  }

SOLVER(double, double)
SOLVER(float, float)

void program(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    fill_double(round + 1);
    solve_double();
    report_double();
    fill_float(round + 5);
    solve_float();
    report_float();
  }
}
