// mock::Mock: descriptors in front of the objects of mock/vm.
#include "mock/mock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <set>

#include "mock/vm/device.hpp"
#include "mock/vm/fd_table.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace mock {
namespace {

using namespace kvmapi;
using vm::FdTable;

class Mock;

// Every mock of the process, for the child of a fork.
struct Registry {
  std::mutex mutex;
  std::set<Mock*> mocks;
};
Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

// One mock's descriptors of the device are told from another's by the name of their file.
std::string new_device_file() {
  static std::atomic<unsigned> count{0};
  return fmt::format("kvm:{}", count.fetch_add(1, std::memory_order_relaxed));
}

class Mock final : public Backend, private vm::Descriptors {
 public:
  Mock(const Profile& profile, const MockOptions& options, const vm::RandomSource& random)
      : diagnostics_(options.log),
        device_(options.device),
        context_{.profile = &profile,
                 .defect = options.defect,
                 .signals = options.signals,
                 .random = random,
                 .diagnostics = &diagnostics_,
                 .descriptors = this},
        system_(context_) {
    table_.set_device(device_file_, system_);
    std::lock_guard lock(registry().mutex);
    registry().mocks.insert(this);
  }
  ~Mock() override {
    std::lock_guard lock(registry().mutex);
    registry().mocks.erase(this);
  }

  Result<int> open(const char* path, int flags) override {
    if (!path || device_ != path) return err(ENOENT);
    const int fd = ::memfd_create(device_file_.c_str(), flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd < 0) return err(errno);
    table_.add_device(fd);
    return fd;
  }

  Result<int> ioctl(int fd, u32 request, u64 argument) override {
    const FdTable::Pin pin(table_, fd);
    if (!pin) return err(pin.error());
    switch (pin->kind) {
      case FdKind::Vcpu:
        return request == number(Ioctl::Run) ? pin->vcpu().run(argument) : pin->vcpu().ioctl(request, argument);
      case FdKind::Vm:
        return pin->vm().ioctl(request, argument);
      case FdKind::System:
        return pin->system().ioctl(request, argument);
      case FdKind::Device:
        return pin->device_object().ioctl(request, argument);
      default:
        return err(ENOTTY);
    }
  }

  Result<void*> mmap(void* address, std::size_t length_bytes, int prot, int flags, int fd,
                     off_t offset_bytes) override {
    const FdTable::Pin pin(table_, fd);
    if (pin && pin->kind != FdKind::Vcpu) return err(ENODEV);
    if (!pin && pin.error() != ENOTTY) return err(pin.error());
    if (pin)
      if (Result<void> allowed = check_mapping(pin->vcpu(), length_bytes, prot, flags, offset_bytes); !allowed)
        return err(allowed.error());
    void* mapping = ::mmap(address, length_bytes, prot, flags, fd, offset_bytes);
    if (mapping == MAP_FAILED) return err(errno);
    if (pin) pin->vcpu().share_coalesced_ring(static_cast<u8*>(mapping), length_bytes, offset_bytes, prot);
    return mapping;
  }

  Result<void> munmap(void* address, std::size_t length_bytes) override {
    if (::munmap(address, length_bytes) != 0) return err(errno);
    return {};
  }

  Result<void> close(int fd) override { return table_.close(fd); }

  std::string name() const override { return fmt::format("mock ({})", context_.profile->name); }

  void after_fork() { table_.after_fork(); }

 private:
  Result<void> check_mapping(vm::Vcpu& vcpu, std::size_t length_bytes, int prot, int flags, off_t offset_bytes) const {
    // KVM's files are on a file system without execution since 6.17.
    if ((prot & PROT_EXEC) && context_.profile->since(6, 17)) return err(EPERM);
    const u64 end = static_cast<u64>(offset_bytes) + length_bytes;
    if (!vcpu.dirty_ring().exists() || end <= vm::kDirtyRingOffset) return {};
    if ((prot & PROT_EXEC) || (flags & MAP_TYPE) == MAP_PRIVATE) return err(EINVAL);
    return {};
  }

  Result<int> add(std::shared_ptr<vm::Vm> machine) override {
    const int fd = ::memfd_create("kvm-vm", MFD_CLOEXEC);
    if (fd < 0) return err(errno);
    vm::Vm* target = machine.get();
    table_.add(fd, FdKind::Vm, std::move(machine), target);
    return fd;
  }
  Result<int> add(std::shared_ptr<vm::Vm> machine, vm::Vcpu& vcpu, int descriptor) override {
    table_.add(descriptor, FdKind::Vcpu, std::move(machine), &vcpu);
    return descriptor;
  }
  Result<int> add(std::shared_ptr<vm::Vm> machine, std::shared_ptr<vm::Device> device) override {
    const int fd = ::memfd_create("kvm-vfio", MFD_CLOEXEC);
    if (fd < 0) return err(errno);
    struct Both {
      std::shared_ptr<vm::Vm> machine;
      std::shared_ptr<vm::Device> device;
    };
    vm::Device* target = device.get();
    table_.add(fd, FdKind::Device, std::make_shared<Both>(Both{std::move(machine), std::move(device)}), target);
    return fd;
  }

  Diagnostics diagnostics_;
  std::string device_;
  vm::Context context_;
  vm::System system_;
  const std::string device_file_ = new_device_file();
  FdTable table_;
};

// Objects made before a fork belong to the parent's address space; the child must not find locks taken.
void install_fork_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); },
                   [] {
                     vm::g_process_generation.fetch_add(1);
                     vm::ThreadRecord::forget_other_threads();
                     for (Mock* mock : registry().mocks) mock->after_fork();
                     registry().mutex.unlock();
                   });
  });
}

}  // namespace

MockResult make_mock(const MockOptions& options) {
  const Profile* profile = find_profile(options.profile);
  if (!profile)
    return {.backend = nullptr,
            .error = fmt::format("no profile \"{}\"; there are {}", options.profile, fmt::join(profile_names(), ", "))};
  const char* const variable = std::getenv("KVMMOCK_RANDOM");
  const std::string wanted = options.random.empty() && variable ? variable : options.random;
  const auto random = vm::RandomSource::parse(wanted);
  if (!random)
    return {.backend = nullptr, .error = fmt::format("random \"{}\" is not {}", wanted, vm::RandomSource::kValid)};
  install_fork_handlers();
  return {.backend = std::make_unique<Mock>(*profile, options, *random), .error = {}};
}

}  // namespace mock
