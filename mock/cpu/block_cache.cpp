// Storage of decoded blocks: arena, hash table by host address, and which pages hold code.
#include <algorithm>
#include <bit>
#include <cstring>

#include "mock/cpu/block.hpp"

namespace mock::cpu {

Block kNoBlock;

namespace {

constexpr std::size_t kFirstChunk = 4096;
constexpr std::size_t kLastChunk = 1 << 20;
constexpr std::size_t kFirstTable = 16;
constexpr u64 kLines = kPageSize / 64;

const u8* page_of(const u8* host) {
  return reinterpret_cast<const u8*>(reinterpret_cast<u64>(host) & ~(kPageSize - 1));
}

u64 hash_of(const u8* host, u64 rip, u64 key) {
  return (reinterpret_cast<u64>(host) ^ (rip >> 12 << 7) ^ (u64{key} << 3)) * 0x9e3779b97f4a7c15 >> 32;
}

u64 lines_of(u64 offset, unsigned size) {
  const u64 first = offset / 64, last = (offset + size - 1) / 64;
  return (~u64{0} >> (63 - (last - first))) << first;
}

bool overlaps(const Block& block, const u8* host, unsigned size) {
  const auto touches = [&](const u8* bytes, unsigned length) { return host < bytes + length && bytes < host + size; };
  return touches(block.host, block.first_length) ||
         (block.host2 && touches(block.host2, block.length - block.first_length));
}

// Both parts may lie in one page of the host.
u64 lines_in(const Block& block, const u8* page) {
  u64 lines = 0;
  if (page_of(block.host) == page) lines |= lines_of(static_cast<u64>(block.host - page), block.first_length);
  if (block.host2 == page) lines |= lines_of(0, block.length - block.first_length);
  return lines;
}

}  // namespace

void* Arena::allocate(std::size_t bytes) {
  bytes = (bytes + 15) & ~std::size_t{15};
  if (static_cast<std::size_t>(end_ - next_) < bytes) {
    const std::size_t size =
        std::max(bytes, std::min(kFirstChunk << (2 * std::min<std::size_t>(chunks_.size(), 8)), kLastChunk));
    chunks_.push_back(std::unique_ptr<std::byte[]>(new std::byte[size]));
    next_ = chunks_.back().get();
    end_ = next_ + size;
  }
  void* const result = next_;
  next_ += bytes;
  used_ += bytes;
  return result;
}

void Arena::clear() {
  chunks_.clear();
  next_ = end_ = nullptr;
  used_ = 0;
}

BlockCache::BlockCache() = default;

Block* BlockCache::find(const u8* host, u64 rip, u64 key) const {
  if (table.empty()) return nullptr;
  for (Block* block = table[hash_of(host, rip, key) & (table.size() - 1)]; block; block = block->hash_next)
    if (block->host == host && block->rip == rip && block->key == key) return block;
  return nullptr;
}

void BlockCache::insert(Block* block) {
  if (block_count >= table.size()) {
    std::vector<Block*> old(std::max(kFirstTable, table.size() * 4), nullptr);
    old.swap(table);
    for (Block* chain : old) {
      while (chain) {
        Block* const next = chain->hash_next;
        Block*& head = table[hash_of(chain->host, chain->rip, chain->key) & (table.size() - 1)];
        chain->hash_next = head;
        head = chain;
        chain = next;
      }
    }
  }
  Block*& head = table[hash_of(block->host, block->rip, block->key) & (table.size() - 1)];
  block->hash_next = head;
  head = block;
  ++block_count;
  note(block, block->host, block->first_length);
  if (block->host2) note(block, block->host2, block->length - block->first_length);
}

// The block has these bytes of a page.
void BlockCache::note(Block* block, const u8* host, unsigned size) {
  CodePage& page = get_page(page_of(host));
  const u64 lines = lines_of(static_cast<u64>(host - page.page), size);
  for (u64 left = lines; left; left &= left - 1) {
    Entry*& head = page.entries[std::countr_zero(left)];
    head = new (arena.allocate(sizeof(Entry))) Entry{block, head};
  }
  page.lines |= lines;
}

BlockCache::CodePage* BlockCache::find_page(const u8* host_page) {
  if (pages.empty()) return nullptr;
  for (u64 i = reinterpret_cast<u64>(host_page) >> 12;; ++i) {
    CodePage& page = pages[i & (pages.size() - 1)];
    if (page.page == host_page) return &page;
    if (!page.page) return nullptr;
  }
}

bool BlockCache::has_code(const u8* host_page) const {
  const CodePage* const page = const_cast<BlockCache*>(this)->find_page(host_page);
  return page && page->lines;
}

BlockCache::CodePage& BlockCache::get_page(const u8* host_page) {
  if (CodePage* const page = find_page(host_page)) return *page;
  if ((page_count + 1) * 2 > pages.size()) {
    std::vector<CodePage> old(std::max<std::size_t>(8, pages.size() * 2));
    old.swap(pages);
    for (CodePage& page : old) {
      if (!page.page) continue;
      u64 i = reinterpret_cast<u64>(page.page) >> 12;
      while (pages[i & (pages.size() - 1)].page) ++i;
      pages[i & (pages.size() - 1)] = page;
    }
  }
  u64 i = reinterpret_cast<u64>(host_page) >> 12;
  while (pages[i & (pages.size() - 1)].page) ++i;
  CodePage& page = pages[i & (pages.size() - 1)];
  page.page = host_page;
  page.entries = new (arena.allocate(kLines * sizeof(Entry*))) Entry* [kLines] {};
  ++page_count;
  return page;
}

void BlockCache::kill(Block* block) {
  Block** at = &table[hash_of(block->host, block->rip, block->key) & (table.size() - 1)];
  while (*at && *at != block) at = &(*at)->hash_next;
  if (*at) {
    *at = block->hash_next;
    --block_count;
  }
  block->epoch = 0;
  block->key = kNoKey;
  block->dead = true;
}

// Only the lines that are written, and those of the blocks that die with them, are looked at.
bool BlockCache::write(const u8* host, unsigned size) {
  CodePage* const page = find_page(page_of(host));
  if (!page) return false;
  const u64 written = page->lines & lines_of(static_cast<u64>(host - page->page), size);
  u64 lost = 0;
  for (u64 left = written; left; left &= left - 1)
    for (const Entry* entry = page->entries[std::countr_zero(left)]; entry; entry = entry->next)
      if (!entry->block->dead && overlaps(*entry->block, host, size)) {
        kill(entry->block);
        lost |= lines_in(*entry->block, page->page);
      }
  for (u64 left = written | lost; left; left &= left - 1) {
    const int line = std::countr_zero(left);
    for (Entry** at = &page->entries[line]; *at;)
      if ((*at)->block->dead)
        *at = (*at)->next;
      else
        at = &(*at)->next;
    if (!page->entries[line]) page->lines &= ~(u64{1} << line);
  }
  return lost;
}

void BlockCache::clear() {
  arena.clear();
  table.clear();
  pages.clear();
  block_count = page_count = 0;
}

}  // namespace mock::cpu
