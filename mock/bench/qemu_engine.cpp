// QEMU TCG as an engine: a bare machine without firmware whose reset vector leads to a loader of ours and then runs one
// kernel again and again, with 4-KiB page tables in 64-bit mode. After each run it writes the result, eight bytes, to
// port 0xe9, which is a pipe to us. The process is stopped while other engines are measured.
//
// KVM_BENCH_QEMU: the command and its first arguments, separated by spaces; else qemu-system-x86_64 of the PATH.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sstream>

#include "mock/bench/engine.hpp"

// At 0x7000, from the reset vector on.
KERNEL(boot64, ".code16",
       "cli; xor %ax, %ax; mov %ax, %ds; lgdtl 0x7e00;"
       "mov $0x620, %eax; mov %eax, %cr4; mov $0x70000, %eax; mov %eax, %cr3;"  // PAE, SSE
       "mov $0xc0000080, %ecx; rdmsr; or $0x100, %ax; wrmsr; mov $0x80000033, %eax; mov %eax, %cr0;"
       "ljmpl $8, $0x8000")
KERNEL(boot16, ".code16", "cli; mov $0x2000, %ax; mov %ax, %ds; mov %ax, %es; mov %ax, %ss; ljmp $0x1000, $0xff00")
// Where a kernel returns to: report rax, start again. The registers to start with lie behind it: rdi, rsi, rsp, rip.
KERNEL(again64, ".code64",
       "mov $16, %edx; mov %edx, %ds; mov %edx, %es; mov %edx, %ss;"
       "mov $8, %ecx; 1: out %al, $0xe9; shr $8, %rax; dec %ecx; jnz 1b;"
       "mov 0x7f00, %rdi; mov 0x7f08, %rsi; mov 0x7f10, %rsp; movq $0x8000, (%rsp); jmp *0x7f18")
KERNEL(again16, ".code16",
       "mov $8, %cx; 1: out %al, $0xe9; shr $8, %eax; dec %cx; jnz 1b;"
       "mov %cs:0xff80, %edi; mov %cs:0xff88, %esi; mov %cs:0xff90, %sp; mov %sp, %bp; movw $0xff00, (%bp);"
       "jmp *%cs:0xff98")

