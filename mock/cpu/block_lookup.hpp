// Finding the block for RIP. known_block() is the short way that every exit and every link that is not verified yet
// takes; find_block() the long one: translation, hash, decoding.
#pragma once

#include "mock/cpu/engine.hpp"

namespace mock::cpu {

// The linear address of the next instruction.
inline u64 linear_rip(const Core& core) { return (core.view[CS].base + core.s.rip) & core.linear_mask; }

// Where the code at a linear address lies, if the translation cache knows.
inline const u8* cached_code(const Core& core, u64 linear) {
  const auto* entry = reinterpret_cast<const TlbEntry*>(reinterpret_cast<const u8*>(core.tlb_entries) +
                                                        ((linear >> kTlbShift) & core.tlb_byte_mask));
  if ((linear & ~(kPageSize - 1)) != entry->execute_tag) [[unlikely]]
    return nullptr;
  return reinterpret_cast<const u8*>(reinterpret_cast<u64>(entry->host_minus_linear) + linear);
}

// Whether memory still has the bytes that were decoded from the block's first page.
bool long_bytes_match(const Block& block);
inline bool word_matches(const Block& block) { return (load<u64>(block.host) ^ block.word) << block.word_shift == 0; }

// The block that the jump cache knows, if translation and memory still agree with it: the usual case after an exit.
// `words_only`: no other blocks, and no call.
template <bool words_only = false>
inline Block* known_block(const Core& core) {
  const u64 rip = core.s.rip;
  const JumpEntry& known = jump_entry(&core, rip);
  Block* const block = known.block;
  if (known.rip != rip || block->key != core.block_key) return nullptr;
  if (block->epoch == core.epoch) return block;
  if (cached_code(core, linear_rip(core)) != block->host) return nullptr;
  if (block->is_word) {
    if (!word_matches(*block)) return nullptr;
  } else {
    if (words_only || block->host2 || !long_bytes_match(*block)) return nullptr;
  }
  block->epoch = core.epoch;
  return block;
}

// Null with a fault recorded.
Block* find_block(Core& core);

}  // namespace mock::cpu
