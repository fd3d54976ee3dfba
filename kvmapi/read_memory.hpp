// Reading memory of this process that may not be there.
#pragma once

#include <cstddef>
#include <span>

#include "kvmapi/types.hpp"

namespace kvmapi {

// Copies from `address` until `out` is full or a byte is not readable; the number of bytes copied. Never faults.
std::size_t read_memory(u64 address, std::span<std::byte> out);

// The same where process_vm_readv(2) is forbidden: write(2) into a pipe answers EFAULT instead of faulting. Slower.
std::size_t read_memory_through_pipe(u64 address, std::span<std::byte> out);

}  // namespace kvmapi
