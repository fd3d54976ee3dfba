// Instructions of this machine's processor that vector instructions are executed with. Everything of x86-64-v1 needs
// none of them. What needs one that is missing is #UD, and CPUID does not offer it (cpuid_table.hpp).
#pragma once

#include "kvmapi/types.hpp"

namespace mock::cpu {

using namespace kvmapi;

struct Host {
  bool sse42 = false;  // SSE3, SSSE3, SSE4.1, SSE4.2
  bool aes = false;    // AES, PCLMULQDQ, and the above
  bool sha = false;    // SHA, and SSE4.2
  bool avx = false;    // AVX, FMA, F16C, and AES
  bool cx16 = false;   // CMPXCHG16B

  friend bool operator==(const Host&, const Host&) = default;
};

// What this processor has, or what a test pretends.
const Host& host();

// For tests: another host as long as this lives. Not while a CPU runs on another thread.
class PretendHost {
 public:
  explicit PretendHost(const Host& other);
  ~PretendHost();
  PretendHost(const PretendHost&) = delete;
  PretendHost& operator=(const PretendHost&) = delete;

 private:
  Host before_;
};

}  // namespace mock::cpu
