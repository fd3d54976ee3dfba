// Every form of every vector instruction in the tables (mnemonic x operand kinds, whatever the encoder accepts) with
// random and extreme operands and MXCSR settings, on this machine's CPU and on the interpreter: registers, memory,
// MXCSR and flags must agree. Forms that this machine lacks are counted and left out.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "mock/cpu/fpu_rows.hpp"
#include "mock/cpu/host_check.hpp"

namespace mock::cpu {
namespace {

enum Kind : u8 { xmm, ymm, mmx, r32, r64, m1, m2, m4, m8, m16, m32, imm, kKinds };

// Offsets in the buffer.
constexpr s64 kRegisters = 0, kMemory = 0x200, kMxcsr = 0x240, kGeneral = 0x248, kMmxIn = 0x260, kOut = 0x400,
              kOutMxcsr = 0x600, kOutFlags = 0x608, kOutGeneral = 0x610, kOutMmx = 0x620;

ZydisEncoderOperand reg(ZydisRegister r) {
  ZydisEncoderOperand o{};
  o.type = ZYDIS_OPERAND_TYPE_REGISTER;
  o.reg.value = r;
  return o;
}
ZydisEncoderOperand memory(s64 displacement, u16 bytes, ZydisRegister index = ZYDIS_REGISTER_NONE) {
  ZydisEncoderOperand o{};
  o.type = ZYDIS_OPERAND_TYPE_MEMORY;
  o.mem.base = ZYDIS_REGISTER_RDI;
  o.mem.index = index;
  o.mem.scale = index == ZYDIS_REGISTER_NONE ? 0 : 1;
  o.mem.displacement = displacement;
  o.mem.size = bytes;
  return o;
}
ZydisEncoderOperand immediate(u64 value) {
  ZydisEncoderOperand o{};
  o.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
  o.imm.u = value;
  return o;
}

struct Code {
  std::vector<u8> bytes;

  bool emit(ZydisMnemonic mnemonic, std::initializer_list<ZydisEncoderOperand> operands) {
    return emit(mnemonic, operands.begin(), operands.size());
  }
  bool emit(ZydisMnemonic mnemonic, const ZydisEncoderOperand* operands, std::size_t count) {
    ZydisEncoderRequest request{};
    request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
    request.mnemonic = mnemonic;
    request.operand_count = static_cast<u8>(count);
    request.allowed_encodings =
        static_cast<ZydisEncodableEncoding>(ZYDIS_ENCODABLE_ENCODING_LEGACY | ZYDIS_ENCODABLE_ENCODING_VEX);
    std::copy(operands, operands + count, request.operands);
    u8 out[ZYDIS_MAX_INSTRUCTION_LENGTH];
    ZyanUSize length = sizeof out;
    if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, out, &length))) return false;
    bytes.insert(bytes.end(), out, out + length);
    return true;
  }
};

ZydisRegister numbered(ZydisRegister first, unsigned i) { return static_cast<ZydisRegister>(first + i); }

ZydisEncoderOperand operand(Kind kind, unsigned position, u8 immediate_value) {
  constexpr u16 kBytes[] = {1, 2, 4, 8, 16, 32};
  switch (kind) {
    case xmm:
      return reg(numbered(ZYDIS_REGISTER_XMM1, position));
    case ymm:
      return reg(numbered(ZYDIS_REGISTER_YMM1, position));
    case mmx:
      return reg(numbered(ZYDIS_REGISTER_MM1, position));
    case r32:
      return reg(position ? ZYDIS_REGISTER_ECX : ZYDIS_REGISTER_EAX);
    case r64:
      return reg(position ? ZYDIS_REGISTER_RCX : ZYDIS_REGISTER_RAX);
    case imm:
      return immediate(immediate_value);
    default:
      return memory(kMemory, kBytes[kind - m1]);
  }
}

bool has_avx() { return __builtin_cpu_supports("avx"); }

