#include "mock/devices/pic.hpp"

namespace mock::devices {
namespace {

constexpr unsigned kMaster = 0, kSlave = 1;
constexpr unsigned kCascadeLine = 2;
constexpr unsigned kNoPriority = 8;

constexpr u8 bit(unsigned line) { return static_cast<u8>(1u << line); }

// Distance of the best set line from the line with the highest priority; kNoPriority if none is set.
constexpr unsigned best_priority(u8 lines, u8 highest) {
  if (lines == 0) return kNoPriority;
  unsigned priority = 0;
  while (!(lines & bit((priority + highest) & 7))) ++priority;
  return priority;
}
static_assert(best_priority(0b1000'0001, 0) == 0);
static_assert(best_priority(0b1000'0001, 1) == 6);

// Input change of one chip. Edge: a request is made by a rising edge only. Level: the request follows the line.
Pic::Delivery drive(PicChip& chip, unsigned line, bool level) {
  const u8 mask = bit(line);
  bool is_new = true;
  if (chip.elcr & mask) {
    if (level) {
      is_new = !(chip.irr & mask);
      chip.irr |= mask;
      chip.last_irr |= mask;
    } else {
      chip.irr &= ~mask;
      chip.last_irr &= ~mask;
    }
  } else if (level) {
    if (!(chip.last_irr & mask)) {
      is_new = !(chip.irr & mask);
      chip.irr |= mask;
    }
    chip.last_irr |= mask;
  } else {
    chip.last_irr &= ~mask;
  }
  if (chip.imr & mask) return Pic::Delivery::masked;
  return is_new ? Pic::Delivery::delivered : Pic::Delivery::coalesced;
}

}  // namespace

Pic::Pic(Listener* listener) : listener_(listener) { reset(); }

void Pic::reset() {
  chips_ = {};
  chips_[kMaster].elcr_mask = 0xf8;  // lines 0-2 are always edge-triggered
  chips_[kSlave].elcr_mask = 0xde;   // so are 8 and 13
  output_ = false;
}

Pic::Delivery Pic::set_line(unsigned line, bool level) {
  const Delivery delivery = drive(chips_[line >> 3], line & 7, level);
  evaluate();
  return delivery;
}

int Pic::requested_line(const PicChip& chip, bool is_master) const {
  const unsigned wanted = best_priority(chip.irr & ~chip.imr, chip.priority_add);
  if (wanted == kNoPriority) return -1;
  u8 in_service = chip.isr;
  if (chip.special_fully_nested_mode && is_master) in_service &= ~bit(kCascadeLine);
  const unsigned current = best_priority(in_service, chip.priority_add);
  if (wanted >= current) return -1;
  return static_cast<int>((wanted + chip.priority_add) & 7);
}

// The one place that derives outputs from state: the slave's INT pin is line 2 of the master.
void Pic::evaluate() {
  if (requested_line(chips_[kSlave], false) >= 0) {
    drive(chips_[kMaster], kCascadeLine, true);
    drive(chips_[kMaster], kCascadeLine, false);
  }
  output_ = requested_line(chips_[kMaster], true) >= 0;
}

void Pic::clear_in_service(unsigned index, unsigned line) {
  chips_[index].isr &= ~bit(line);
  if (listener_ != nullptr) listener_->pic_acknowledged(index * 8 + line);
}

void Pic::enter_service(unsigned index, unsigned line) {
  PicChip& chip = chips_[index];
  chip.isr |= bit(line);
  if (!(chip.elcr & bit(line))) chip.irr &= ~bit(line);
  if (chip.auto_eoi) {
    if (chip.rotate_on_auto_eoi) chip.priority_add = (line + 1) & 7;
    clear_in_service(index, line);
  }
}

u8 Pic::acknowledge() {
  constexpr unsigned kSpurious = 7;
  const int line = requested_line(chips_[kMaster], true);
  u8 vector;
  if (line < 0) {
    vector = chips_[kMaster].irq_base + kSpurious;
  } else {
    enter_service(kMaster, static_cast<unsigned>(line));
    if (line == static_cast<int>(kCascadeLine)) {
      const int slave_line = requested_line(chips_[kSlave], false);
      if (slave_line >= 0) enter_service(kSlave, static_cast<unsigned>(slave_line));
      vector = chips_[kSlave].irq_base + (slave_line >= 0 ? static_cast<unsigned>(slave_line) : kSpurious);
    } else {
      vector = chips_[kMaster].irq_base + static_cast<unsigned>(line);
    }
  }
  evaluate();
  return vector;
}

bool Pic::covers(u16 port) { return (port & ~0x81) == 0x20 || (port & ~1) == 0x4d0; }

u8 Pic::read(u16 port) {
  if ((port & ~1) == 0x4d0) return chips_[port & 1].elcr;
  const unsigned index = port >> 7;
  PicChip& chip = chips_[index];
  if (chip.poll) return poll(index);
  if (port & 1) return chip.imr;
  return chip.read_reg_select ? chip.isr : chip.irr;
}

// A poll answers with bit 7 and the line, and works as an acknowledge cycle.
u8 Pic::poll(unsigned index) {
  chips_[index].poll = 0;
  const int line = requested_line(chips_[index], index == kMaster);
  if (line < 0) {
    evaluate();
    return 0x07;
  }
  if (index == kSlave) {
    chips_[kMaster].isr &= ~bit(kCascadeLine);
    chips_[kMaster].irr &= ~bit(kCascadeLine);
  }
  chips_[index].irr &= ~bit(static_cast<unsigned>(line));
  clear_in_service(index, static_cast<unsigned>(line));
  if (index == kSlave || line != static_cast<int>(kCascadeLine)) evaluate();
  return static_cast<u8>(line | 0x80);
}

void Pic::write(u16 port, u8 value) {
  if ((port & ~1) == 0x4d0) {
    PicChip& chip = chips_[port & 1];
    chip.elcr = value & chip.elcr_mask;
    return;
  }
  const unsigned index = port >> 7;
  if (port & 1) {
    write_data(index, value);
  } else {
    write_command(index, value);
  }
}

void Pic::write_command(unsigned index, u8 value) {
  PicChip& chip = chips_[index];
  if (value & 0x10) {
    initialise(index, value);
  } else if (value & 0x08) {  // OCW3
    if (value & 0x04) chip.poll = 1;
    if (value & 0x02) chip.read_reg_select = value & 1;
    if (value & 0x40) chip.special_mask = (value >> 5) & 1;
  } else {
    operate(index, value);
  }
}

// ICW1. Edge-triggered lines that were requested or in service start anew; KVM tells their listeners so.
void Pic::initialise(unsigned index, u8 icw1) {
  PicChip& chip = chips_[index];
  const u8 dropped = chip.irr & ~chip.elcr;
  chip.init4 = icw1 & 1;
  chip.last_irr = 0;
  chip.irr &= chip.elcr;
  chip.imr = 0;
  chip.priority_add = 0;
  chip.special_mask = 0;
  chip.read_reg_select = 0;
  if (!chip.init4) {
    chip.special_fully_nested_mode = 0;
    chip.auto_eoi = 0;
  }
  chip.init_state = 1;
  for (unsigned line = 0; line < 8; ++line) {
    if (dropped & bit(line)) clear_in_service(index, line);
  }
}

// OCW2: the commands that end service and rotate priorities.
void Pic::operate(unsigned index, u8 ocw2) {
  PicChip& chip = chips_[index];
  const unsigned command = ocw2 >> 5;
  switch (command) {
    case 0:  // clear, set rotation on automatic EOI
    case 4:
      chip.rotate_on_auto_eoi = command >> 2;
      return;
    case 1:  // EOI, and with rotation
    case 5: {
      const unsigned priority = best_priority(chip.isr, chip.priority_add);
      if (priority == kNoPriority) return;
      const unsigned line = (priority + chip.priority_add) & 7;
      if (command == 5) chip.priority_add = (line + 1) & 7;
      clear_in_service(index, line);
      break;
    }
    case 3:  // EOI of one line
      clear_in_service(index, ocw2 & 7);
      break;
    case 6:  // set priority
      chip.priority_add = (ocw2 + 1) & 7;
      break;
    case 7:  // EOI of one line, and rotation
      chip.priority_add = (ocw2 + 1) & 7;
      clear_in_service(index, ocw2 & 7);
      break;
    default:
      return;
  }
  evaluate();
}

void Pic::write_data(unsigned index, u8 value) {
  PicChip& chip = chips_[index];
  switch (chip.init_state) {
    case 1:
      chip.irq_base = value & 0xf8;
      chip.init_state = 2;
      break;
    case 2:
      chip.init_state = chip.init4 ? 3 : 0;
      break;
    case 3:
      chip.special_fully_nested_mode = (value >> 4) & 1;
      chip.auto_eoi = (value >> 1) & 1;
      chip.init_state = 0;
      break;
    default:
      chip.imr = value;
      evaluate();
      break;
  }
}

void Pic::set_chip(unsigned index, const PicChip& state) {
  const u8 elcr_mask = chips_[index].elcr_mask;
  chips_[index] = state;
  if (state.elcr_mask == 0) chips_[index].elcr_mask = elcr_mask;
  evaluate();
}

}  // namespace mock::devices
