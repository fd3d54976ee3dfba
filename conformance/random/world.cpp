// See world.hpp. The state of a vcpu is set in the order that KVM wants: system registers, registers, events last.
#include "conformance/random/world.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <map>

namespace conformance::random {

using kvmapi::Cap;
using kvmapi::Exit;

namespace {

volatile sig_atomic_t ticks;
void on_tick(int) { ticks = ticks + 1; }

// The memory that programs of a mode start with, built once.
const std::vector<u8>& image_of(Mode mode) {
  static std::map<Mode, std::vector<u8>> images;
  std::vector<u8>& image = images[mode];
  if (image.empty()) {
    image.resize(kRamBytes);
    build_image(mode, image);
  }
  return image;
}

constexpr unsigned kMxcsrWord = 24 / 4, kXstateBvWord = 512 / 4;

constexpr u32 kMsrs[] = {0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102};
constexpr u64 kMsrValues[] = {
    kKernelCs,           kKernelStackTop - 0x40, kSystemCalls, u64{kKernelCs} << 32 | u64{kKernelDs} << 48,
    kSystemCalls + 0x10, kSystemCalls + 0x20,    0x40700,      0x11000};

}  // namespace

void start_watchdog(unsigned milliseconds) {
  struct sigaction action {};
  action.sa_handler = on_tick;  // without SA_RESTART
  sigaction(SIGALRM, &action, nullptr);
  const timeval period{.tv_sec = milliseconds / 1000, .tv_usec = static_cast<suseconds_t>(milliseconds % 1000 * 1000)};
  const itimerval timer{period, period};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

unsigned watchdog_ticks() { return static_cast<unsigned>(ticks); }

std::unique_ptr<World> World::make(kvmapi::Backend& backend, const kvmapi::Cpuid* cpuid, std::string& error) {
  std::unique_ptr<World> world(new World(backend));
  error = world->open(cpuid);
  if (!error.empty()) return nullptr;
  return world;
}

World::~World() {
  if (ram_) munmap(ram_, kRamBytes);
}

std::string World::failed(const char* call, kvmapi::Errno error) const {
  return fmt::format("{}: {}: {}", backend_.name(), call, std::strerror(error.value()));
}

std::string World::open(const kvmapi::Cpuid* cpuid) {
  auto system = kvmapi::System::open(backend_);
  if (!system) return failed("open", system.error());
  system_ = std::move(*system);
  void* const memory = mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return failed("mmap", kvmapi::Errno{errno});
  ram_ = static_cast<u8*>(memory);
  cpuid_ = cpuid ? *cpuid : supported_cpuid();
  return make_vm();
}

std::string World::make_vm() {
  auto vm = system_.create_vm();
  while (!vm && vm.error().value() == EINTR) vm = system_.create_vm();  // the watchdog's signal
  if (!vm) return failed("KVM_CREATE_VM", vm.error());
  vm_ = std::move(*vm);
  const kvmapi::kvm_userspace_memory_region region{.slot = 0,
                                                   .flags = 0,
                                                   .guest_phys_addr = 0,
                                                   .memory_size = kRamBytes,
                                                   .userspace_addr = reinterpret_cast<u64>(ram_)};
  if (auto set = vm_.set_user_memory_region(region); !set) return failed("KVM_SET_USER_MEMORY_REGION", set.error());
  auto vcpu = vm_.create_vcpu(0);
  if (!vcpu) return failed("KVM_CREATE_VCPU", vcpu.error());
  vcpu_ = std::move(*vcpu);
  if (auto set = vcpu_.set_cpuid2(cpuid_); !set) return failed("KVM_SET_CPUID2", set.error());
  auto sregs = vcpu_.get_sregs();
  if (!sregs) return failed("KVM_GET_SREGS", sregs.error());
  reset_sregs_ = *sregs;
  vcpu_.page().kvm_valid_regs = 7;
  return "";
}

kvmapi::Cpuid World::supported_cpuid() const {
  kvmapi::Cpuid table(256);
  if (!system_.get_supported_cpuid(table)) table.resize(0);
  return table;
}

void World::load_memory(const Program& program, const Code& code) {
  const std::vector<u8>& image = image_of(program.variant.mode);
  for (u64 page = 0; page < kRamBytes; page += kPage)
    if (std::memcmp(ram_ + page, image.data() + page, kPage) != 0) std::memcpy(ram_ + page, image.data() + page, kPage);
  std::memcpy(ram_ + kCode, code.bytes.data(), std::min<std::size_t>(code.bytes.size(), kCodeEnd - kCode));
}

// An exit that waits for its answer; the next part of an access is another exit. A repeated instruction is cut short:
// KVM's emulator goes on with it whatever the registers are now.
void World::complete_exit() {
  page().immediate_exit = 1;
  for (unsigned parts = 0; parts < 2048 && vcpu_.run(); ++parts) {
    auto regs = vcpu_.get_regs();
    if (!regs) break;
    regs->rcx = 1;
    (void)vcpu_.set_regs(*regs);
  }
  page().immediate_exit = 0;
}

std::string World::start(const Program& program, const Code& code) {
  complete_exit();
  load_memory(program, code);
  start_sregs_ = reset_sregs_;
  set_start(program.variant, start_sregs_);
  kvmapi::kvm_run& run = page();
  run.request_interrupt_window = 0;
  run.cr8 = 0;
  std::string trouble;
  const auto must = [&](const char* call, const kvmapi::Result<int>& result) {
    if (!result && trouble.empty()) trouble = failed(call, result.error());
  };
  must("KVM_SET_MP_STATE", vcpu_.set_mp_state({0}));
  must("KVM_SET_SREGS", vcpu_.set_sregs(start_sregs_));
  must("KVM_SET_REGS", vcpu_.set_regs(program.regs));
  is_debugged_ = program.variant.single_step;
  must("KVM_SET_GUEST_DEBUG", debug());
  must("KVM_SET_XSAVE", set_fpu(program.fpu));
  uses_fpu_ = program.uses_fpu;
  kvmapi::kvm_debugregs breakpoints{};
  breakpoints.dr6 = 0xffff0ff0;
  breakpoints.dr7 = 0x400;
  must("KVM_SET_DEBUGREGS", vcpu_.set_debugregs(breakpoints));
  kvmapi::Msrs msrs(std::size(kMsrs));
  for (unsigned i = 0; i < std::size(kMsrs); ++i) msrs[i] = {.index = kMsrs[i], .reserved = 0, .data = kMsrValues[i]};
  must("KVM_SET_MSRS", vcpu_.set_msrs(msrs));
  kvmapi::kvm_vcpu_events events{};
  events.flags = 4 | 1;  // shadow, NMI pending
  must("KVM_SET_VCPU_EVENTS", vcpu_.set_vcpu_events(events));
  return trouble;
}

// KVM_SET_FPU leaves MXCSR alone. SDM vol. 1, 13.4.1: the image.
kvmapi::Result<int> World::set_fpu(const kvmapi::kvm_fpu& fpu) {
  kvmapi::kvm_xsave image{};
  auto* const bytes = reinterpret_cast<u8*>(image.region.data());
  const u64 control = u64{fpu.fcw} | u64{fpu.fsw} << 16 | u64{fpu.ftwx} << 32 | u64{fpu.last_opcode} << 48;
  std::memcpy(bytes, &control, sizeof control);
  std::memcpy(bytes + 8, &fpu.last_ip, 8);
  std::memcpy(bytes + 16, &fpu.last_dp, 8);
  image.region[kMxcsrWord] = fpu.mxcsr;
  std::memcpy(bytes + 32, fpu.fpr.data(), sizeof fpu.fpr);
  std::memcpy(bytes + 160, fpu.xmm.data(), sizeof fpu.xmm);
  image.region[kXstateBvWord] = 3;
  return vcpu_.set_xsave(image);
}

void World::set(const kvmapi::kvm_regs& regs, const kvmapi::kvm_sregs* sregs) {
  if (sregs) (void)vcpu_.set_sregs(*sregs);
  (void)vcpu_.set_regs(regs);
  if (is_debugged_) (void)debug();
}

// Single steps are asked for after the registers are set: KVM remembers where they begin.
kvmapi::Result<int> World::debug() const { return vcpu_.set_guest_debug({.control = is_debugged_ ? 3u : 0u}); }

Snapshot World::run(unsigned patience) {
  Snapshot s;
  const unsigned first = watchdog_ticks();
  // DR7 of a debug exit: KVM leaves what was there when its emulator makes the step.
  page().exit.words[3] = 0;
  for (;;) {
    // Kernels set bits of interrupt_bitmap here and never clear one.
    reinterpret_cast<kvmapi::kvm_sync_regs*>(page().s.words.data())->sregs.interrupt_bitmap = {};
    auto result = vcpu_.run();
    s.error = result ? 0 : result.error().value();
    if (s.error != EINTR || watchdog_ticks() - first > patience) break;
  }
  s.run = page();
  const auto sync = s.run.s.as<kvmapi::kvm_sync_regs>();
  s.regs = sync.regs;
  s.sregs = sync.sregs;
  s.events = sync.events;
  if (s.error == 0 && s.reason() == Exit::Io) {
    const std::span<const u8> data = vcpu_.pio_data();
    std::memcpy(s.io_data.data(), data.data(), std::min(data.size(), s.io_data.size()));
  }
  if (auto fpu = vcpu_.get_fpu(); fpu) s.fpu = *fpu;
  if (uses_fpu_)
    if (auto image = vcpu_.get_xsave(); image) s.mxcsr = image->region[kMxcsrWord];
  if (auto debug = vcpu_.get_debugregs(); debug) s.debug = *debug;
  return s;
}

}  // namespace conformance::random
