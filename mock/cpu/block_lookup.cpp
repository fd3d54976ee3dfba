// The long way from RIP to a block. See block_lookup.hpp.
#include "mock/cpu/block_lookup.hpp"

#include "mock/cpu/memory.hpp"

namespace mock::cpu {

namespace {

constexpr std::size_t kMaxArenaBytes = 64 << 20;

bool equal(const u8* a, const u8* b, unsigned n) {
  if (n < 8) {
    for (unsigned i = 0; i < n; ++i)
      if (load<u8>(a + i) != load<u8>(b + i)) return false;
    return true;
  }
  for (unsigned i = 0; i + 8 < n; i += 8)
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
  return load<u64>(a + n - 8) == load<u64>(b + n - 8);
}

const u8* page_of(const u8* host) {
  return reinterpret_cast<const u8*>(reinterpret_cast<u64>(host) & ~(kPageSize - 1));
}

bool is_valid_rip(const Core& core, u64 rip) {
  if ((core.mode_key & kModeBits) != 2) return rip <= core.code_last;
  const unsigned shift = core.s.cr4 & CR4_LA57 ? 7 : 16;
  return static_cast<u64>(static_cast<s64>(rip << shift) >> shift) == rip;
}

// False: a fault is recorded. `same`: whether the block is still what memory has.
bool verify(Core& core, u64 linear, const Block& block, bool& same) {
  same = block.is_word ? word_matches(block) : long_bytes_match(block);
  if (!block.host2) return true;
  Location there;
  if (!locate(core, (linear + block.first_length) & core.linear_mask, Access::execute, core.privilege, there))
    return false;
  same &= there.host == block.host2 &&
          equal(const_cast<Block&>(block).bytes() + block.first_length, block.host2, block.length - block.first_length);
  return true;
}

Block* new_block(Core& core, u8* host, u64 linear) {
  if (core.blocks->arena.used() > kMaxArenaBytes) {
    core.blocks->clear();
    core.forget_jumps();
    core.link = nullptr;
  }
  Block* const block = decode_block(core, host, linear);
  if (!block) return nullptr;
  if (!core.blocks->has_code(page_of(block->host))) clear_tlb_writes(core, page_of(block->host));
  if (block->host2 && !core.blocks->has_code(page_of(block->host2))) clear_tlb_writes(core, page_of(block->host2));
  core.blocks->insert(block);
  return block;
}

}  // namespace

bool long_bytes_match(const Block& block) {
  return equal(const_cast<Block&>(block).bytes(), block.host, block.first_length);
}

__attribute__((noinline)) Block* find_block(Core& core) {
  const u64 rip = core.s.rip;
  if (!is_valid_rip(core, rip)) return core.raise(GP, 0), nullptr;
  const u64 linear = linear_rip(core);
  Location here;
  if (!locate(core, linear, Access::execute, core.privilege, here)) return nullptr;
  if (!here.host) {
    core.info.instruction_length = 0;
    core.info.gpa = here.gpa;
    return core.stop(Stop::emulation_failure), nullptr;
  }
  // The jump cache usually knows the block, though it may have to be verified again.
  const JumpEntry known = jump_entry(&core, rip);
  const bool is_known = known.rip == rip && known.block->host == here.host && known.block->key == core.block_key;
  Block* block = is_known ? known.block : core.blocks->find(here.host, rip, core.block_key);
  if (block && block->epoch != core.epoch) {
    bool same;
    if (!verify(core, linear, *block, same)) return nullptr;
    if (!same) {
      core.blocks->kill(block);
      block = nullptr;
    }
  }
  if (!block) block = new_block(core, here.host, linear);
  if (!block) return nullptr;
  block->epoch = core.epoch;
  if (!is_known || known.block != block) core.note_jump(rip, block);
  return block;
}

Block* lookup(Core& core) {
  if (Block* const known = known_block(core)) [[likely]]
    return known;
  return find_block(core);
}

}  // namespace mock::cpu
