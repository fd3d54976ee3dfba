// MOVS STOS LODS SCAS CMPS INS OUTS with REP prefixes.
//
// Every iteration is complete before the next one starts (registers updated), so a fault or an interrupt in the middle
// leaves the instruction to be continued. MOVS and STOS work on whole pages at a time where nobody can tell.
#include <algorithm>
#include <utility>

#include "mock/cpu/handler_kit.hpp"
#include "mock/cpu/memory.hpp"
#include "mock/cpu/port_io.hpp"

namespace mock::cpu {

namespace {

// Whether each iteration must end in the run loop: the reasons for Core::step but RF, which string instructions set
// themselves.
bool steps(const Core& core) {
  return core.step_once || (core.flags & TF) || core.s.interrupt_shadow_sti || core.s.interrupt_shadow_mov_ss ||
         core.breakpoints_armed;
}

struct Walker {
  Core& core;
  const Op& op;
  u64 mask;  // of the address size

  Walker(Core& core_in, const Op& op_in) : core(core_in), op(op_in), mask(kAddressMask[(op_in.address >> 3) & 3]) {}

  u64 reg(Gpr r) const { return core.s.gpr[r] & mask; }
  void set(Gpr r, u64 value) {
    core.s.gpr[r] = mask == 0xffff ? (core.s.gpr[r] & ~mask) | (value & mask) : value & mask;
  }
  s64 step(unsigned size) const { return core.flags & DF ? -static_cast<s64>(size) : size; }
  void advance(Gpr r, unsigned size, u64 elements = 1) { set(r, reg(r) + static_cast<u64>(step(size)) * elements); }
  bool repeats() const { return op.rep() != Rep::none; }
  u64 remaining() const { return repeats() ? reg(RCX) : 1; }
  // The elements are done. A repetition ends the slice when it has taken as long as a slice of other instructions.
  void count(u64 elements) {
    if (!repeats()) return;
    set(RCX, reg(RCX) - elements);
    constexpr u64 kCheap = 64;  // elements that are done at once for the cost of one
    constexpr u64 kSliceCost = 8192;
    core.repetition_cost += 1 + elements / kCheap;
    if (core.repetition_cost < kSliceCost) return;
    core.repetition_cost = 0;
    core.after |= kAfterSlice;
  }
  // After an iteration: must the engine look at something before the next one?
  bool pause() const { return core.after || steps(core) || core.s.attention.load(std::memory_order_relaxed); }
  // KVM's emulator finds out that nothing is left when it meets the instruction again.
  bool is_last() const { return reg(RCX) == 0 && !core.is_emulated; }
  // Ends the function for now; the instruction goes on later if something remains. An iteration that needs user space
  // leaves RIP on the instruction even if it was the last one, as KVM's emulator does (string_insn_completed() does not
  // look at RCX).
  bool suspend() {
    if (!repeats() || (is_last() && !(core.after & ~kAfterSlice) && !core.ins_count)) return true;
    core.s.rip = core.rip_of(op);
    core.keep_rf = core.mid_repetition = true;
    const bool is_seen = core.after != kAfterSlice || steps(core) || core.s.attention.load(std::memory_order_relaxed);
    if (is_seen && !(core.flags & RF)) {  // between iterations: SDM vol. 3 17.3.1.1
      core.flags |= RF;
      core.step_changed();
    }
    return true;
  }
};

// How many of `wanted` elements lie in the page and segment from `offset` on, ascending; 1 if that is not sure.
u64 run_length(const Core& core, SegReg segment, u64 offset, u64 mask, bool write, unsigned size, u64 wanted) {
  const SegmentView& view = core.view[segment];
  const u64 linear = (view.base + offset) & core.linear_mask;
  u64 n = std::min(wanted, (kPageSize - linear % kPageSize) / size);
  if (n < 2) return 1;
  const u64 last = offset + n * size - 1;
  if (last < offset || last > mask || static_cast<s64>(last) > (write ? view.write_last : view.read_last)) return 1;
  return n;
}

bool bulk_allowed(const Core& core) {
  return !(core.flags & DF) && !steps(core) && !(core.s.cpl == 3 && (core.flags & AC));
}

#ifdef __SANITIZE_THREAD__
constexpr bool kHasThreadSanitizer = true;
#else
constexpr bool kHasThreadSanitizer = false;
#endif

// `from` does not begin inside what was written before it is read. The C library moves vectors, each in one piece;
// ThreadSanitizer would take its accesses for plain ones.
void copy_run(u8* to, const u8* from, u64 bytes) {
  if constexpr (!kHasThreadSanitizer) {
    std::memmove(to, from, bytes);
    return;
  }
  u8 buffer[kPageSize];
  copy_from_guest(buffer, from, static_cast<unsigned>(bytes));
  copy_to_guest(to, buffer, static_cast<unsigned>(bytes));
}

void copy_pages(u8* to, const u8* from, u64 bytes, unsigned size) {
  if (to <= from || to >= from + bytes) return copy_run(to, from, bytes);
  // Overlapping upwards: what was just written is read again.
  const u64 distance = static_cast<u64>(to - from);
  const u64 step = distance < size ? size : distance / size * size;
  for (u64 i = 0; i < bytes; i += step) {
    u8 element[8];
    const unsigned part = static_cast<unsigned>(std::min(step, bytes - i));
    if (distance >= size) {
      copy_run(to + i, from + i, part);
      continue;
    }
    copy_from_guest(element, from + i, part);
    copy_to_guest(to + i, element, part);
  }
}

template <class T>
void fill_page(u8* to, T value, u64 elements) {
  T pattern[16 / sizeof(T)];
  std::fill(std::begin(pattern), std::end(pattern), value);
  SixteenBytes sixteen;
  std::memcpy(&sixteen, pattern, sizeof sixteen);
  u64 bytes = elements * sizeof(T);
  for (; bytes >= 16; to += 16, bytes -= 16) store_16(to, sixteen);
  for (; bytes; to += sizeof(T), bytes -= sizeof(T)) store<T>(to, value);
}

// Several elements by host pointers. 0: not possible, do one; the fault, if any, is found again there.
u64 movs_bulk(Walker& w, unsigned size) {
  Core& core = w.core;
  if (!bulk_allowed(core)) return 0;
  u64 n = run_length(core, w.op.segment(), w.reg(RSI), w.mask, false, size, w.remaining());
  n = std::min(n, run_length(core, ES, w.reg(RDI), w.mask, true, size, n));
  if (n < 2) return 0;
  Location from, to;
  u64 linear;
  if (!core.linear(w.op.segment(), w.reg(RSI), size, Access::read, linear) ||
      !locate(core, linear, Access::read, core.privilege, from) || !from.host)
    return 0;
  if (!core.linear(ES, w.reg(RDI), size, Access::write, linear) ||
      !locate(core, linear, Access::write, core.privilege, to) || !to.host)
    return 0;
  copy_pages(to.host, from.host, n * size, size);
  if (core.blocks->write(to.host, static_cast<unsigned>(n * size))) core.after |= kAfterCode;
  return n;
}

template <class T>
bool movs(Core& core, const Op& op) {
  Walker w(core, op);
  while (w.remaining()) {
    u64 n = w.repeats() ? movs_bulk(w, sizeof(T)) : 0;
    if (n == 0) {
      T value;
      if (!core.read(op.segment(), w.reg(RSI), value) || !core.write(ES, w.reg(RDI), value)) return false;
      n = 1;
    }
    w.advance(RSI, sizeof(T), n);
    w.advance(RDI, sizeof(T), n);
    w.count(n);
    if (!w.repeats() || w.pause()) return w.suspend();
  }
  return true;
}

template <class T>
u64 stos_bulk(Walker& w) {
  Core& core = w.core;
  if (!bulk_allowed(core)) return 0;
  const u64 n = run_length(core, ES, w.reg(RDI), w.mask, true, sizeof(T), w.remaining());
  Location to;
  u64 linear;
  if (n < 2 || !core.linear(ES, w.reg(RDI), sizeof(T), Access::write, linear) ||
      !locate(core, linear, Access::write, core.privilege, to) || !to.host)
    return 0;
  fill_page<T>(to.host, get<T>(&core, RAX * 8), n);
  if (core.blocks->write(to.host, static_cast<unsigned>(n * sizeof(T)))) core.after |= kAfterCode;
  return n;
}

template <class T>
bool stos(Core& core, const Op& op) {
  Walker w(core, op);
  while (w.remaining()) {
    u64 n = w.repeats() ? stos_bulk<T>(w) : 0;
    if (n == 0) {
      if (!core.write(ES, w.reg(RDI), get<T>(&core, RAX * 8))) return false;
      n = 1;
    }
    w.advance(RDI, sizeof(T), n);
    w.count(n);
    if (!w.repeats() || w.pause()) return w.suspend();
  }
  return true;
}

template <class T>
bool lods(Core& core, const Op& op) {
  Walker w(core, op);
  while (w.remaining()) {
    T value;
    if (!core.read(op.segment(), w.reg(RSI), value)) return false;
    set<T>(&core, RAX * 8, value);
    w.advance(RSI, sizeof(T));
    w.count(1);
    if (!w.repeats() || w.pause()) return w.suspend();
  }
  return true;
}

// REPE goes on while equal, REPNE while different.
bool ends_comparison(const Walker& w, bool equal) {
  return !w.repeats() || equal == (w.op.rep() == Rep::repne) || w.is_last();
}

template <class T>
bool scas(Core& core, const Op& op) {
  Walker w(core, op);
  while (w.remaining()) {
    T value;
    if (!core.read(ES, w.reg(RDI), value)) return false;
    const Alu<T> r = alu_sub(get<T>(&core, RAX * 8), value);
    core.lazy = r.flags;
    w.advance(RDI, sizeof(T));
    w.count(1);
    if (ends_comparison(w, r.result == 0)) return true;
    if (w.pause()) return w.suspend();
  }
  return true;
}

template <class T>
bool cmps(Core& core, const Op& op) {
  Walker w(core, op);
  while (w.remaining()) {
    T a, b;
    u64 second;
    // ES:DI is looked at first: no manual says so, a Zen 3 reports that fault when both are there. KVM's emulator reads
    // DS:SI first.
    if (!core.linear(ES, w.reg(RDI), sizeof b, Access::read, second) ||
        (!core.is_emulated && !core.probe(second, sizeof b, Access::read)) || !core.read(op.segment(), w.reg(RSI), a) ||
        !core.read_linear(second, &b, sizeof b))
      return false;
    const Alu<T> r = alu_sub(a, b);
    core.lazy = r.flags;
    w.advance(RSI, sizeof(T));
    w.advance(RDI, sizeof(T));
    w.count(1);
    if (ends_comparison(w, r.result == 0)) return true;
    if (w.pause()) return w.suspend();
  }
  return true;
}

// --- INS OUTS
// ------------------------------------------------------------------------------------------------------------------

constexpr unsigned kReadAheadBytes = 1024;

bool write_as_emulator(Core& core, u64 linear, const u8* data, unsigned bytes) {
  const bool was_emulated = std::exchange(core.is_emulated, true);
  const bool ok = core.write_linear(linear, data, bytes);
  core.is_emulated = was_emulated;
  return ok;
}

// A fault that KVM's emulator has found: it stores RFLAGS anew, with the TF of an owner who steps only where stepping
// began (__kvm_set_rflags()).
bool emulator_fault(Core& core, const Op& op) {
  const auto& owner = core.s.owner;
  const u64 linear = (core.view[CS].base + core.rip_of(op)) & core.linear_mask;
  if (owner.steps && linear != owner.step_rip) core.flags &= ~u32{TF};
  return false;
}

template <unsigned size>
bool ins(Core& core, const Op& op) {
  Walker w(core, op);
  if (!port_allowed(core, static_cast<u16>(core.s.gpr[RDX]), size)) return false;
  while (w.remaining()) {
    core.is_intercepted = true;
    const u64 elements_left = w.remaining();
    u64 linear;
    // As KVM reads ahead (emulate.c, pio_in_emulated): bytes to the end of the page, taken as a number of elements, at
    // most 1 KiB; before it looks at the destination. Ascending, it writes them in one piece.
    const u64 in_page = core.flags & DF ? w.reg(RDI) % kPageSize : kPageSize - w.reg(RDI) % kPageSize;
    const u64 batch = std::max<u64>(1, std::min({in_page, u64{kReadAheadBytes / size}, elements_left}));
    const u64 has_read = core.ins_count - core.ins_used;  // the owner may have changed registers since it was asked
    const u64 written = !w.repeats() || core.flags & DF ? 1 : has_read ? std::min(batch, has_read) : batch;
    u8 data[kReadAheadBytes];
    for (u64 i = 0; i < written; ++i) {
      u64 value;
      if (!port_in(core, static_cast<u16>(core.s.gpr[RDX]), size, batch - i, value)) return false;
      std::memcpy(data + i * size, &value, size);
    }
    const unsigned bytes = static_cast<unsigned>(written) * size;
    if (!core.linear(ES, w.reg(RDI), bytes, Access::write, linear) || !write_as_emulator(core, linear, data, bytes)) {
      core.ins_used = core.ins_count;  // what has been read is lost
      return emulator_fault(core, op);
    }
    w.advance(RDI, size, written);
    w.count(written);
    const bool is_read_ahead = core.ins_used < core.ins_count;  // lost at a device downwards: asked for again
    if (!w.repeats() || core.after & kAfterDevice || (w.pause() && !is_read_ahead)) return w.suspend();
  }
  return true;
}

template <unsigned size>
bool outs(Core& core, const Op& op) {
  Walker w(core, op);
  if (!port_allowed(core, static_cast<u16>(core.s.gpr[RDX]), size)) return false;
  while (w.remaining()) {
    core.is_intercepted = true;
    u64 linear, value = 0;
    if (!core.linear(op.segment(), w.reg(RSI), size, Access::read, linear) || !core.read_linear(linear, &value, size))
      return emulator_fault(core, op);
    port_out_retiring(core, static_cast<u16>(core.s.gpr[RDX]), size, value);
    w.advance(RSI, size);
    w.count(1);
    if (!w.repeats() || w.pause()) return w.suspend();
  }
  return true;
}

constexpr Row kRows[] = {
#define STRING(name, f, T) \
  { ZYDIS_MNEMONIC_##name, &call<f<T>>, kEndsBlock }
    STRING(MOVSB, movs, u8), STRING(MOVSW, movs, u16), STRING(MOVSD, movs, u32), STRING(MOVSQ, movs, u64),
    STRING(STOSB, stos, u8), STRING(STOSW, stos, u16), STRING(STOSD, stos, u32), STRING(STOSQ, stos, u64),
    STRING(LODSB, lods, u8), STRING(LODSW, lods, u16), STRING(LODSD, lods, u32), STRING(LODSQ, lods, u64),
    STRING(SCASB, scas, u8), STRING(SCASW, scas, u16), STRING(SCASD, scas, u32), STRING(SCASQ, scas, u64),
    STRING(CMPSB, cmps, u8), STRING(CMPSW, cmps, u16), STRING(CMPSD, cmps, u32), STRING(CMPSQ, cmps, u64),
    STRING(INSB, ins, 1),    STRING(INSW, ins, 2),     STRING(INSD, ins, 4),     STRING(OUTSB, outs, 1),
    STRING(OUTSW, outs, 2),  STRING(OUTSD, outs, 4),
#undef STRING
};

}  // namespace

std::span<const Row> string_rows() { return kRows; }

}  // namespace mock::cpu