namespace bench {
namespace {

using u8 = std::uint8_t;
using u64 = std::uint64_t;

constexpr double kWindow = 0.06;  // seconds of CPU time that one measurement takes at least
constexpr u64 kBoot = 0x7000, kPageTables = 0x70000, kLastTables = 0x1000000, kGdt = 0x7e00;
constexpr std::size_t kFirmwareBytes = 64 << 10;

std::vector<std::string> command() {
  const char* given = std::getenv("KVM_BENCH_QEMU");
  std::istringstream words(given != nullptr ? given : "qemu-system-x86_64");
  std::vector<std::string> command;
  for (std::string word; words >> word;) command.push_back(word);
  return command;
}

// A child process and what it writes to its standard output.
class Child {
 public:
  explicit Child(const std::vector<std::string>& words) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(ends[1], 1);
      dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 0);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }
  ~Child() {
    close(output_);
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Bytes read, at most `size`; 0: it has ended.
  std::size_t read(u8* to, std::size_t size) const {
    const ssize_t got = ::read(output_, to, size);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  bool has_output() const {
    pollfd fd{output_, POLLIN, 0};
    return poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0;
  }
  void stop() const { kill(pid_, SIGSTOP); }
  void go_on() const { kill(pid_, SIGCONT); }
  double cpu_seconds() const {
    clockid_t clock;
    timespec t{};
    if (clock_getcpuclockid(pid_, &clock) == 0) clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

template <class T>
void put(u8* ram, u64 at, T value) {
  std::memcpy(ram + at, &value, sizeof value);
}

void put_page_tables(u8* ram) {
  put<u64>(ram, kPageTables, (kPageTables + 0x1000) | 7);
  put<u64>(ram, kPageTables + 0x1000, (kPageTables + 0x2000) | 7);
  for (u64 i = 0; i < kRamBytes >> 21; ++i) put<u64>(ram, kPageTables + 0x2000 + i * 8, (kLastTables + i * 0x1000) | 7);
  for (u64 i = 0; i < kRamBytes >> 12; ++i) put<u64>(ram, kLastTables + i * 8, i << 12 | 7);
}

// The machine's memory when it starts.
std::vector<u8> memory(const Kernel& kernel) {
  std::vector<u8> ram(kRamBytes);
  const Layout& at = layout(kernel);
  place(kernel, ram.data());
  const bool is_long = kernel.bits == 64;
  const auto code = [&](u64 to, std::string_view bytes) { std::memcpy(ram.data() + to, bytes.data(), bytes.size()); };
  code(kBoot, is_long ? KERNEL_CODE(boot64) : KERNEL_CODE(boot16));
  code(at.after, is_long ? KERNEL_CODE(again64) : KERNEL_CODE(again16));
  const u64 registers[] = {at.data - at.data_base, kernel.iterations, at.stack - at.data_base, at.code - at.code_base};
  std::memcpy(ram.data() + (is_long ? 0x7f00 : at.after + 0x80), registers, sizeof registers);
  put<std::uint16_t>(ram.data(), kGdt, 31);
  put<std::uint32_t>(ram.data(), kGdt + 2, kGdt + 16);
  put<u64>(ram.data(), kGdt + 16 + 8, 0x00af9b000000ffff);
  put<u64>(ram.data(), kGdt + 16 + 16, 0x00cf93000000ffff);
  if (is_long) put_page_tables(ram.data());
  return ram;
}

class TemporaryFile {
 public:
  TemporaryFile(const u8* data, std::size_t size) {
    const int fd = mkstemp(path_);
    if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
    close(fd);
  }
  ~TemporaryFile() { unlink(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const char* path() const { return path_; }

 private:
  char path_[24] = "/tmp/kvm-bench-XXXXXX";
};

std::string loader(const TemporaryFile& file, u64 address) {
  return "loader,force-raw=on,file=" + std::string(file.path()) + ",addr=" + std::to_string(address);
}

class QemuEngine : public Engine {
 public:
  explicit QemuEngine(const Kernel& kernel) : Engine("qemu"), kernel_(kernel) {
    std::vector<u8> firmware(kFirmwareBytes, 0xf4);
    std::memcpy(firmware.data() + kFirmwareBytes - 16, "\xea\x00\x00\x00\x07", 5);  // ljmp $0x700, $0
    const std::vector<u8> ram = memory(kernel);
    constexpr u64 kLowEnd = kPageTables + 0x3000;
    const TemporaryFile rom(firmware.data(), firmware.size()), low(ram.data() + kBoot, kLowEnd - kBoot),
        high(ram.data() + kLayout64.data, kRamBytes - kLayout64.data);
    std::vector<std::string> words = command();
    for (const std::string& word :
         {std::string("-accel"), std::string("tcg"), std::string("-cpu"), std::string("max"), std::string("-m"),
          std::string("64"), std::string("-nodefaults"), std::string("-display"), std::string("none"),
          std::string("-debugcon"), std::string("stdio"), std::string("-bios"), std::string(rom.path()),
          std::string("-device"), loader(low, kBoot), std::string("-device"), loader(high, kLayout64.data)})
      words.push_back(word);
    child_ = std::make_unique<Child>(words);
    next_marker();
    next_marker();  // the first one is what rax held before any run
    child_->stop();
    first_result_ = result_ - base();
  }

  bool is_running() const { return !has_ended_; }

  Outcome run() override {
    while (child_->has_output()) take_some();
    child_->go_on();
    next_marker();
    const double start = child_->cpu_seconds();
    double end = start;
    int runs = 0;
    for (; end - start < kWindow && !has_ended_; ++runs) {
      next_marker();
      end = child_->cpu_seconds();
    }
    child_->stop();
    if (has_ended_) {
      std::fprintf(stderr, "bench: QEMU ended in the middle of a run\n");
      std::abort();
    }
    return {(end - start) / runs, result_ - base()};
  }
  u64 first_result() override { return first_result_; }

 private:
  u64 base() const { return kernel_.gives_address ? layout(kernel_).data - layout(kernel_).data_base : 0; }
  void take_some() {
    u8 byte = 0;
    if (child_->read(&byte, 1) == 0) {
      has_ended_ = true;
      return;
    }
    u8* bytes = reinterpret_cast<u8*>(&partial_);
    bytes[filled_] = byte;
    if (++filled_ == sizeof partial_) {
      filled_ = 0;
      result_ = partial_;
      ++markers_;
    }
  }
  void next_marker() {
    for (const u64 before = markers_; markers_ == before && !has_ended_;) take_some();
  }

  const Kernel& kernel_;
  std::unique_ptr<Child> child_;
  bool has_ended_ = false;
  u64 partial_ = 0, result_ = 0, first_result_ = 0, markers_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace

std::string qemu_version() {
  std::vector<std::string> words = command();
  words.emplace_back("--version");
  Child child(words);
  std::string text;
  for (u8 byte = 0; child.read(&byte, 1) != 0 && byte != '\n';) text += static_cast<char>(byte);
  return text.empty() ? "none: no " + words[0] : text;
}

std::unique_ptr<Engine> make_qemu_engine(const Kernel& kernel) {
  static const bool is_there = !qemu_version().starts_with("none");
  if (!is_there) return nullptr;
  auto engine = std::make_unique<QemuEngine>(kernel);
  if (!engine->is_running()) {
    std::fprintf(stderr, "bench: QEMU does not start\n");
    return nullptr;
  }
  return engine;
}

}  // namespace bench