// The instruction between loading XMM/YMM1-4, MM1-2, RAX, RCX, MXCSR and storing them.
std::vector<u8> surround(const std::vector<u8>& instruction, bool uses_mmx) {
  Code c;
  const auto move = has_avx() ? ZYDIS_MNEMONIC_VMOVUPS : ZYDIS_MNEMONIC_MOVUPS;
  const auto first = has_avx() ? ZYDIS_REGISTER_YMM1 : ZYDIS_REGISTER_XMM1;
  const u16 size = has_avx() ? 32 : 16;
  c.emit(ZYDIS_MNEMONIC_LDMXCSR, {memory(kMxcsr, 4)});
  for (unsigned i = 0; i < 4; ++i) c.emit(move, {reg(numbered(first, i)), memory(kRegisters + 32 * i, size)});
  c.emit(move, {reg(static_cast<ZydisRegister>(first - 1)),
                memory(kRegisters + 32 * 4, size)});  // XMM0, the implicit operand of some
  for (unsigned i = 0; uses_mmx && i < 3; ++i) {
    c.emit(ZYDIS_MNEMONIC_MOVQ, {reg(numbered(ZYDIS_REGISTER_MM1, i)), memory(kMmxIn + 8 * i, 8)});
  }
  c.emit(ZYDIS_MNEMONIC_MOV, {reg(ZYDIS_REGISTER_RAX), memory(kGeneral, 8)});
  c.emit(ZYDIS_MNEMONIC_MOV, {reg(ZYDIS_REGISTER_RCX), memory(kGeneral + 8, 8)});
  c.emit(ZYDIS_MNEMONIC_MOV, {reg(ZYDIS_REGISTER_RDX), memory(kGeneral + 16, 8)});
  c.emit(ZYDIS_MNEMONIC_CMP, {memory(kMxcsr, 4), immediate(1)});
  c.bytes.insert(c.bytes.end(), instruction.begin(), instruction.end());
  c.emit(ZYDIS_MNEMONIC_MOV, {memory(kOutGeneral, 8), reg(ZYDIS_REGISTER_RAX)});
  c.emit(ZYDIS_MNEMONIC_MOV, {memory(kOutGeneral + 8, 8), reg(ZYDIS_REGISTER_RCX)});
  c.emit(ZYDIS_MNEMONIC_PUSHFQ, {});
  c.emit(ZYDIS_MNEMONIC_POP, {reg(ZYDIS_REGISTER_RAX)});
  c.emit(ZYDIS_MNEMONIC_AND, {reg(ZYDIS_REGISTER_EAX), immediate(0x8d5)});
  c.emit(ZYDIS_MNEMONIC_MOV, {memory(kOutFlags, 8), reg(ZYDIS_REGISTER_RAX)});
  for (unsigned i = 0; i < 4; ++i) c.emit(move, {memory(kOut + 32 * i, size), reg(numbered(first, i))});
  c.emit(ZYDIS_MNEMONIC_STMXCSR, {memory(kOutMxcsr, 4)});
  for (unsigned i = 0; uses_mmx && i < 3; ++i) {
    c.emit(ZYDIS_MNEMONIC_MOVQ, {memory(kOutMmx + 8 * i, 8), reg(numbered(ZYDIS_REGISTER_MM1, i))});
  }
  if (uses_mmx) c.emit(ZYDIS_MNEMONIC_EMMS, {});
  if (has_avx()) c.emit(ZYDIS_MNEMONIC_VZEROUPPER, {});
  c.emit(ZYDIS_MNEMONIC_RET, {});
  return c.bytes;
}

sigjmp_buf host_lacks_it;
void on_illegal(int) { siglongjmp(host_lacks_it, 1); }

class VectorCheck {
 public:
  VectorCheck() {
    code_ =
        static_cast<u8*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    struct sigaction action {};
    action.sa_handler = on_illegal;
    sigaction(SIGILL, &action, &old_);
  }
  ~VectorCheck() {
    sigaction(SIGILL, &old_, nullptr);
    munmap(code_, 4096);
  }

  void row(ZydisMnemonic mnemonic) {
    const unsigned before = forms;
    std::array<Kind, 4> kinds{};
    for (unsigned count = 1; count <= 4; ++count) enumerate(mnemonic, kinds, 0, count);
    if (forms == before) without_forms.push_back(ZydisMnemonicGetString(mnemonic));
  }

