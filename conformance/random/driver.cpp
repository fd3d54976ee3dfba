// See driver.hpp.
#include "conformance/random/driver.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "conformance/random/fault.hpp"
#include "conformance/random/limits.hpp"

namespace conformance::random {

using kvmapi::Exit;

namespace {

constexpr unsigned kMaxExits = 48;
constexpr unsigned kPatience = 2, kLastPatience = 20;  // ticks

// What user space does between two runs. The same in both worlds: it is decided by what one of them shows.
class UserSpace {
 public:
  UserSpace(World& a, World& b, const Program& program, const Code& code)
      : worlds_{&a, &b}, program_(program), code_(code), random_(program.chance) {}

  // False: the program is over.
  bool answer(const Snapshot& s);

 private:
  bool answer_hlt(const Snapshot& s);
  void answer_io(const Snapshot& s);
  void answer_mmio(const Snapshot& s);
  void interrupt(const Snapshot& s);
  bool go_on_after(const Snapshot& s, u64 frame, u64 saved_rip);
  u64 read_word(u64 address) const;
  template <class Action>
  void in_both(const Action& action) {
    for (World* world : worlds_) action(*world);
  }

  World* worlds_[2];
  const Program& program_;
  const Code& code_;
  Random random_;
  std::size_t next_chunk_ = 0;  // not before this one, so that a program ends
};

bool UserSpace::answer(const Snapshot& s) {
  in_both([](World& w) { w.page().request_interrupt_window = 0; });
  switch (s.reason()) {
    case Exit::Io:
      answer_io(s);
      break;
    case Exit::Mmio:
      answer_mmio(s);
      break;
    case Exit::Hlt:
      if (!answer_hlt(s)) return false;
      break;
    case Exit::Debug:
    case Exit::IrqWindowOpen:
    case Exit::SetTpr:
      break;
    default:
      return false;
  }
  interrupt(s);
  return true;
}

void UserSpace::answer_io(const Snapshot& s) {
  if (s.run.exit.as<kvmapi::kvm_exit_io>().direction) return;
  const u64 noise = random_.word();
  in_both([&](World& w) {
    u64 i = 0;
    for (u8& byte : w.vcpu().pio_data()) byte = static_cast<u8>(mix(noise, i++));
  });
}

void UserSpace::answer_mmio(const Snapshot& s) {
  auto mmio = s.run.exit.as<kvmapi::kvm_exit_mmio>();
  if (mmio.is_write) return;
  const u64 noise = random_.word();
  std::memcpy(mmio.data.data(), &noise, sizeof noise);
  in_both([&](World& w) { w.page().exit.set(mmio); });
}

u64 UserSpace::read_word(u64 address) const {
  u64 value = 0;
  const unsigned bytes = frame_word(program_.variant.mode);
  if (address <= kRamBytes - bytes) std::memcpy(&value, worlds_[0]->ram().data() + address, bytes);
  return value;
}

bool UserSpace::answer_hlt(const Snapshot& s) {
  const u64 at = s.sregs.cs.base + s.regs.rip - 1;
  if (at >= kHandlers && at < kHandlers + 0x800 && at % 8 == 0) {
    const unsigned vector = static_cast<unsigned>((at - kHandlers) / 8);
    const bool has_error = has_error_code(vector, program_.variant.mode);
    // A software interrupt pushes no error code, but its handler drops one: no return then.
    const u64 mask = s.sregs.ss.db || s.sregs.cs.l ? ~u64{0} : 0xffff;
    const u64 frame = s.sregs.ss.base + (s.regs.rsp & mask) + (has_error ? frame_word(program_.variant.mode) : 0);
    return go_on_after(s, frame, read_word(frame));
  }
  if (at >= kSystemCalls && at < kSystemCalls + 0x100) return go_on_after(s, kRamBytes, s.regs.rcx);
  return at >= kCode && at < code_.starts.back();
}

bool UserSpace::go_on_after(const Snapshot& s, u64 frame, u64 saved_rip) {
  const auto& starts = code_.starts;
  const auto chunk_after = std::upper_bound(starts.begin(), starts.end(), saved_rip);
  std::size_t chunk = next_chunk_;
  if (saved_rip >= kCode && saved_rip < starts.back())
    chunk = std::max<std::size_t>(chunk, static_cast<std::size_t>(chunk_after - starts.begin()));
  if (chunk >= starts.size() - 1) return false;
  next_chunk_ = chunk + 1;
  const bool is_code = saved_rip >= kCode && saved_rip < kCodeEnd;
  const unsigned bytes = frame_word(program_.variant.mode);
  if (program_.returns && is_code && frame <= kRamBytes - bytes) {
    in_both([&](World& w) { std::memcpy(w.ram().data() + frame, &starts[chunk], bytes); });
    return true;
  }
  kvmapi::kvm_regs regs = s.regs;
  regs.rip = starts[chunk];
  regs.rsp = program_.regs.rsp;
  regs.rflags = program_.regs.rflags;
  kvmapi::kvm_sregs sregs = worlds_[0]->start_sregs();
  sregs.cr2 = s.sregs.cr2;
  sregs.cr8 = s.sregs.cr8;
  in_both([&](World& w) { w.set(regs, &sregs); });
  return true;
}

void UserSpace::interrupt(const Snapshot& s) {
  if (!random_.chance(program_.interrupts)) return;
  const u32 kind = random_.below(100);
  if (kind < 10) return in_both([](World& w) { (void)w.vcpu().nmi(); });
  const u32 vector = 0x20 + random_.below(0xe0);
  if (s.run.ready_for_interrupt_injection) return in_both([&](World& w) { (void)w.vcpu().interrupt(vector); });
  in_both([](World& w) { w.page().request_interrupt_window = 1; });
}

void copy_memory(World& from, World& to) {
  for (u64 page = 0; page < kRamBytes; page += kPage)
    if (std::memcmp(to.ram().data() + page, from.ram().data() + page, kPage) != 0)
      std::memcpy(to.ram().data() + page, from.ram().data() + page, kPage);
}

}  // namespace

Outcome run_in_both(World& a, World& b, const Program& program, const Watcher& watch) {
  Outcome out;
  const Code code = assemble(program);
  for (World* world : {&a, &b}) {
    out.trouble = world->start(program, code);
    if (!out.trouble.empty()) return out.kind = Outcome::Kind::broken, out;
  }
  UserSpace user_space(a, b, program, code);
  out.before.regs = program.regs;
  out.before.sregs = a.start_sregs();
  for (out.exits = 0; out.exits < kMaxExits; ++out.exits) {
    out.a = a.run(kPatience);
    out.b = b.run(kPatience);
    // One may only have been slower.
    if (out.a.error == EINTR && out.b.error != EINTR) out.a = a.run(kLastPatience);
    if (out.b.error == EINTR && out.a.error != EINTR) out.b = b.run(kLastPatience);
    if (watch) watch(out.a, out.b);
    if (out.a.error == EINTR && out.b.error == EINTR) return out.kind = Outcome::Kind::did_not_end, out;
    out.fields = compare(out.a, out.b, a.ram(), b.ram());
    if (!out.fields.empty()) {
      const Explanation why = explain(program, out, a.ram(), b.ram());
      if (why.limits.empty()) {
        out.kind = Outcome::Kind::different;
        out.code.assign(a.ram().begin() + kCode, a.ram().begin() + static_cast<std::ptrdiff_t>(code.starts.back() + 1));
        return out;
      }
      out.limits.insert(out.limits.end(), why.limits.begin(), why.limits.end());
      if (!why.goes_on) break;
      copy_memory(a, b);
    }
    if (out.a.error || !user_space.answer(out.a)) break;
    out.before = out.a;
  }
  return out;
}

}  // namespace conformance::random
