// The slow side of guest memory: segment checks, translation-cache misses, page crossings, device memory, code pages.
#include "mock/cpu/memory.hpp"

#include <algorithm>

#include "mock/cpu/block.hpp"
#include "mock/cpu/debug.hpp"
#include "mock/cpu/guest_memory.hpp"
#include "mock/cpu/handler_kit.hpp"
#include "mock/cpu/paging.hpp"

namespace mock::cpu {

namespace {

constexpr u64 kPageMask = ~(kPageSize - 1);
constexpr u64 kMaxTlbEntries = 1024;
constexpr u64 kFirstTlbEntries = 16;

constexpr TlbEntry kNoEntry = {kInvalidTag, kInvalidTag, kInvalidTag, nullptr};
TlbEntry kEmptyTlb[1] = {kNoEntry};

u64 entry_count(const Tlb& tlb) { return tlb.byte_mask / sizeof(TlbEntry) + 1; }

TlbEntry& entry_for(Tlb& tlb, u64 linear) {
  return *reinterpret_cast<TlbEntry*>(reinterpret_cast<u8*>(tlb.entries) + ((linear >> kTlbShift) & tlb.byte_mask));
}

void clear(TlbEntry* entries, u64 count) {
  for (u64 i = 0; i < count; ++i) entries[i] = kNoEntry;
}

// Grows when the misses since the last growth are twice its size.
void maybe_grow(Core& core, Tlb& tlb) {
  const u64 count = entry_count(tlb);
  const bool first = tlb.entries == kEmptyTlb;
  if (!first && (count >= kMaxTlbEntries || ++tlb.misses < 2 * count)) return;
  const u64 new_count = first ? kFirstTlbEntries : std::min(count * 4, kMaxTlbEntries);
  auto* entries = new TlbEntry[new_count];
  clear(entries, new_count);
  if (!first) delete[] tlb.entries;
  tlb.entries = entries;
  tlb.byte_mask = (new_count - 1) * sizeof(TlbEntry);
  tlb.misses = tlb.fills = 0;
  use_current_tlb(core);
}

u64 tag_of(const TlbEntry& entry, Access access) {
  return access == Access::read ? entry.read_tag : access == Access::write ? entry.write_tag : entry.execute_tag;
}

// Is code or data kept out of the fast path because of an alignment check?
bool checks_alignment(const Core& core) { return core.s.cpl == 3 && (core.flags & AC) && (core.s.cr0 & CR0_AM); }

}  // namespace

void init_tlbs(Core& core) {
  for (Tlb& tlb : core.tlbs) {
    tlb.entries = kEmptyTlb;
    tlb.byte_mask = 0;
    tlb.misses = tlb.fills = 0;
  }
  use_current_tlb(core);
}

void free_tlbs(Core& core) {
  for (Tlb& tlb : core.tlbs)
    if (tlb.entries != kEmptyTlb) delete[] tlb.entries;
}

void use_current_tlb(Core& core) {
  const Tlb& tlb = core.tlbs[static_cast<unsigned>(core.privilege)];
  const bool usable = !checks_alignment(core) && !core.watches_data;
  core.tlb_entries = usable ? tlb.entries : kEmptyTlb;
  core.tlb_byte_mask = usable ? tlb.byte_mask : 0;
}

void clear_tlbs(Core& core) {
  core.device_pages[0] = core.device_pages[1] = {};
  for (Tlb& tlb : core.tlbs) {
    if (tlb.fills <= Tlb::kNoted)
      for (u32 i = 0; i < tlb.fills; ++i) tlb.entries[tlb.noted[i]] = kNoEntry;
    else
      clear(tlb.entries, entry_count(tlb));
    tlb.fills = 0;
  }
  for (auto& page : core.code_pages) page.linear_page = kInvalidTag;
}

void clear_tlb_page(Core& core, u64 linear) {
  for (auto& page : core.code_pages) page.linear_page = kInvalidTag;
  core.device_pages[0] = core.device_pages[1] = {};
  for (Tlb& tlb : core.tlbs) {
    if (tlb.entries == kEmptyTlb) continue;
    TlbEntry& entry = entry_for(tlb, linear);
    entry = kNoEntry;
  }
}

void clear_tlb_writes(Core& core, const u8* host_page) {
  core.device_pages[1] = {};
  for (auto& page : core.code_pages) page.linear_page = kInvalidTag;
  for (Tlb& tlb : core.tlbs) {
    if (tlb.entries == kEmptyTlb) continue;
    for (u64 i = 0; i < entry_count(tlb); ++i) {
      TlbEntry& entry = tlb.entries[i];
      if (entry.write_tag == kInvalidTag) continue;
      if (!host_page ||
          reinterpret_cast<u64>(entry.host_minus_linear) + entry.write_tag == reinterpret_cast<u64>(host_page))
        entry.write_tag = kInvalidTag;
    }
  }
}

// Where one byte address leads: host pointer, or a device at gpa when host is null.
bool locate(Core& core, u64 linear, Access access, Privilege privilege, Location& location) {
  const u64 page_address = linear & kPageMask;
  {
    const TlbEntry& entry = entry_for(core.tlbs[static_cast<unsigned>(privilege)], linear);
    if (tag_of(entry, access) == page_address) {
      location = {reinterpret_cast<u8*>(reinterpret_cast<u64>(entry.host_minus_linear) + linear), Gpa{0}};
      return true;
    }
  }
  Core::DevicePage* const device = access == Access::execute ? nullptr : &core.device_pages[access == Access::write];
  if (device && device->linear_page == page_address && device->privilege == privilege) {
    location = {nullptr, Gpa{device->page | (linear & ~kPageMask)}};
    return true;
  }
  Core::CodePageView& code_page = core.code_pages[linear / kPageSize % std::size(core.code_pages)];
  if (access == Access::write && code_page.linear_page == page_address && code_page.privilege == privilege) {
    if (core.blocks->has_code(code_page.host_page)) {
      location = {code_page.host_page + (linear & ~kPageMask), Gpa{0}};
      return true;
    }
    code_page.linear_page = kInvalidTag;
  }
  Translation translation;
  if (!walk(core, linear, access, privilege, translation)) return false;
  const Page page = core.bus.page(Gpa{translation.page}, access);
  const Gpa gpa{translation.page | (linear & ~kPageMask)};
  if (page.kind == Page::Kind::absent) return core.stop_host_fault(gpa.value);
  if (page.kind == Page::Kind::device) {
    location = {nullptr, gpa};
    if (device) *device = {page_address, translation.page, privilege};
    return true;
  }
  location = {page.host + (linear & ~kPageMask), gpa};
  Tlb& tlb = core.tlbs[static_cast<unsigned>(privilege)];
  maybe_grow(core, tlb);
  TlbEntry& entry = entry_for(tlb, linear);
  auto* const host_minus_linear = reinterpret_cast<u8*>(reinterpret_cast<u64>(page.host) - page_address);
  const bool same =
      entry.host_minus_linear == host_minus_linear &&
      (entry.read_tag == page_address || entry.write_tag == page_address || entry.execute_tag == page_address);
  if (!same) {
    entry = {kInvalidTag, kInvalidTag, kInvalidTag, host_minus_linear};
    if (tlb.fills < Tlb::kNoted) tlb.noted[tlb.fills] = static_cast<u16>(&entry - tlb.entries);
    ++tlb.fills;
  }
  switch (access) {
    case Access::read:
      entry.read_tag = page_address;
      break;
    case Access::execute:
      entry.execute_tag = page_address;
      break;
    case Access::write:
      entry.read_tag = page_address;
      if (core.blocks->has_code(page.host))
        code_page = {page_address, page.host, privilege};
      else
        entry.write_tag = page_address;
      break;
  }
  return true;
}

namespace {

bool device_read(Core& core, Gpa gpa, u8* data, unsigned size) {
  DeviceLog& log = core.device;
  while (size) {
    const unsigned part = std::min(size, 8u);
    if (log.replayed < log.reads) {
      std::memcpy(data, log.read[log.replayed].data.data(), part);
    } else {
      if (log.reads == DeviceLog::kReads) return core.stop(Stop::unmodelled);
      DeviceLog::Entry entry{gpa.value, static_cast<u8>(part), {}};
      core.after |= kAfterDevice;
      if (core.bus.mmio_read(gpa, part, entry.data.data()) == Reply::exit) {
        core.info.gpa = gpa;
        core.info.length = static_cast<u8>(part);
        return core.stop(Stop::mmio_read);
      }
      log.read[log.reads++] = entry;
      std::memcpy(data, entry.data.data(), part);
    }
    core.after |= kAfterDevice;
    ++log.replayed;
    data += part;
    gpa = gpa + part;
    size -= part;
  }
  return true;
}

// The bytes of an entry: one load and one store of a word where possible, so that who reads it as a word need not wait.
void set_data(DeviceLog::Entry& entry, const u8* data, unsigned size) {
  u64 word = 0;
  switch (size) {
    case 1:
      word = *data;
      break;
    case 2:
      word = load<u16>(data);
      break;
    case 4:
      word = load<u32>(data);
      break;
    default:
      std::memcpy(&word, data, size);
  }
  std::memcpy(entry.data.data(), &word, sizeof word);
}

bool device_write(Core& core, Gpa gpa, const u8* data, unsigned size) {
  DeviceLog& log = core.device;
  core.after |= kAfterDevice;
  while (size) {
    const unsigned part = std::min(size, 8u);
    if (log.writes == DeviceLog::kWrites) return core.stop(Stop::unmodelled);
    DeviceLog::Entry& entry = log.write[log.writes++];
    entry.gpa = gpa.value;
    entry.size = static_cast<u8>(part);
    set_data(entry, data, part);
    data += part;
    gpa = gpa + part;
    size -= part;
  }
  return true;
}

u64 next_address(const Core& core, u64 address, unsigned bytes) { return (address + bytes) & core.linear_mask; }

bool read_at(Core& core, const Location& location, u8* data, unsigned size) {
  if (!location.host) return device_read(core, location.gpa, data, size);
  copy_from_guest(data, location.host, size);
  return true;
}

bool write_at(Core& core, const Location& location, const u8* data, unsigned size) {
  if (!location.host) return device_write(core, location.gpa, data, size);
  copy_to_guest(location.host, data, size);
  if (core.blocks->write(location.host, size)) core.after |= kAfterCode;
  return true;
}

bool read_as(Core& core, u64 address, void* data, unsigned size, Privilege privilege) {
  auto* const bytes = static_cast<u8*>(data);
  if (core.watches_data) core.breakpoint_hits |= breakpoint_hits(core.s, Watch::access, address, size);
  const unsigned first = std::min<u64>(size, kPageSize - address % kPageSize);
  Location here, there;
  if (!locate(core, address, Access::read, privilege, here)) return false;
  if (first == size) [[likely]]
    return read_at(core, here, bytes, size);
  if (!locate(core, next_address(core, address, first), Access::read, privilege, there)) return false;
  return read_at(core, here, bytes, first) && read_at(core, there, bytes + first, size - first);
}

// Whether all of an access goes to the device page that was written last.
bool is_known_device(const Core& core, u64 address, unsigned size, Privilege privilege) {
  const Core::DevicePage& known = core.device_pages[1];
  return (address & kPageMask) == known.linear_page && ((address + size - 1) & kPageMask) == known.linear_page &&
         known.privilege == privilege && !core.watches_data;
}

// Both pages are checked before a byte is written, but by KVM's emulator.
__attribute__((noinline)) bool write_as(Core& core, u64 address, const void* data, unsigned size, Privilege privilege) {
  const auto* const bytes = static_cast<const u8*>(data);
  if (core.watches_data) core.breakpoint_hits |= breakpoint_hits(core.s, Watch::write, address, size);
  const unsigned first = std::min<u64>(size, kPageSize - address % kPageSize);
  Location here, there;
  if (!locate(core, address, Access::write, privilege, here)) return false;
  if (first == size) [[likely]]
    return write_at(core, here, bytes, size);
  // QUIRK(kvm, all, emulator_read_write): page by page; a fault on the second one leaves what lies on the first.
  if (core.is_emulated && !write_at(core, here, bytes, first)) return false;
  if (!locate(core, next_address(core, address, first), Access::write, privilege, there)) return false;
  return (core.is_emulated || write_at(core, here, bytes, first)) && write_at(core, there, bytes + first, size - first);
}

// SDM vol. 3 5.3: limit and type checks, in the order KVM guests can observe (null/unusable, type, limit).
bool segment_fault(Core& core, SegReg segment) { return core.raise(segment == SS ? SS_ : GP, 0); }

}  // namespace

bool Core::linear(SegReg segment, u64 offset, unsigned size, Access access, u64& address) {
  if (is_64bit()) {
    address = offset + (segment >= FS ? s.seg[segment].base : 0);
    const unsigned shift = s.cr4 & CR4_LA57 ? 7 : 16;
    const auto canonical = [shift](u64 a) { return static_cast<u64>(static_cast<s64>(a << shift) >> shift) == a; };
    if (!canonical(address) || !canonical(address + size - 1)) return segment_fault(*this, segment);
  } else {
    const SegmentView& v = view[segment];
    const s64 last = static_cast<s64>(offset) + size - 1;
    if (last > (access == Access::write ? v.write_last : v.read_last) &&
        !slow_segment_allows(*this, segment, offset, size, access))
      return segment_fault(*this, segment);
    address = (v.base + offset) & linear_mask;
  }
  if (size > 1 && checks_alignment(*this) && (address & (std::min(size, 8u) - 1)) && !(size & (size - 1)))
    return raise(AC_, 0);
  return true;
}

// Expand-down segments have no place in the fast path's view.
bool slow_segment_allows(const Core& core, SegReg segment, u64 offset, unsigned size, Access access) {
  const Segment& seg = core.s.seg[segment];
  if (core.is_real() || core.is_v86()) return false;
  if (seg.unusable || !seg.present() || !seg.is_code_or_data()) return false;
  const bool is_code = seg.type() & 8;
  if (is_code || !(seg.type() & 4)) return false;
  if (access == Access::write && !(seg.type() & 2)) return false;
  const u64 top = seg.db() ? 0xffffffffu : 0xffffu;
  return offset > seg.limit_bytes && offset + size - 1 <= top;
}

bool Core::read_linear(u64 address, void* data, unsigned size) {
  return read_as(*this, address, data, size, privilege);
}

bool Core::write_linear(u64 address, const void* data, unsigned size) {
  if (is_known_device(*this, address, size, privilege))
    return device_write(*this, Gpa{device_pages[1].page | (address & ~kPageMask)}, static_cast<const u8*>(data), size);
  return write_as(*this, address, data, size, privilege);
}

bool Core::read_supervisor(u64 address, void* data, unsigned size) {
  return read_as(*this, address & linear_mask, data, size, Privilege::supervisor);
}

bool Core::write_supervisor(u64 address, const void* data, unsigned size) {
  return write_as(*this, address & linear_mask, data, size, Privilege::supervisor);
}

bool Core::probe(u64 address, unsigned size, Access access) {
  Location location;
  const unsigned first = std::min<u64>(size, kPageSize - address % kPageSize);
  if (!locate(*this, address, access, privilege, location)) return false;
  return first == size || locate(*this, next_address(*this, address, first), access, privilege, location);
}

u8* locked_pointer(Core& core, u64 linear, unsigned size, bool& ok) {
  if (core.watches_data) {
    core.breakpoint_hits |= breakpoint_hits(core.s, Watch::access, linear, size);
    core.breakpoint_hits |= breakpoint_hits(core.s, Watch::write, linear, size);
  }
  const unsigned first = std::min<u64>(size, kPageSize - linear % kPageSize);
  Location here, there;
  ok = locate(core, linear, Access::write, core.privilege, here);
  if (!ok || first == size) return ok ? here.host : nullptr;
  ok = locate(core, next_address(core, linear, first), Access::write, core.privilege, there);
  return ok && here.host && there.host == here.host + first ? here.host : nullptr;
}

void note_locked_write(Core& core, const u8* host, unsigned size) {
  const unsigned first = std::min<u64>(size, kPageSize - reinterpret_cast<u64>(host) % kPageSize);
  bool is_code = core.blocks->write(host, first);
  if (first < size) is_code |= core.blocks->write(host + first, size - first);
  if (is_code) core.after |= kAfterCode;
}

bool Core::push(u64 value, unsigned size) {
  const u64 mask = stack_mask();
  const u64 sp = (s.gpr[RSP] - size) & mask;
  u64 address = 0;
  if (!linear(SS, sp, size, Access::write, address) || !write_linear(address, &value, size)) return false;
  s.gpr[RSP] = (s.gpr[RSP] & ~mask) | sp;
  return true;
}

bool Core::pop(u64& value, unsigned size) {
  const u64 mask = stack_mask();
  const u64 sp = s.gpr[RSP] & mask;
  u64 address = 0, result = 0;
  if (!linear(SS, sp, size, Access::read, address) || !read_linear(address, &result, size)) return false;
  value = result;
  s.gpr[RSP] = (s.gpr[RSP] & ~mask) | ((sp + size) & mask);
  return true;
}

}  // namespace mock::cpu
