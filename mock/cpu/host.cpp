// See host.hpp.
#include "mock/cpu/host.hpp"

#include <cpuid.h>

namespace mock::cpu {
namespace {

constexpr bool has(u32 word, unsigned bit) { return word >> bit & 1; }

Host this_machine() {
  u32 eax, ebx, ecx, edx, ebx7 = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return {};
  __get_cpuid_count(7, 0, &eax, &ebx7, &eax, &edx);
  Host h;
  h.cx16 = has(ecx, 13);
  h.sse42 = has(ecx, 0) && has(ecx, 9) && has(ecx, 19) && has(ecx, 20);
  h.aes = h.sse42 && has(ecx, 1) && has(ecx, 25);
  h.sha = h.sse42 && has(ebx7, 29);
  // The operating system must keep the registers as well.
  h.avx = h.aes && has(ecx, 12) && has(ecx, 29) && __builtin_cpu_supports("avx");
  return h;
}

Host& current() {
  static Host instance = this_machine();
  return instance;
}

}  // namespace

const Host& host() { return current(); }

PretendHost::PretendHost(const Host& other) : before_(current()) { current() = other; }
PretendHost::~PretendHost() { current() = before_; }

}  // namespace mock::cpu
