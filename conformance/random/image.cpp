// What memory holds before a guest starts. SDM vol. 3: 3.4.5, 3.5 (descriptors), 4 (paging), 5.8.3 (call gates), 6.11
// (gates of the IDT), 7.2 (task state segments).
#include <cstring>

#include "conformance/random/mode.hpp"

namespace conformance::random {
namespace {

constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kLarge = 0x80;
constexpr u64 kNoExecute = u64{1} << 63;

class Image {
 public:
  Image(Mode mode, std::span<u8> ram) : mode_(mode), ram_(ram) {}

  void build() {
    put_noise();
    put_handlers();
    put_vectors();
    if (mode_ == Mode::real) return;
    put_descriptors();
    put_task_state();
    if (has_paging(mode_)) put_page_tables();
  }

 private:
  template <class T>
  void put(u64 address, T value) {
    std::memcpy(ram_.data() + address, &value, sizeof value);
  }

  void put_noise() {
    Random random(static_cast<u64>(mode_) + 1);
    for (u64 at = kKernelStack; at < kRamBytes; at += 8) put<u64>(at, random.operand());
    // A jump into nowhere meets HLT soon.
    for (u64 at = kCode; at < kCodeEnd; at += 8) put<u64>(at, 0xf4f4f4f4f4f4f4f4);
  }

  void put_handlers() {
    for (unsigned vector = 0; vector < 256; ++vector) {
      u64 at = handler(vector);
      put<u8>(at++, 0xf4);  // HLT
      const bool has_error_code = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
      if (mode_ != Mode::real && has_error_code) {
        if (is_long(mode_)) put<u8>(at++, 0x48);
        put<u16>(at, 0xc483);  // ADD (E|R)SP, word
        put<u8>(at + 2, static_cast<u8>(frame_word(mode_)));
        at += 3;
      }
      if (is_long(mode_)) put<u8>(at++, 0x48);
      put<u8>(at, 0xcf);  // IRET
    }
    for (u64 at = kSystemCalls; at < kSystemCalls + 0x100; ++at) put<u8>(at, 0xf4);
  }

  void put_vectors() {
    for (unsigned vector = 0; vector < 256; ++vector)
      put<u32>(kVectorTable + vector * 4, static_cast<u32>(handler(vector)));
    if (mode_ == Mode::real) return;
    for (unsigned vector = 0; vector < 256; ++vector) {
      const u64 target = handler(vector);
      // Ring 3 may use half of them; every fourth is a trap gate.
      const u64 type = (vector % 4 == 3 ? 0xf : 0xe) | 0x80 | (vector % 2 ? 3 << 5 : 0);
      const u64 gate = (target & 0xffff) | u64{kKernelCs} << 16 | type << 40 | (target >> 16) << 48;
      if (is_long(mode_)) {
        put<u64>(kIdt + vector * 16, gate);
      } else {
        put<u64>(kIdt + vector * 8, gate);
      }
    }
  }

