// The timer of the local APIC: one-shot, periodic and TSC-deadline. SDM vol. 3 11.5.4.
#include <algorithm>

#include "mock/devices/lapic.hpp"

namespace mock::devices {
namespace {

constexpr s64 kShortestPeriodNs = 200'000;  // KVM's min_timer_period_us

}  // namespace

// Encoded as bits 0, 1 and 3: 000 divides by 2, 110 by 128, 111 by 1.
u64 Lapic::divide_count() const {
  const u32 divide = reg(kApicTimerDivide);
  const u32 code = (divide & 3) | ((divide & 8) >> 1);
  return u64{1} << ((code + 1) & 7);
}

s64 Lapic::count_to_ns(u32 count) const { return static_cast<s64>(count * bus_cycle_ns_ * divide_count()); }

u32 Lapic::current_count() const {
  if (reg(kApicTimerInitial) == 0 || period_ns_ == 0 || deadline_ns_ == kNever) return 0;
  const s64 remaining_ns = std::max<s64>(deadline_ns_ - clock_.now_ns(), 0) % period_ns_;
  return static_cast<u32>(static_cast<u64>(remaining_ns) / (bus_cycle_ns_ * divide_count()));
}

void Lapic::stop_timer() { deadline_ns_ = kNever; }

// Going to or from TSC-deadline mode disarms the timer.
void Lapic::timer_mode_changed() {
  const u32 mode = timer_mode();
  if (mode == last_timer_mode_) return;
  constexpr u32 kTscDeadline = 2u << 17;
  if ((mode == kTscDeadline) != (last_timer_mode_ == kTscDeadline)) {
    stop_timer();
    set_reg(kApicTimerInitial, 0);
    period_ns_ = 0;
    tsc_deadline_ = 0;
  }
  last_timer_mode_ = mode;
  if (is_periodic() && period_ns_ != 0) period_ns_ = std::max(period_ns_, kShortestPeriodNs);
}

// `remaining`: the count to go on from (a restored timer or a changed divisor); else the initial count.
void Lapic::start_timer(std::optional<u32> remaining) {
  stop_timer();
  period_ns_ = count_to_ns(reg(kApicTimerInitial));
  if (period_ns_ == 0) return;
  if (is_periodic()) period_ns_ = std::max(period_ns_, kShortestPeriodNs);
  s64 first_ns = period_ns_;
  if (remaining) {
    first_ns = std::min(count_to_ns(*remaining), period_ns_);
    if (first_ns == 0 && is_periodic()) first_ns = period_ns_;
    if (first_ns == 0) return;  // a one-shot that has fired already
  }
  deadline_ns_ = clock_.now_ns() + first_ns;
}

void Lapic::start_tsc_deadline() {
  stop_timer();
  if (tsc_deadline_ == 0) return;
  const u64 tsc = clock_.tsc();
  const u64 ticks = tsc_deadline_ > tsc ? tsc_deadline_ - tsc : 0;
  constexpr u64 kLongest = u64{1} << 62;
  const u64 wait_ns =
      std::min(mul_div(std::min(ticks, kLongest), 1'000'000, std::max<u64>(clock_.tsc_khz(), 1)), kLongest);
  deadline_ns_ = clock_.now_ns() + static_cast<s64>(wait_ns);
}

u64 Lapic::tsc_deadline() const { return is_enabled_by_base() && is_tsc_deadline() ? tsc_deadline_ : 0; }

// Dropped without an error unless LVTT is in deadline mode.
void Lapic::set_tsc_deadline(u64 tsc) {
  if (!is_enabled_by_base() || !is_tsc_deadline()) return;
  tsc_deadline_ = tsc;
  start_tsc_deadline();
}

void Lapic::expire(s64 now_ns) {
  if (now_ns < deadline_ns_) return;
  if (is_periodic() && period_ns_ > 0) {
    deadline_ns_ += ((now_ns - deadline_ns_) / period_ns_ + 1) * period_ns_;
  } else {
    stop_timer();
    tsc_deadline_ = 0;
  }
  deliver_local(kApicLvtTimer);
}

}  // namespace mock::devices
