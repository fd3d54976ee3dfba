// Scratch memory behind slots. See memory_slot.hpp.
#include "conformance/support/memory_slot.hpp"

namespace conformance {

kvmapi::u8* scratch_memory() {
  alignas(4096) static kvmapi::u8 memory[kScratchBytes];
  return memory;
}

}  // namespace conformance
