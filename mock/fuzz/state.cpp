// Fuzzer: a vcpu whose state user space sets to anything, field by field, then runs arbitrary code. Impossible: a
// crash, a hang, an errno that KVM_RUN does not have, state that is read and cannot be set again (round_trip.hpp).
//
// An input: Head, then Head::patches times Patch, then the code.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>

#include "guests/layout.hpp"
#include "kvmapi/uapi/all.hpp"
#include "mock/fuzz/round_trip.hpp"
#include "mock/fuzz/watchdog.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace mock::fuzz {
namespace {

constexpr int kRuns = 6;
constexpr std::size_t kMaxPatches = 24;

struct Head {
  u8 mode = 0;
  u8 patches = 0;
  u8 profile = 0;
  u8 has_irqchip = 0;
  u8 answer = 0;
};

// One field of one struct: `which` counts through kGetSets, then MSRs, guest debugging, CPUID, kvm_run.
struct Patch {
  u8 which = 0;
  u8 bytes = 0;
  u16 offset = 0;
  std::array<u8, 8> value{};
};
static_assert(sizeof(Patch) == 12);

class Input {
 public:
  explicit Input(std::span<const u8> data) : data_(data) {}
  template <class T>
  T take() {
    T value{};
    const std::size_t n = std::min(sizeof value, data_.size());
    if (n) std::memcpy(static_cast<void*>(&value), data_.data(), n);
    data_ = data_.subspan(n);
    return value;
  }
  std::span<const u8> rest() const { return data_; }

