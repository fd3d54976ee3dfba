// Every user-mode integer instruction form against the processor this test runs on: same registers, flags and memory
// before, the same after. The forms come from the dispatch table (mnemonic x operand pattern x size, whatever the
// encoder accepts), so a new row is tested without being listed. Flags that the manuals call undefined are masked: by
// Zydis' table, and by kUndefined below.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <map>
#include <random>

#include "mock/cpu/dispatch.hpp"
#include "mock/cpu/test_machine.hpp"

namespace mock::cpu {
namespace {

// Fixed places, the same natively and in the guest.
constexpr u64 kScratch = 0x10000000;         // one page of operands and stack
constexpr u64 kContext = kScratch + 0x1000;  // registers of the native run
constexpr u64 kStub = kScratch + 0x2000;     // native code
constexpr u64 kOperand = kScratch + 0x800, kDestination = kScratch + 0xa00, kStack = kScratch + 0xc00;

struct Context {
  std::array<u64, 16> gpr;
  u64 flags;
  u64 host_sp;
};

volatile sig_atomic_t fault_signal;
u64 resume_address;

void on_fault(int signal, siginfo_t*, void* context) {
  fault_signal = signal;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(resume_address);
}

class Host {
 public:
  Host() {
    void* const at = mmap(reinterpret_cast<void*>(kScratch), 0x3000, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    usable_ = at == reinterpret_cast<void*>(kScratch);
    stack_t stack{};
    stack.ss_sp = alternate_.data();
    stack.ss_size = alternate_.size();
    sigaltstack(&stack, &old_stack_);
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (const int s : {SIGFPE, SIGILL, SIGSEGV}) sigaction(s, &action, &old_actions_[s]);
  }
  ~Host() {
    for (auto& [s, action] : old_actions_) sigaction(s, &action, nullptr);
    sigaltstack(&old_stack_, nullptr);
    if (usable_) munmap(reinterpret_cast<void*>(kScratch), 0x3000);
  }
  bool usable() const { return usable_; }
  Context& context() { return *reinterpret_cast<Context*>(kContext); }
  u8* scratch() { return reinterpret_cast<u8*>(kScratch); }

  // Loads everything, runs the instruction, stores everything.
  void build(std::span<const u8> instruction) {
    code_ = reinterpret_cast<u8*>(kStub);
    bytes({0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x9c});  // push callee-saved, flags
    access(0x89, RSP, offsetof(Context, host_sp));
    bytes({0x48, 0xc7, 0xc4});  // mov rsp, &flags
    imm32(kContext + offsetof(Context, flags));
    bytes({0x9d});
    for (unsigned r = 0; r < 16; ++r)
      if (r != RSP) access(0x8b, static_cast<Gpr>(r), r * 8);
    access(0x8b, RSP, RSP * 8);
    for (const u8 b : instruction) *code_++ = b;
    for (unsigned r = 0; r < 16; ++r) access(0x89, static_cast<Gpr>(r), r * 8);
    resume_address = reinterpret_cast<u64>(code_);
    bytes({0x48, 0xc7, 0xc4});
    imm32(kContext + offsetof(Context, flags) + 8);
    bytes({0x9c});
    access(0x8b, RSP, offsetof(Context, host_sp));
    bytes({0x9d, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xfc, 0xc3});
  }
  // The signal, 0 if none.
  int run() {
    fault_signal = 0;
    reinterpret_cast<void (*)()>(kStub)();
    return fault_signal;
  }

 private:
  void bytes(std::initializer_list<u8> list) {
    for (const u8 b : list) *code_++ = b;
  }
  void imm32(u64 value) {
    const u32 v = static_cast<u32>(value);
    std::memcpy(code_, &v, 4);
    code_ += 4;
  }
  // mov between a register and [context + offset], absolute address.
  void access(u8 opcode, Gpr r, u64 offset) {
    bytes({static_cast<u8>(0x48 | (r >= R8 ? 4 : 0)), opcode, static_cast<u8>(0x04 | (r & 7) << 3), 0x25});
    imm32(kContext + offset);
  }

  bool usable_ = false;
  u8* code_ = nullptr;
  std::array<char, 65536> alternate_{};
  stack_t old_stack_{};
  std::map<int, struct sigaction> old_actions_;
};

// The guest sees the scratch page's copy at the same address.
class CheckBus : public FlatBus {
 public:
  CheckBus() : FlatBus(1 << 20), page_(static_cast<u8*>(std::aligned_alloc(kPageSize, kPageSize)), &std::free) {}
  Page page(Gpa address, Access access) override {
    if (address.value == kScratch) return {Page::Kind::ram, page_.get()};
    return FlatBus::page(address, access);
  }
  u8* scratch() { return page_.get(); }

