// Every form of every x87 instruction (opcode x ModR/M; the mnemonics come from the dispatch table) with random and
// extreme registers, control words and memory operands, on this machine's x87 unit and on the interpreter: registers,
// tags, status, flags and memory must agree, with exceptions masked and unmasked.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include <set>

#include "mock/cpu/fpu.hpp"
#include "mock/cpu/fpu_rows.hpp"
#include "mock/cpu/host_check.hpp"

namespace mock::cpu {
namespace {

// Offsets in the buffer: state before, memory operand, state after, flags after.
constexpr u32 kBefore = 0, kOperand = 0x200, kAfter = 0x400, kFlags = 0x600, kOperandBytes = 128;

using Bits80 = std::array<u64, 2>;

class X87Check {
 public:
  X87Check() {
    code_ =
        static_cast<u8*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~X87Check() { munmap(code_, 4096); }

  // `instruction` has RDI + kOperand as its memory operand, if any.
  void form(const std::vector<u8>& instruction, const std::string& name, unsigned rounds) {
    ++forms;
    const std::vector<u8> code = surround(instruction);
    std::copy(code.begin(), code.end(), code_);
    for (unsigned round = 0; round < rounds; ++round) {
      HostCheck::Buffer host{};
      fill(host);
      HostCheck::Buffer guest = host;
      const HostCheck::Buffer input = host;
      const auto snippet = reinterpret_cast<void (*)(void*)>(code_);
      HostCheck::on_host(snippet, host);
      check_.on_guest(snippet, code_ + code.size(), guest);
      if (testing::Test::HasFatalFailure()) return;
      ++runs;
      if (!same(host, guest, input, name)) return;
    }
  }

  unsigned forms = 0, runs = 0;

 private:
  // FXRSTOR, flags from memory, the instruction, flags and FXSAVE. FNINIT so that nothing is pending on return.
  static std::vector<u8> surround(const std::vector<u8>& instruction) {
    std::vector<u8> code;
    const auto add = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
    add({0x0f, 0xae, 0x8f, kBefore & 0xff, kBefore >> 8, 0, 0});  // fxrstor kBefore(%rdi)
    add({0x31, 0xc0});                                            // xor %eax, %eax
    add({0x8a, 0xa7, kFlags & 0xff, kFlags >> 8, 0, 0, 0x9e});    // mov kFlags(%rdi), %ah; sahf
    code.insert(code.end(), instruction.begin(), instruction.end());
    add({0x66, 0x89, 0x87, (kFlags + 2) & 0xff, kFlags >> 8, 0, 0});  // mov %ax, kFlags+2(%rdi): FNSTSW AX
    add({0x9f, 0x88, 0xa7, kFlags & 0xff, kFlags >> 8, 0, 0});        // lahf; mov %ah, kFlags(%rdi)
    add({0x0f, 0xae, 0x87, kAfter & 0xff, kAfter >> 8, 0, 0});        // fxsave kAfter(%rdi)
    add({0xdb, 0xe3, 0xc3});                                          // fninit; ret
    return code;
  }

  Bits80 extended() {
    constexpr Bits80 kEdges[] = {
        {0, 0},  // zeros
        {0, 0x8000},
        {u64{1} << 63, 0x3fff},  // 1
        {u64{1} << 63, 0xbfff},
        {u64{1} << 63, 0x7fff},  // infinity
        {u64{1} << 63, 0xffff},
        {u64{3} << 62, 0xffff},  // the default NaN
        {u64{5} << 61, 0x7fff},  // signalling
        {1, 0},                  // denormals, pseudo-denormal
        {~u64{0} >> 1, 0x8000},
        {u64{1} << 63, 0},
        {u64{1} << 62, 0x4000},  // unnormal, pseudo-infinity, pseudo-NaN
        {0, 0x7fff},
        {123, 0xffff},
        {~u64{0}, 0x7ffe},             // largest
        {u64{1} << 63, 1},             // smallest normal
        {0xc90fdaa22168c235, 0x4000},  // pi
        {u64{1} << 63, 0x403e},        // 2^63, 2^15, 2^31
        {u64{1} << 63, 0xc03e},
        {u64{1} << 63, 0x400e},
        {u64{1} << 63, 0xc01e},
        {0xb504f333f9de6485, 0x3ffe},  // sqrt(1/2)
    };
    const u64 r = check_.random();
    if (r % 3 == 0) return kEdges[(r >> 8) % std::size(kEdges)];
    const u64 significand = check_.random() | u64{1} << 63;
    if (r % 3 == 1) return {significand, static_cast<u64>(0x3fff - 70 + (r >> 8) % 140) | (r >> 40 & 0x8000)};
    return {check_.random(), check_.random() & 0xffff};
  }

  void fill(HostCheck::Buffer& buffer) {
    FxArea area;
    const u64 r = check_.random();
    const u16 masks = r % 3 == 0 ? static_cast<u16>(r >> 8 & 0x3f) : 0x3f;
    area.fcw = static_cast<u16>(0x40 | (r >> 16 & 0xf00) | masks);
    // Exception flags that are set already must be masked, or the instruction would not be reached.
    area.fsw = static_cast<u16>((r >> 32 & 0x4700) | (r >> 48 & 7) << 11 | (r >> 52 & masks));
    area.ftw = r >> 60 & 1 ? 0xff : static_cast<u8>(check_.random());
    for (auto& reg : area.st) reg = extended();
    std::memcpy(buffer.data(), &area, sizeof area);
    for (u32 i = kOperand / 8; i < (kOperand + kOperandBytes) / 8; i += 2) {
      const Bits80 value = extended();
      buffer[i] = r & 1 ? check_.word() : value[0];
      buffer[i + 1] = value[1];
    }
    buffer[kFlags / 8] = check_.random() & 0xd5;
  }

  // Pointers to the instruction and its operand differ by nature; empty registers hold what was there on both.
  bool same(HostCheck::Buffer& host, HostCheck::Buffer& guest, const HostCheck::Buffer& input,
            const std::string& name) {
    for (HostCheck::Buffer* buffer : {&host, &guest}) {
      (*buffer)[kAfter / 8] &= 0x0000ffffffffffff;  // FOP
      (*buffer)[kAfter / 8 + 1] = (*buffer)[kAfter / 8 + 2] = (*buffer)[kAfter / 8 + 3] = 0;
      for (u32 i = kAfter / 8 + 20; i < (kAfter + 512) / 8; ++i) (*buffer)[i] = 0;
    }
    for (unsigned i = 0; i < host.size(); ++i) {
      if (host[i] == guest[i]) continue;
      FxArea before;
      std::memcpy(static_cast<void*>(&before), input.data(), sizeof before);
      ADD_FAILURE() << name << ": byte " << std::hex << i * 8 << " host " << host[i] << " guest " << guest[i]
                    << "\n  fcw " << before.fcw << " fsw " << before.fsw << " ftw " << int(before.ftw) << " st0 "
                    << before.st[0][1] << ":" << before.st[0][0] << " st1 " << before.st[1][1] << ":" << before.st[1][0]
                    << " memory " << input[kOperand / 8 + 1] << ":" << input[kOperand / 8];
      return false;
    }
    return true;
  }

  HostCheck check_;
  u8* code_;
};

TEST(X87, every_form_equals_the_host) {
  std::set<ZydisMnemonic> rows;
  for (const Row& row : x87_rows()) rows.insert(row.mnemonic);
  rows.erase(ZYDIS_MNEMONIC_EMMS);   // MMX: vector_hostcheck_test.cpp
  rows.erase(ZYDIS_MNEMONIC_FWAIT);  // x87_test.cpp, with the exceptions that it reports
  std::set<ZydisMnemonic> met;
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  X87Check check;
  const auto run = [&](std::vector<u8> code) {
    ZydisDecodedInstruction i;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, code.data(), code.size(), &i))) return;
    if (i.length != code.size() || !rows.contains(i.mnemonic)) return;
    met.insert(i.mnemonic);
    char bytes[32];
    std::snprintf(bytes, sizeof bytes, " %02x %02x", code[0], code[1]);
    check.form(code, ZydisMnemonicGetString(i.mnemonic) + std::string(bytes), 60);
  };
  for (unsigned opcode = 0xd8; opcode <= 0xdf; ++opcode) {
    for (unsigned modrm = 0xc0; modrm <= 0xff; ++modrm) run({static_cast<u8>(opcode), static_cast<u8>(modrm)});
    for (unsigned reg = 0; reg < 8; ++reg) {
      const u8 modrm = static_cast<u8>(0x80 | reg << 3 | 7);  // disp32(%rdi)
      run({static_cast<u8>(opcode), modrm, kOperand & 0xff, kOperand >> 8, 0, 0});
      run({0x66, static_cast<u8>(opcode), modrm, kOperand & 0xff, kOperand >> 8, 0, 0});
    }
    if (HasFatalFailure()) return;
  }
  for (const ZydisMnemonic mnemonic : rows)
    EXPECT_TRUE(met.contains(mnemonic)) << "no form found for " << ZydisMnemonicGetString(mnemonic);
  std::printf("%zu mnemonics, %u forms, %u runs\n", met.size(), check.forms, check.runs);
}

}  // namespace
}  // namespace mock::cpu
