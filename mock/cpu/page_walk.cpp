// The page walker; see page_walk.hpp. Entry formats: SDM vol. 3 4.3-4.5, APM vol. 2 5.2-5.4. Error codes: SDM vol.
// 3 4.7.
#include "mock/cpu/page_walk.hpp"

namespace mock::cpu::page_walk {
namespace {

constexpr u64 kEntryPresent = 1u << 0;
constexpr u64 kEntryWritable = 1u << 1;
constexpr u64 kEntryUser = 1u << 2;
constexpr u64 kEntryAccessed = 1u << 5;
constexpr u64 kEntryDirty = 1u << 6;
constexpr u64 kEntryLarge = 1u << 7;
constexpr u64 kEntryGlobal = 1u << 8;
constexpr u64 kEntryNoExecute = u64{1} << 63;

constexpr u64 bits(int high, int low) { return ((u64{2} << high) - 1) & ~((u64{1} << low) - 1); }

// How the levels of one mode look. Level 1 is the table whose entries map 4 KiB.
struct Format {
  int levels;
  int entry_bytes;
  int index_bits;
};

constexpr Format format_of(Mode mode) {
  switch (mode) {
    case Mode::bits32:
      return {2, 4, 10};
    case Mode::pae:
      return {3, 8, 9};
    case Mode::level4:
      return {4, 8, 9};
    case Mode::level5:
      return {5, 8, 9};
    case Mode::none:
      break;
  }
  return {0, 8, 9};
}

struct Walker {
  const State& state;
  const Limits& limits;
  Bus& bus;
  const Request& request;
  Effects effects;
  Mode mode;
  Format format;
  Result result{};

  u32 access_bits() const {
    u32 code = 0;
    if (request.access == Access::write) code |= kWrite;
    if (request.user) code |= kUser;
    const bool has_nx = (state.efer & EFER_NX) && mode != Mode::bits32;
    if (request.access == Access::execute && (has_nx || (state.cr4 & CR4_SMEP))) code |= kFetch;
    return code;
  }

  void fail(u32 code) {
    result.status = Result::Status::page_fault;
    result.error_code = code | access_bits();
  }

  // A paging-structure entry. Outside RAM there is nothing to read: the entry counts as not present.
  bool read_entry(Gpa address, u64& entry) {
    const Page page = bus.page({address.value & ~(kPageSize - 1)}, Access::read);
    if (page.kind == Page::Kind::absent) {
      result.status = Result::Status::absent;
      result.physical = address;
      return false;
    }
    entry = 0;
    if (page.kind != Page::Kind::ram) return true;
    u8* host = page.host + (address.value & (kPageSize - 1));
    if (format.entry_bytes == 4) {
      entry = std::atomic_ref<u32>(*reinterpret_cast<u32*>(host)).load(std::memory_order_relaxed);
    } else {
      entry = std::atomic_ref<u64>(*reinterpret_cast<u64*>(host)).load(std::memory_order_relaxed);
    }
    return true;
  }

  template <class T>
  static bool exchange(u8* host, u64 expected, u64 wanted) {
    T old = static_cast<T>(expected);
    return std::atomic_ref<T>(*reinterpret_cast<T*>(host)).compare_exchange_strong(old, static_cast<T>(wanted));
  }

  // Sets A/D bits; false if another CPU changed the entry meanwhile (walk again). Read-only memory keeps its bits, as
  // under KVM.
  bool set_bits(Gpa address, u64& entry, u64 wanted) {
    if (effects == Effects::none || (entry & wanted) == wanted) return true;
    const Page page = bus.page({address.value & ~(kPageSize - 1)}, Access::write);
    if (page.kind != Page::Kind::ram) return true;
    u8* host = page.host + (address.value & (kPageSize - 1));
    const bool done = format.entry_bytes == 4 ? exchange<u32>(host, entry, entry | wanted)
                                              : exchange<u64>(host, entry, entry | wanted);
    if (done) entry |= wanted;
    return done;
  }

  bool is_leaf(u64 entry, int level) const {
    if (level == 1) return true;
    if (!(entry & kEntryLarge)) return false;
    if (mode == Mode::bits32) return state.cr4 & CR4_PSE;
    return level == 2 || (level == 3 && mode >= Mode::level4 && limits.has_1g_pages);
  }

  int shift_of(int level) const { return 12 + format.index_bits * (level - 1); }

  u64 reserved_bits(int level, bool leaf) const {
    if (mode == Mode::bits32) return leaf && level == 2 ? (limits.is_amd ? bits(21, 21) : bits(21, 17)) : 0;
    u64 mask = 0;
    if (limits.physical_bits < 52) mask |= bits(51, limits.physical_bits);
    if (!(state.efer & EFER_NX)) mask |= kEntryNoExecute;
    if (mode == Mode::pae) {
      mask |= bits(62, 52);
      if (level == 3) return mask | kEntryNoExecute | bits(2, 1) | bits(8, 5);
    }
    if (leaf && level > 1) mask |= bits(shift_of(level) - 1, 13);
    if (level >= 4) mask |= kEntryLarge | (limits.is_amd ? kEntryGlobal : 0);
    if (level == 3 && !leaf) mask |= kEntryLarge;  // 1 GiB pages are absent
    return mask;
  }

  u64 address_of(u64 entry, int level, bool leaf) const {
    if (mode != Mode::bits32) return entry & bits(51, 12) & ~(leaf ? bits(shift_of(level), 0) >> 1 : 0);
    if (!leaf || level == 1) return entry & bits(31, 12);
    const u64 high = limits.is_amd ? (entry >> 13 & 0xff) : (entry >> 13 & 0xf);
    return (entry & bits(31, 22)) | high << 32;
  }