 private:
  std::unique_ptr<u8, void (*)(void*)> page_;
};

// Undefined or unspecified beyond Zydis' table, by mnemonic. SDM vol. 2 and APM vol. 3, the instruction's own page.
u32 undefined_flags(const ZydisDecodedInstruction& instruction, const Context& before, u64 count_operand,
                    unsigned bits) {
  u32 undefined = static_cast<u32>(instruction.cpu_flags->undefined);
  const unsigned count = static_cast<unsigned>(count_operand) & (bits == 64 ? 63 : 31);
  (void)before;
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
      undefined = count == 0 ? 0
                             : AF | (count > 1 && instruction.mnemonic != ZYDIS_MNEMONIC_SAR ? OF : 0u) |
                                   (count >= bits && instruction.mnemonic != ZYDIS_MNEMONIC_SAR ? CF : 0u);
      break;
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
      undefined = count > 1 ? OF : 0u;
      break;
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
      undefined = count == 0 ? 0 : count > bits ? kArithFlags : AF | (count > 1 ? OF : 0u);
      break;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      undefined = OF | SF | AF | PF;
      break;
    case ZYDIS_MNEMONIC_MUL:
    case ZYDIS_MNEMONIC_IMUL:
      undefined = SF | ZF | AF | PF;
      break;
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
      undefined = kArithFlags;
      break;
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR:
      undefined = CF | OF | SF | AF | PF;
      break;
    case ZYDIS_MNEMONIC_LZCNT:
    case ZYDIS_MNEMONIC_TZCNT:
      undefined = OF | SF | AF | PF;
      break;
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_TEST:
      undefined = AF;
      break;
    case ZYDIS_MNEMONIC_ANDN:
      undefined = AF | PF;
      break;
    case ZYDIS_MNEMONIC_BEXTR:
      undefined = AF | SF | PF;
      break;
    case ZYDIS_MNEMONIC_BZHI:
    case ZYDIS_MNEMONIC_BLSI:
    case ZYDIS_MNEMONIC_BLSR:
    case ZYDIS_MNEMONIC_BLSMSK:
      undefined = AF | PF;
      break;
    default:
      break;
  }
  return undefined & kArithFlags;
}

// Not for a comparison of one instruction in user mode: they leave, wait, change what the host must keep, or differ by
// design.
bool is_excluded(ZydisMnemonic m) {
  switch (m) {
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_IN:
    case ZYDIS_MNEMONIC_OUT:
    case ZYDIS_MNEMONIC_INSB:
    case ZYDIS_MNEMONIC_INSW:
    case ZYDIS_MNEMONIC_INSD:
    case ZYDIS_MNEMONIC_OUTSB:
    case ZYDIS_MNEMONIC_OUTSW:
    case ZYDIS_MNEMONIC_OUTSD:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_PREFETCHWT1:
    case ZYDIS_MNEMONIC_CLDEMOTE:
      return true;
    default:
      return false;
  }
}

enum class Kind : u8 { reg, high, mem, imm, cl };

ZydisRegister general(unsigned index, unsigned bits) {
  switch (bits) {
    case 8:
      return static_cast<ZydisRegister>(index < 4 ? ZYDIS_REGISTER_AL + index : ZYDIS_REGISTER_SPL + (index - 4));
    case 16:
      return static_cast<ZydisRegister>(ZYDIS_REGISTER_AX + index);
    case 32:
      return static_cast<ZydisRegister>(ZYDIS_REGISTER_EAX + index);
    default:
      return static_cast<ZydisRegister>(ZYDIS_REGISTER_RAX + index);
  }
}

struct Check {
  Host host;
  CheckBus bus;
  Cpu cpu{bus};
  std::mt19937_64 random{20260722};
  unsigned forms = 0, runs = 0, without_host = 0;

  Check() {
    FlatMachine maker;  // for the register set-up of long mode
    maker.long_mode(0x1000);
    std::memcpy(bus.ram() + 0x70000, maker.bus.ram() + 0x70000, 0x3000);
    State& s = cpu.state();
    s.cr0 = maker.s().cr0;
    s.cr3 = maker.s().cr3;
    s.cr4 = maker.s().cr4;
    s.efer = maker.s().efer;
    s.seg = maker.s().seg;
    cpu.state_changed();
  }

