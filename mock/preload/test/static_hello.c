/* A statically linked program: the launcher must refuse it. */
#include <stdio.h>

int main(void) {
  puts("hello");
  return 0;
}
