// Writes the first inputs of the fuzzers of this folder: every guest in every mode that can run its code, every ioctl.
//
//   fuzz_seeds FOLDER      makes FOLDER/<fuzzer>/<input>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "guests/catalog.hpp"
#include "kvmapi/ioctl.hpp"
#include "mock/fuzz/cpu_machine.hpp"

namespace mock::fuzz {
namespace {

using Bytes = std::vector<u8>;

bool write(const std::filesystem::path& folder, const std::string& name, const Bytes& bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream file(folder / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return file.good();
}

void append(Bytes& bytes, std::span<const u8> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

std::vector<CpuMode> modes_for(guests::Mode mode) {
  switch (mode) {
    case guests::Mode::real:
      return {CpuMode::real,        CpuMode::unreal,         CpuMode::virtual8086, CpuMode::virtual8086_paged,
              CpuMode::protected16, CpuMode::compatibility16};
    case guests::Mode::prot32:
      return {CpuMode::protected32, CpuMode::compatibility32};
    case guests::Mode::paged32:
      return {CpuMode::paged32};
    case guests::Mode::pae32:
      return {CpuMode::pae32};
    case guests::Mode::long64:
      return {CpuMode::long64, CpuMode::long64_5_levels};
  }
  return {};
}

// Each input tries another combination of control bits and registers.
CpuInput cpu_input(CpuMode mode, unsigned count) {
  static constexpr u16 kChoices[] = {0,        kRing3,          kTrap,      kSupervisor,  kXsave, kInterrupt | kIopl3,
                                     kMoreCr4, kRing3 | kXsave, kNoExecute, kBreakpoints, kHoles, kWriteProtect};
  CpuInput input;
  input.mode = static_cast<u8>(mode);
  input.vector = 0x20;
  input.options = kChoices[count % std::size(kChoices)];
  input.noise = static_cast<u16>(count % 3);
  input.gpr = {1, 15, 3, 5, 0, 3, 3, 4};
  return input;
}

bool write_cpu_seeds(const std::filesystem::path& folder) {
  unsigned count = 0;
  bool ok = true;
  for (const guests::Guest guest : guests::all_guests())
    for (const guests::Mode mode : guests::kEveryMode) {
      const auto code = guests::code(guest, mode);
      if (code.empty()) continue;
      for (const CpuMode cpu_mode : modes_for(mode)) {
        const CpuInput input = cpu_input(cpu_mode, count++);
        Bytes bytes(sizeof input);
        std::memcpy(bytes.data(), &input, sizeof input);
        append(bytes, code);
        const std::string name =
            std::string(guests::name(guest)) + "." + std::to_string(static_cast<unsigned>(cpu_mode));
        ok &= write(folder / "cpu_code", name, bytes) && write(folder / "cpu_blocks", name, bytes);
      }
      Bytes state = {static_cast<u8>(mode), 0, static_cast<u8>(count), static_cast<u8>(count % 4), 0x42};
      append(state, code);
      ok &= write(folder / "state", std::string(guests::name(guest)) + "." + guests::name(mode), state);
    }
  return ok;
}

// profile, then: table step, row, descriptor, kind of argument (exact size), bytes given, bytes; then KVM_RUN.
bool write_ioctl_seeds(const std::filesystem::path& folder) {
  bool ok = true;
  u8 row = 0;
  for (const IoctlInfo& info : ioctls()) {
    if (!info.is_x86 || info.id == Ioctl::Run) continue;
    for (u8 descriptor = 0; descriptor < 3; ++descriptor) {
      Bytes bytes = {row, 0, row, descriptor};
      if (info.passing == Passing::Pointer) {
        append(bytes, Bytes{1, 16});
        append(bytes, Bytes{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0});
      } else {
        bytes.push_back(1);
      }
      append(bytes, Bytes{2, 2});
      ok &= write(folder / "ioctl_calls", std::string(info.name) + "." + std::to_string(descriptor), bytes);
    }
    ++row;
  }
  // A slot at the reset vector, code there, a mapping, two runs.
  const Bytes session = {2, 4, 16 | 32, 1, 3, 4, 2, 0xeb, 0xfe, 8, 2, 3, 0, 0, 2, 2, 10, 2, 6, 2, 5, 1, 2, 2};
  return ok && write(folder / "ioctl_calls", "session", session);
}

}  // namespace
}  // namespace mock::fuzz

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  if (mock::fuzz::write_cpu_seeds(argv[1]) && mock::fuzz::write_ioctl_seeds(argv[1])) return 0;
  std::fprintf(stderr, "fuzz_seeds: cannot write to %s\n", argv[1]);
  return 3;
}
