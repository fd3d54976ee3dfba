// The two cascaded 8259A interrupt controllers of a PC (Intel 8259A data sheet; ELCR as in the Intel PIIX/ICH), with
// the state that KVM_GET_IRQCHIP shows. Leaves out what KVM leaves out: single mode, slave programming order checks,
// MCS-80 mode.
#pragma once

#include <array>

#include "kvmapi/types.hpp"

namespace mock::devices {

using namespace kvmapi;  // u8 ... s64

// One chip, field for field what struct kvm_pic_state holds.
struct PicChip {
  u8 last_irr = 0;         // line levels seen last, for edge detection
  u8 irr = 0;              // requests
  u8 imr = 0;              // masked
  u8 isr = 0;              // in service
  u8 priority_add = 0;     // the line that has the highest priority now
  u8 irq_base = 0;         // vector of line 0
  u8 read_reg_select = 0;  // 1: a read of the command port gives ISR
  u8 poll = 0;             // the next read is a poll
  u8 special_mask = 0;
  u8 init_state = 0;  // which initialisation word comes next: 0 none, 1 ICW2, 2 ICW3, 3 ICW4
  u8 auto_eoi = 0;
  u8 rotate_on_auto_eoi = 0;
  u8 special_fully_nested_mode = 0;
  u8 init4 = 0;      // ICW4 will come
  u8 elcr = 0;       // level-triggered lines
  u8 elcr_mask = 0;  // which ELCR bits can be written
};

class Pic {
 public:
  static constexpr unsigned kLines = 16;

  // What happens to a request, as KVM_IRQ_LINE_STATUS reports it.
  enum class Delivery : s8 { masked = -1, coalesced = 0, delivered = 1 };

  // Told when a line's service ends (EOI or automatic EOI): a level-triggered source may drop its line or ask again.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void pic_acknowledged(unsigned line) = 0;
  };

  explicit Pic(Listener* listener = nullptr);

  // Drives input `line` (0-15) of the pair.
  Delivery set_line(unsigned line, bool level);

  // The INT pin of the master: acknowledge() would give a vector that is not spurious.
  bool output() const { return output_; }

  // INTA cycle: the vector, which enters service. Without a request the spurious vector of line 7.
  u8 acknowledge();

  // 0x20-0x21, 0xa0-0xa1, 0x4d0-0x4d1.
  static bool covers(u16 port);
  u8 read(u16 port);
  void write(u16 port, u8 value);

  void reset();

  const PicChip& chip(unsigned index) const { return chips_[index]; }
  // Loads saved state (KVM_SET_IRQCHIP); requests in it take effect.
  void set_chip(unsigned index, const PicChip& state);

 private:
  int requested_line(const PicChip& chip, bool is_master) const;
  void evaluate();
  void clear_in_service(unsigned index, unsigned line);
  void enter_service(unsigned index, unsigned line);
  void initialise(unsigned index, u8 icw1);
  void operate(unsigned index, u8 ocw2);
  void write_command(unsigned index, u8 value);
  void write_data(unsigned index, u8 value);
  u8 poll(unsigned index);

  std::array<PicChip, 2> chips_;
  bool output_ = false;
  Listener* listener_;
};

}  // namespace mock::devices