  void segment(u16 selector, u64 base, u64 limit, u64 access, u64 flags) {
    put<u64>(kGdt + (selector & ~7u), (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 |
                                          (limit >> 16 & 15) << 48 | flags << 52 | (base >> 24 & 0xff) << 56);
  }

  // Code is marked as accessed already: QEMU TCG does not do it in far returns.
  void put_descriptors() {
    constexpr u64 kG = 8, kDb = 4, kL = 2;
    const u64 native = is_long(mode_) ? kG | kL : kG | kDb;
    constexpr u64 kAll = 0xfffff;
    segment(kKernelCs, 0, kAll, 0x9b, native);
    segment(kKernelDs, 0, kAll, 0x93, kG | kDb);
    segment(kUserCs, 0, kAll, 0xfb, native);
    segment(kUserDs, 0, kAll, 0xf3, kG | kDb);
    segment(kTssSelector, kTss, 0x7ff, 0x8b, 0);
    segment(kLdtSelector, kLdt, 0x7f, 0x82, 0);
    segment(kCode16, 0, 0xffff, 0x9b, 0);
    segment(kCode32, 0, kAll, 0x9b, kG | kDb);
    segment(kConforming, 0, kAll, 0x9f, native);
    segment(kReadOnlyDs, 0, kAll, 0x90, kG | kDb);
    segment(kAbsentDs, 0, kAll, 0x12, kG | kDb);
    segment(kAbsentCs, 0, kAll, 0x1a, native);
    segment(kExpandDown, 0, 0x7fff, 0x96, kDb);
    segment(kExecuteOnly, 0, kAll, 0x99, native);
    segment(kDataAt64K, kData, 0xffff, 0xf2, 0);
    segment(kOtherTssSelector, kOtherTss, 0x67, 0x89, 0);
    segment(kUserCode16, 0, 0xffff, 0xfb, 0);
    segment(kUserCode32, 0, kAll, 0xfb, kG | kDb);
    segment(kStack16, 0, 0xffff, 0x93, 0);
    segment(kUserStack16, 0, 0xffff, 0xf3, 0);
    put<u64>(kGdt + kCallGate, (kSystemCalls & 0xffff) | u64{kKernelCs} << 16 | 0xecull << 40);
    for (u64 at = 0; at < 0x80; at += 8) put<u64>(kLdt + at, at % 16 ? 0x00cff3000000ffff : 0x00cf92000000ffff);
  }

  void put_task_state() {
    for (const u64 at : {kTss, kOtherTss}) std::memset(ram_.data() + at, 0, 0x68);
    if (is_long(mode_)) {
      put<u64>(kTss + 4, kKernelStackTop - 0x80);
    } else {
      put<u32>(kTss + 4, kKernelStackTop - 0x80);
      put<u16>(kTss + 8, kKernelDs);
    }
    put<u16>(kTss + 0x66, 0x68 + 32);  // the interrupt redirection map stands before the I/O permission map
    std::memset(ram_.data() + kTss + 0x68, 0, 0x798);
    for (u64 port = 0; port < 0x100; port += 2) put<u8>(kTss + 0x88 + port, 0xf0);  // half of the low ports are free
    put<u8>(kTss + 0x7ff, 0xff);
  }

  u64 attributes(u64 address) const {
    if (address >= kTopTable && address < kCode) return 0;
    if (address == kCodeEnd || address == kNotPresentPage) return 0;
    u64 bits = kPresent | kWritable | kUser;
    if (address == kReadOnlyPage) bits &= ~kWritable;
    if (address == kSupervisorPage) bits &= ~kUser;
    return bits;
  }

  void put_page_tables() {
    const bool wide = mode_ == Mode::pae || is_long(mode_);
    std::memset(ram_.data() + kTopTable, 0, kCode - kTopTable);
    for (u64 address = 0; address < kMmio + kPage; address += kPage) {
      if (address >= kRamBytes && address < kMmio) continue;
      const u64 bits = attributes(address);
      if (!bits) continue;
      const u64 entry = address | bits | (wide && address == kNoExecPage ? kNoExecute : 0);
      if (wide) {
        put<u64>(kPt + address / kPage * 8, entry);
      } else {
        put<u32>(kPt + address / kPage * 4, static_cast<u32>(entry));
      }
    }
    constexpr u64 kTable = kPresent | kWritable | kUser;
    if (!wide) {
      put<u32>(kTopTable, kPt | kTable);
      put<u32>(kTopTable + (kLargePage >> 22) * 4, kTable | kLarge);
      return;
    }
    put<u64>(kTopTable, kPdpt | kTable);
    put<u64>(kPdpt, kPd | (is_long(mode_) ? kTable : kPresent));
    if (is_long(mode_)) put<u64>(kPdpt + 8, kTable | kLarge);  // 1 GiB
    put<u64>(kPd, kPt | kTable);
    put<u64>(kPd + (kLargePage >> 21) * 8, kTable | kLarge);
  }

  Mode mode_;
  std::span<u8> ram_;
};

}  // namespace

void build_image(Mode mode, std::span<u8> ram) { Image(mode, ram).build(); }

}  // namespace conformance::random