  void combine(u64 entry, int level) {
    if (mode == Mode::pae && level == 3) return;  // PDPTEs have no rights
    result.user &= (entry & kEntryUser) != 0;
    result.writable &= (entry & kEntryWritable) != 0;
    if (mode != Mode::bits32) result.executable &= !(entry & kEntryNoExecute);
  }

  u64 root() const {
    if (mode == Mode::bits32) return state.cr3 & bits(31, 12);
    if (mode == Mode::pae) return state.cr3 & bits(31, 5);
    return state.cr3 & bits(51, 12);
  }

  bool entry_at(u64 table, int level, Gpa& address, u64& entry) {
    const u64 index = request.linear.value >> shift_of(level) & ((u64{1} << format.index_bits) - 1);
    if (mode == Mode::pae && level == 3) {
      const u64 i = request.linear.value >> 30 & 3;
      if (!limits.is_amd) {  // held in the CPU since MOV CR3
        entry = state.pdptr[i];
        return true;
      }
      address = {table + i * 8};  // APM vol. 2, 15.25.10: under nested paging they are fetched on demand
    } else {
      address = {table + index * format.entry_bytes};
    }
    return read_entry(address, entry);
  }

  enum class Step : u8 { done, again };

  Step run() {
    result = {};
    u64 table = root();
    for (int level = format.levels;; --level) {
      Gpa address{};
      u64 entry = 0;
      if (!entry_at(table, level, address, entry)) return Step::done;
      if (!(entry & kEntryPresent)) return fail(0), Step::done;
      const bool leaf = is_leaf(entry, level);
      if (entry & reserved_bits(level, leaf)) return fail(kPresent | kReserved), Step::done;
      combine(entry, level);
      if (!leaf) {
        const bool has_accessed = !(mode == Mode::pae && level == 3);
        if (has_accessed && !set_bits(address, entry, kEntryAccessed)) return Step::again;
        table = address_of(entry, level, false);
        continue;
      }
      return finish(address, entry, level);
    }
  }

  Step finish(Gpa address, u64 entry, int level) {
    result.global = (entry & kEntryGlobal) && (state.cr4 & CR4_PGE);
    result.page_bytes = u64{1} << shift_of(level);
    if (mode >= Mode::level4) result.protection_key = entry >> 59 & 0xf;
    const u32 refusal = refuse(state, result, request.access, request.user, request.smap_override);
    if (refusal) return fail(refusal), Step::done;
    const u64 wanted = kEntryAccessed | (request.access == Access::write ? kEntryDirty : 0);
    if (!set_bits(address, entry, wanted)) return Step::again;
    result.dirty = entry & kEntryDirty;
    result.physical = {address_of(entry, level, true) + (request.linear.value & (result.page_bytes - 1))};
    return Step::done;
  }
};

}  // namespace

Mode mode_of(const State& state) {
  if (!(state.cr0 & CR0_PG)) return Mode::none;
  if (state.efer & EFER_LMA) return state.cr4 & CR4_LA57 ? Mode::level5 : Mode::level4;
  return state.cr4 & CR4_PAE ? Mode::pae : Mode::bits32;
}

u32 refuse(const State& state, const Result& translation, Access access, bool user, bool smap_override) {
  const bool is_write = access == Access::write;
  if (user) {
    if (!translation.user || (is_write && !translation.writable)) return kPresent;
  } else {
    if (is_write && !translation.writable && (state.cr0 & CR0_WP)) return kPresent;
    if (translation.user) {
      if (access == Access::execute && (state.cr4 & CR4_SMEP)) return kPresent;
      if (access != Access::execute && (state.cr4 & CR4_SMAP) && !smap_override) return kPresent;
    }
  }
  if (access == Access::execute) return translation.executable ? 0 : u32{kPresent};
  if ((state.cr4 & CR4_PKE) && (state.efer & EFER_LMA) && translation.user) {
    const u32 rights = state.fpu.pkru >> (translation.protection_key * 2) & 3;  // AD, WD
    const bool no_write = (rights & 2) && is_write && (user || (state.cr0 & CR0_WP));
    if ((rights & 1) || no_write) return kPresent | kProtectionKey;
  }
  return 0;
}

Result walk(const State& state, const Limits& limits, Bus& bus, const Request& request, Effects effects) {
  const Mode mode = mode_of(state);
  if (mode == Mode::none) {
    Result result;
    result.physical = {request.linear.value};
    return result;
  }
  Walker walker{state, limits, bus, request, effects, mode, format_of(mode)};
  while (walker.run() == Walker::Step::again) {
  }
  return walker.result;
}

bool read_pdptes(const Limits& limits, Bus& bus, u64 cr3, std::array<u64, 4>& entries) {
  const u64 table = cr3 & bits(31, 5);
  const Page page = bus.page({table & ~(kPageSize - 1)}, Access::read);
  const u64 reserved = bits(63, limits.physical_bits) | bits(2, 1) | bits(8, 5);
  for (u64 i = 0; i < 4; ++i) {
    u64 entry = 0;
    if (page.kind == Page::Kind::ram) {
      u8* host = page.host + (table & (kPageSize - 1)) + i * 8;
      entry = std::atomic_ref<u64>(*reinterpret_cast<u64*>(host)).load(std::memory_order_relaxed);
    }
    if ((entry & kEntryPresent) && (entry & reserved)) return false;
    entries[i] = entry;
  }
  return true;
}

}  // namespace mock::cpu::page_walk
