// Decoded basic blocks and where they are kept.
//
// A block starts at one RIP in one mode and never continues past a page (its last instruction may cross). It is keyed
// by the host address of its bytes, so it survives changes of the address space; `epoch` says when RIP -> bytes and the
// bytes themselves were last verified. Dead blocks (overwritten code) stay allocated until everything is dropped,
// because links may point to them.
#pragma once

#include <memory>
#include <vector>

#include "mock/cpu/core.hpp"

namespace mock::cpu {

inline constexpr unsigned kMaxBlockOps = 32;
inline constexpr u64 kNoKey = ~u64{0};

struct Block {
  u32 epoch = 0;  // may be entered when equal to Core::epoch; 0 never is
  u16 count = 0;  // instructions
  u16 ops = 0;    // without the links
  u64 rip = 0;
  u64 key = kNoKey;  // Core::block_key of the mode it was decoded in, while alive
  u16 length = 0;    // bytes of code
  bool dead = false;
  u8 word_shift = 0;          // 64 minus the bits of the code
  u16 first_length = 0;       // bytes in the first page
  bool is_word = false;       // at most eight bytes, and as many can be read at host: `word` has them
  const u8* host = nullptr;   // code bytes in guest memory
  const u8* host2 = nullptr;  // the rest, in the next page
  Block* hash_next = nullptr;
  u64 word = 0;
  // Followed by Op[ops], Links, code bytes.

  Op* first() { return reinterpret_cast<Op*>(this + 1); }
  u8* bytes() { return reinterpret_cast<u8*>(first() + ops + 1); }
};
static_assert(sizeof(Block) % alignof(Op) == 0);

// Where a block may continue. Stands in the op array after the last op.
struct Links {
  Block* taken;
  Block* fall;
  u64 taken_rip, fall_rip;
};
static_assert(sizeof(Links) == sizeof(Op));

inline Block* block_of(const Op* op) { return reinterpret_cast<Block*>(const_cast<Op*>(op) - op->position) - 1; }

inline u64 Core::rip_of(const Op& op) const { return block_of(&op)->rip + op.offset; }

extern Block kNoBlock;  // never entered: its epoch is 0

// Memory for blocks: chunks that start small.
class Arena {
 public:
  void* allocate(std::size_t bytes);
  void clear();
  std::size_t used() const { return used_; }

 private:
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
  std::size_t used_ = 0;
};

struct BlockCache {
  BlockCache();

  Block* find(const u8* host, u64 rip, u64 key) const;
  void insert(Block* block);
  // Blocks that overlap the bytes die; true if there were any.
  bool write(const u8* host, unsigned size);
  bool has_code(const u8* host_page) const;
  void kill(Block* block);
  void clear();

  // One of the blocks with bytes in a line. Lives in the arena.
  struct Entry {
    Block* block;
    Entry* next;
  };
  struct CodePage {
    const u8* page = nullptr;
    u64 lines = 0;              // 64-byte lines with code
    Entry** entries = nullptr;  // by line
  };

  Arena arena;
  std::vector<Block*> table;    // hash chains
  std::vector<CodePage> pages;  // open addressing by host page
  u32 block_count = 0, page_count = 0;

 private:
  CodePage* find_page(const u8* host_page);
  CodePage& get_page(const u8* host_page);
  void note(Block* block, const u8* host, unsigned size);
};

// Verified block for state.rip in the current mode, or null with a fault recorded.
Block* lookup(Core& core);

// Decodes at state.rip, whose bytes are at `host`; null with a fault recorded.
Block* decode_block(Core& core, u8* host, u64 linear);

// Mode keys: what distinguishes epochs. Core::block_key is what decoding depends on, beside the code segment's limit.
inline constexpr u32 kModeBits = 3;       // 0: 16-bit, 1: 32-bit, 2: 64-bit code
inline constexpr u32 kModeStep = 4;       // blocks of one instruction that always return to the run loop
inline constexpr u32 kModePrivilege = 8;  // Privilege times this
constexpr u64 block_key_of(u32 mode_key, u64 code_last) {
  return (mode_key & (kModeBits | kModeStep)) | ((mode_key & kModeBits) == 2 ? 0 : code_last << 8);
}

}  // namespace mock::cpu