  unsigned forms = 0, runs = 0, lacking = 0;
  std::vector<std::string> without_forms;

 private:
  void enumerate(ZydisMnemonic mnemonic, std::array<Kind, 4>& kinds, unsigned at, unsigned count) {
    if (at >= kinds.size() || at == count) return form(mnemonic, kinds, count);
    for (unsigned k = 0; k < kKinds; ++k) {
      if (at >= 2 && k >= mmx && k < m1 && count == 4) continue;
      kinds[at] = static_cast<Kind>(k);
      unsigned memories = 0;
      for (unsigned i = 0; i <= at; ++i) memories += kinds[i] >= m1 && kinds[i] <= m32;
      if (memories > 1 || (k == imm && at + 1 != count)) continue;
      enumerate(mnemonic, kinds, at + 1, count);
    }
  }

  void form(ZydisMnemonic mnemonic, const std::array<Kind, 4>& kinds, unsigned count) {
    const bool has_imm = kinds[count - 1] == imm;
    const unsigned rounds = has_imm ? 40 : 12;
    bool counted = false;
    for (unsigned round = 0; round < rounds; ++round) {
      const u8 value = static_cast<u8>(check_.random());
      ZydisEncoderOperand operands[4];
      bool uses_mmx = false;
      for (unsigned i = 0; i < count; ++i) {
        operands[i] = operand(kinds[i], i, value);
        uses_mmx |= kinds[i] == mmx;
      }
      Code instruction;
      if (!instruction.emit(mnemonic, operands, count)) return;
      if (!counted) ++forms;
      counted = true;
      if (!run(instruction.bytes, uses_mmx)) {
        ++lacking;
        return;
      }
      if (testing::Test::HasFailure()) return;
    }
  }

  bool run(const std::vector<u8>& instruction, bool uses_mmx) {
    const std::vector<u8> code = surround(instruction, uses_mmx);
    std::copy(code.begin(), code.end(), code_);
    HostCheck::Buffer host{}, guest{};
    for (unsigned i = 0; i < 0x280 / 8; ++i) host[i] = check_.word();
    constexpr u64 kControls[] = {0x1f80, 0x1f80, 0x3f80, 0x5f80, 0x7f80, 0x9f80, 0x1fc0, 0x9fc0, 0x1fbf};
    host[kMxcsr / 8] = kControls[check_.random() % std::size(kControls)];
    guest = host;
    const auto snippet = reinterpret_cast<void (*)(void*)>(code_);
    if (sigsetjmp(host_lacks_it, 1)) return false;
    HostCheck::on_host(snippet, host);
    const u8* end = code_ + code.size();
    check_.on_guest(snippet, end, guest);
    ++runs;
    const auto text = [&] {
      ZydisDecoder decoder;
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
      ZydisDecodedInstruction decoded;
      ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
      ZydisDecoderDecodeFull(&decoder, instruction.data(), instruction.size(), &decoded, operands);
      ZydisFormatter formatter;
      ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
      char out[128];
      ZydisFormatterFormatInstruction(&formatter, &decoded, operands, decoded.operand_count_visible, out, sizeof out, 0,
                                      nullptr);
      return std::string(out);
    };
    for (unsigned i = 0; i < host.size(); ++i) {
      if (host[i] == guest[i]) continue;
      ADD_FAILURE() << text() << ": byte " << std::hex << i * 8 << " host " << host[i] << " guest " << guest[i]
                    << ", mxcsr " << host[kMxcsr / 8] << "\n  in1 " << host[1] << ":" << host[0] << " in2 " << host[5]
                    << ":" << host[4] << " in3 " << host[9] << ":" << host[8] << " mem " << host[kMemory / 8 + 1] << ":"
                    << host[kMemory / 8];
      return true;
    }
    return true;
  }

  HostCheck check_;
  u8* code_;
  struct sigaction old_ {};
};

using RowsOf = std::span<const Row> (*)();

class Vectors : public testing::TestWithParam<RowsOf> {};