 private:
  std::span<const u8> data_;
};

// Guest memory between inaccessible pages.
u8* guest_memory() {
  static u8* const memory = [] {
    void* const all = mmap(nullptr, guests::kRamBytes + 2 * kPageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::abort();
    u8* const ram = static_cast<u8*>(all) + kPageSize;
    if (mprotect(ram, guests::kRamBytes, PROT_READ | PROT_WRITE) != 0) std::abort();
    return ram;
  }();
  return memory;
}

kvm_segment segment_of(const guests::Segment& s) {
  return {.base = s.base,
          .limit = s.limit,
          .selector = s.selector,
          .type = s.type,
          .present = s.present,
          .dpl = s.dpl,
          .db = s.db,
          .s = s.s,
          .l = s.l,
          .g = s.g,
          .avl = 0,
          .unusable = 0,
          .padding = 0};
}

// False: this kernel wants a CPUID with long mode first.
bool start(vm::Vcpu& vcpu, guests::Mode mode) {
  const guests::Cpu cpu = guests::start_cpu(mode);
  kvm_sregs s = *vcpu.get_sregs();
  s.cs = segment_of(cpu.cs);
  s.ds = segment_of(cpu.ds);
  s.es = segment_of(cpu.es);
  s.fs = segment_of(cpu.fs);
  s.gs = segment_of(cpu.gs);
  s.ss = segment_of(cpu.ss);
  s.tr = segment_of(cpu.tr);
  s.gdt = {.base = cpu.gdt_base, .limit = cpu.gdt_limit, .padding = {}};
  s.idt = {.base = cpu.idt_base, .limit = cpu.idt_limit, .padding = {}};
  s.cr0 = cpu.cr0;
  s.cr3 = cpu.cr3;
  s.cr4 = cpu.cr4;
  s.efer = cpu.efer;
  if (!vcpu.set_sregs(s)) return false;
  kvm_regs regs{};
  regs.rip = guests::kLoad;
  regs.rsp = guests::kStackTop;
  regs.rflags = 2;
  if (!vcpu.set_regs(regs)) std::abort();
  return true;
}

template <class T>
u64 address_of(T& object) {
  return reinterpret_cast<u64>(&object);
}

void patch_msr(vm::Vcpu& vcpu, const Patch& patch, u64 value) {
  struct {
    kvm_msrs head;
    kvm_msr_entry entry;
  } list{};
  list.head.nmsrs = 1;
  const u32 offset = patch.offset & 0x1fff;
  list.entry.index = patch.offset & 0x8000   ? 0xc0000000u | offset
                     : patch.offset & 0x4000 ? 0x4b564d00u | (offset & 15)
                                             : offset;
  list.entry.data = value;
  if (auto set = vcpu.ioctl(number(Ioctl::SetMsrs), address_of(list)); !set || *set != 1) return;
  if (auto get = vcpu.ioctl(number(Ioctl::GetMsrs), address_of(list)); !get || *get != 1) std::abort();
  if (auto set = vcpu.ioctl(number(Ioctl::SetMsrs), address_of(list)); !set || *set != 1) std::abort();
}

void patch_bytes(std::span<u8> object, const Patch& patch) {
  const std::size_t bytes = std::min<std::size_t>(1 + patch.bytes % 8, object.size());
  std::memcpy(object.data() + patch.offset % (object.size() - bytes + 1), patch.value.data(), bytes);
}

void apply(vm::Vcpu& vcpu, const Patch& patch) {
  constexpr std::size_t kPairs = std::size(kGetSets);
  u64 value;
  std::memcpy(&value, patch.value.data(), sizeof value);
  const std::size_t which = patch.which % (kPairs + 4);
  if (which < kPairs) {
    std::vector<u8> object(info(kGetSets[which].get).argument_bytes);
    if (!vcpu.ioctl(number(kGetSets[which].get), reinterpret_cast<u64>(object.data()))) return;
    patch_bytes(object, patch);
    (void)vcpu.ioctl(number(kGetSets[which].set), reinterpret_cast<u64>(object.data()));
  } else if (which == kPairs) {
    patch_msr(vcpu, patch, value);
  } else if (which == kPairs + 1) {
    kvm_guest_debug debug{};
    patch_bytes({reinterpret_cast<u8*>(&debug), sizeof debug}, patch);
    (void)vcpu.ioctl(number(Ioctl::SetGuestDebug), address_of(debug));
  } else if (which == kPairs + 2) {
    struct {
      kvm_cpuid2 head;
      kvm_cpuid_entry2 entry;
    } list{};
    list.head.nent = 1;
    patch_bytes({reinterpret_cast<u8*>(&list.entry), sizeof list.entry}, patch);
    (void)vcpu.ioctl(number(Ioctl::SetCpuid2), address_of(list));
  } else {
    // The inputs of struct kvm_run, and its sync registers.
    kvm_run& run = vcpu.run_page();
    patch_bytes({reinterpret_cast<u8*>(&run), sizeof run}, patch);
    run.immediate_exit &= 1;
  }
}

void supply_vcpu_cpuid(vm::System& system, vm::Vcpu& vcpu) {
  struct {
    kvm_cpuid2 head;
    std::array<kvm_cpuid_entry2, 128> entries;
  } list{};
  list.head.nent = 128;
  if (system.ioctl(number(Ioctl::GetSupportedCpuid), address_of(list)))
    (void)vcpu.ioctl(number(Ioctl::SetCpuid2), address_of(list));
}

void run(vm::Vcpu& vcpu, const Watchdog& watchdog, u8 answer) {
  for (int i = 0; i < kRuns; ++i) {
    watchdog.start();
    const Result<int> result = vcpu.run(0);
    watchdog.stop();
    const int error = result ? 0 : result.error().value();
    if (error && error != EINTR && error != EFAULT && error != EINVAL) {
      std::fprintf(stderr, "impossible: KVM_RUN fails with %d\n", error);
      std::abort();
    }
    check_round_trips([&](u32 request, u64 argument) { return vcpu.ioctl(request, argument); });
    if (!result && i > 1) return;
    std::memset(reinterpret_cast<u8*>(&vcpu.run_page()) + kPageSize, answer, kPageSize);
    vcpu.run_page().immediate_exit = 0;
  }
}

void fuzz(std::span<const u8> data) {
  static const Watchdog watchdog(2);
  Input input(data);
  const Head head = input.take<Head>();
  const auto mode = static_cast<guests::Mode>(head.mode % 5);
  u8* const memory = guest_memory();
  std::memset(memory, 0, guests::kRamBytes);
  guests::prepare_memory(mode, {memory, guests::kRamBytes});

  const auto names = profile_names();
  vm::System system(
      {.profile = find_profile(names[head.profile % names.size()]), .signals = vm::SignalPolicy::wrapped});
  const std::shared_ptr<vm::Vm> vm = *system.make_vm(0);
  if (head.has_irqchip & 1) (void)vm->create_irqchip();
  if (!vm->set_user_memory_region({.slot = 0,
                                   .flags = 0,
                                   .guest_phys_addr = 0,
                                   .memory_size = guests::kRamBytes,
                                   .userspace_addr = reinterpret_cast<u64>(memory)}))
    std::abort();
  vm::Vcpu& vcpu = **vm->make_vcpu(0, vm::RunPages::in_heap());
  if (head.has_irqchip & 2) supply_vcpu_cpuid(system, vcpu);
  if (!start(vcpu, mode)) return;
  for (std::size_t i = 0; i < head.patches % (kMaxPatches + 1); ++i) apply(vcpu, input.take<Patch>());
  const std::span<const u8> code = input.rest().first(std::min<std::size_t>(input.rest().size(), 0x2000));
  std::copy(code.begin(), code.end(), memory + guests::kLoad);
  check_round_trips([&](u32 request, u64 argument) { return vcpu.ioctl(request, argument); });
  run(vcpu, watchdog, head.answer);
}

}  // namespace
}  // namespace mock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const mock::fuzz::u8* data, std::size_t size) {
  mock::fuzz::fuzz({data, size});
  return 0;
}