  u64 value() {
    static constexpr u64 kEdges[] = {0,          1,       0x7f,       0x80,         0xff,
                                     0x7fff,     0x8000,  0xffff,     0x7fffffff,   0x80000000,
                                     0xffffffff, ~u64{0}, 1ull << 63, ~u64{0} >> 1, 0x0f0f0f0f0f0f0f0f};
    const u64 r = random();
    return r % 3 == 0 ? kEdges[(r >> 8) % std::size(kEdges)] : r % 3 == 1 ? random() >> ((r >> 8) % 64) : random();
  }

  // One encoded form, several times with other contents. Returns false on the first difference.
  bool run_form(std::span<const u8> code, const ZydisDecodedInstruction& instruction,
                const ZydisDecodedOperand* operands, unsigned times) {
    host.build(code);
    std::memcpy(bus.ram() + 0x1000, code.data(), code.size());
    const bool is_bit_test = instruction.mnemonic == ZYDIS_MNEMONIC_BT || instruction.mnemonic == ZYDIS_MNEMONIC_BTS ||
                             instruction.mnemonic == ZYDIS_MNEMONIC_BTR || instruction.mnemonic == ZYDIS_MNEMONIC_BTC;
    const bool is_string = instruction.meta.category == ZYDIS_CATEGORY_STRINGOP;
    for (unsigned i = 0; i < times; ++i) {
      Context before{};
      for (u64& r : before.gpr) r = value();
      before.gpr[RSI] = kOperand;
      before.gpr[RDI] = kDestination;
      before.gpr[RSP] = kStack;
      before.gpr[RBP] = kStack + 0x40;
      if (instruction.mnemonic == ZYDIS_MNEMONIC_XLAT) before.gpr[RBX] = kOperand;
      if (is_string) before.gpr[RCX] %= 24;
      if (is_bit_test && operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY)
        for (u64& r : before.gpr)
          if (r != kOperand && r != kDestination && r != kStack) r = static_cast<u64>(static_cast<s64>(r << 52) >> 52);
      before.flags = (random() & kArithFlags) | kFlagsFixedOne | IF | (is_string && random() % 2 ? DF : 0u);
      for (unsigned b = 0; b < kPageSize; b += 8) {
        const u64 v = value();
        std::memcpy(host.scratch() + b, &v, 8);
      }
      std::memcpy(bus.scratch(), host.scratch(), kPageSize);
      host.context() = before;
      const int signal = host.run();
      if (signal == SIGILL) {
        ++without_host;
        return true;
      }
      State& s = cpu.state();
      s.gpr = before.gpr;
      s.rip = 0x1000;
      s.idtr.limit = 0;
      cpu.set_rflags(before.flags);
      const Stop stop = cpu.run(1);
      ++runs;
      const bool faulted = stop == Stop::shutdown;  // there is no IDT
      const Context& after = host.context();
      const unsigned last = instruction.operand_count_visible;
      const u64 cl = last && operands[last - 1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? operands[last - 1].imm.value.u
                                                                                     : before.gpr[RCX];
      const u32 mask = static_cast<u32>(kArithFlags | DF) & ~undefined_flags(instruction, before, cl, operands[0].size);
      const bool undefined_result =
          (instruction.mnemonic == ZYDIS_MNEMONIC_SHLD || instruction.mnemonic == ZYDIS_MNEMONIC_SHRD) &&
          operands[0].size == 16 && (cl & 31) > 16;
      bool same = (faulted || stop == Stop::budget) && faulted == (signal != 0);
      if (same && !signal && !undefined_result)
        same = s.gpr == after.gpr && ((cpu.rflags() ^ after.flags) & mask) == 0 &&
               std::memcmp(bus.scratch(), host.scratch(), kPageSize) == 0 && s.rip == 0x1000 + code.size();
      if (same) continue;
      std::string text = ZydisMnemonicGetString(instruction.mnemonic);
      for (const u8 b : code) {
        text += ' ';
        text += std::to_string(b);
      }
      ADD_FAILURE() << text << ": stop " << static_cast<int>(stop) << " mock fault " << faulted << " host signal "
                    << signal << std::hex << " flags before " << before.flags << " mock " << (cpu.rflags() & mask)
                    << " host " << (after.flags & mask) << " mask " << mask;
      for (unsigned r = 0; r < 16; ++r)
        if (s.gpr[r] != after.gpr[r])
          ADD_FAILURE() << "  r" << r << std::hex << ": before " << before.gpr[r] << " mock " << s.gpr[r] << " host "
                        << after.gpr[r];
      return false;
    }
    return true;
  }

  ZydisEncoderOperand operand(Kind kind, unsigned bits, unsigned which) {
    static constexpr unsigned kRegisters[] = {RAX, RDX, R9, RBX, RCX, R12};
    ZydisEncoderOperand o{};
    switch (kind) {
      case Kind::reg:
        o.type = ZYDIS_OPERAND_TYPE_REGISTER;
        o.reg.value = general(kRegisters[which % 6], bits);
        break;
      case Kind::high:
        o.type = ZYDIS_OPERAND_TYPE_REGISTER;
        o.reg.value = static_cast<ZydisRegister>(ZYDIS_REGISTER_AH + which % 4);
        break;
      case Kind::cl:
        o.type = ZYDIS_OPERAND_TYPE_REGISTER;
        o.reg.value = ZYDIS_REGISTER_CL;
        break;
      case Kind::mem:
        o.type = ZYDIS_OPERAND_TYPE_MEMORY;
        o.mem.base = ZYDIS_REGISTER_RSI;
        o.mem.displacement = 16;
        o.mem.size = static_cast<ZyanU16>(bits / 8);
        break;
      case Kind::imm:
        o.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
        o.imm.s = static_cast<s8>(value());
        break;
    }
    return o;
  }

  // All encodable forms of a mnemonic.
  bool check(ZydisMnemonic mnemonic, unsigned times) {
    using enum Kind;
    static const std::vector<std::vector<Kind>> kPatterns = {{},
                                                             {reg},
                                                             {high},
                                                             {mem},
                                                             {imm},
                                                             {reg, reg},
                                                             {reg, high},
                                                             {high, reg},
                                                             {reg, mem},
                                                             {mem, reg},
                                                             {reg, imm},
                                                             {high, imm},
                                                             {mem, imm},
                                                             {reg, cl},
                                                             {mem, cl},
                                                             {high, mem},
                                                             {mem, high},
                                                             {reg, reg, reg},
                                                             {reg, reg, mem},
                                                             {reg, mem, reg},
                                                             {reg, reg, imm},
                                                             {reg, mem, imm},
                                                             {mem, reg, imm},
                                                             {reg, reg, cl},
                                                             {mem, reg, cl},
                                                             {imm, imm}};
    bool good = true;
    for (const ZydisInstructionAttributes prefix :
         {ZyanU64{0}, ZyanU64{ZYDIS_ATTRIB_HAS_LOCK}, ZyanU64{ZYDIS_ATTRIB_HAS_REP}, ZyanU64{ZYDIS_ATTRIB_HAS_REPE},
          ZyanU64{ZYDIS_ATTRIB_HAS_REPNE}}) {
      for (const auto& pattern : kPatterns) {
        for (const unsigned bits : {8u, 16u, 32u, 64u, 128u}) {
          for (const unsigned other : {8u, 16u, 32u, 64u}) {
            if (pattern.size() < 2 && other != 8) continue;
            for (const unsigned shift : {0u, 1u}) {
              ZydisEncoderRequest request{};
              request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
              request.mnemonic = mnemonic;
              request.prefixes = prefix;
              request.operand_count = static_cast<ZyanU8>(pattern.size());
              for (unsigned k = 0; k < pattern.size(); ++k)
                request.operands[k] = operand(pattern[k], k == 0 ? bits : k == 1 ? other : bits, k + shift);
              u8 code[15];
              ZyanUSize length = sizeof code;
              if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, code, &length))) continue;
              ZydisDecoder decoder;
              ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
              ZydisDecodedInstruction instruction;
              ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
              if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, length, &instruction, operands))) continue;
              if (instruction.mnemonic != mnemonic) continue;
              ++forms;
              if (!run_form({code, length}, instruction, operands, times)) good = false;
              if (pattern.empty() && shift == 0) break;
            }
          }
        }
      }
    }
    return good;
  }
};

TEST(HostCheck, every_integer_form_agrees_with_this_processor) {
  Check check;
  if (!check.host.usable()) GTEST_SKIP() << "the fixed test address is taken";
  for (const auto rows_of :
       {binary_rows, unary_rows, move_rows, shift_rows, muldiv_rows, bits_rows, stack_rows, string_rows, misc_rows}) {
    for (const Row& row : rows_of())
      if (!is_excluded(row.mnemonic)) check.check(row.mnemonic, 12);
  }
  std::printf("%u forms, %u runs, %u forms that this processor lacks\n", check.forms, check.runs, check.without_host);
  RecordProperty("forms", static_cast<int>(check.forms));
  EXPECT_GT(check.forms, 1000u);
}

}  // namespace
}  // namespace mock::cpu