TEST_P(Vectors, every_form_equals_the_host) {
  VectorCheck check;
  for (const Row& row : GetParam()()) {
    if (row.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU || row.mnemonic == ZYDIS_MNEMONIC_VMASKMOVDQU ||
        row.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ) {
      continue;  // writes at RDI itself
    }
    check.row(row.mnemonic);
    if (HasFailure()) return;
  }
  std::string missing;
  for (const std::string& name : check.without_forms) missing += " " + name;
  printf("%u forms, %u runs, %u forms that this processor lacks%s%s\n", check.forms, check.runs, check.lacking,
         missing.empty() ? "" : "; no form encoded for", missing.c_str());
}

INSTANTIATE_TEST_SUITE_P(Families, Vectors,
                         testing::Values(simd_int_rows, simd_move_rows, simd_fp_rows, simd_shuffle_rows, simd_avx_rows,
                                         simd_sse4_rows, simd_fma_rows, simd_string_rows));

}  // namespace

// Indices are made small: elements of the buffer itself.
HOST_CHECK(gathers, R"(
  vmovups (%rdi), %ymm1
  vpsrld $24, %ymm1, %ymm1
  vmovups 32(%rdi), %ymm2
  vmovups 64(%rdi), %ymm3
  vmovups 96(%rdi), %ymm4
  vmovaps %ymm3, %ymm0
  vmovaps %ymm4, %ymm5
  vpgatherdd %ymm5, 4(%rdi,%ymm1,2), %ymm0
  vmovups %ymm0, 0x400(%rdi)
  vmovups %ymm5, 0x420(%rdi)
  vmovaps %ymm4, %ymm5
  vgatherdps %xmm5, (%rdi,%xmm1,4), %xmm0
  vmovups %ymm0, 0x440(%rdi)
  vmovaps %ymm3, %ymm5
  vgatherdpd %ymm5, (%rdi,%xmm1,1), %ymm0
  vmovups %ymm0, 0x460(%rdi)
  vpsrlq $32, %ymm1, %ymm1
  vmovaps %ymm2, %ymm5
  vpgatherqq %ymm5, 8(%rdi,%ymm1,1), %ymm0
  vmovups %ymm0, 0x480(%rdi)
  vmovaps %ymm4, %ymm5
  vgatherqps %xmm5, (%rdi,%ymm1,1), %xmm0
  vmovups %ymm0, 0x4a0(%rdi)
  vmovups %ymm5, 0x4c0(%rdi)
  vmovaps %ymm4, %ymm5
  vmovaps %ymm3, %ymm0
  vpgatherqd %xmm5, (%rdi,%xmm1,1), %xmm0
  vmovups %ymm0, 0x4e0(%rdi)
  vmovaps %ymm4, %ymm5
  vpgatherdq %xmm5, (%rdi,%xmm1,1), %xmm0
  vmovups %ymm0, 0x500(%rdi)
  vzeroupper
)");

// Four operands, which the encoder does not make.
HOST_CHECK(variable_blends, R"(
  vmovups (%rdi), %ymm1
  vmovups 32(%rdi), %ymm2
  vmovups 64(%rdi), %ymm3
  vpblendvb %ymm3, %ymm2, %ymm1, %ymm4
  vmovups %ymm4, 0x400(%rdi)
  vblendvps %ymm3, 96(%rdi), %ymm1, %ymm4
  vmovups %ymm4, 0x420(%rdi)
  vblendvpd %xmm3, %xmm2, %xmm1, %xmm4
  vmovups %ymm4, 0x440(%rdi)
  vzeroupper
  vmovups %xmm1, 0x460(%rdi)
  movaps %xmm3, %xmm0
  pblendvb %xmm0, %xmm2, %xmm1
  movups %xmm1, 0x480(%rdi)
)");

namespace {

TEST(VariableBlends, equal_the_host) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this processor has no AVX2";
  HostCheck check;
  check.compare(variable_blends, variable_blends_end, 16, 100);
}

TEST(Gathers, equal_the_host) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this processor has no AVX2";
  HostCheck check;
  check.compare(gathers, gathers_end, 64, 100);
}

}  // namespace
}  // namespace mock::cpu
