// Ctx: lazily made objects of one test. See ctx.hpp.
#include "conformance/support/ctx.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <utility>

#include "conformance/support/memory_slot.hpp"
#include "kvmapi/address.hpp"

namespace conformance {

HostPages::HostPages(std::size_t size_bytes) {
  size_bytes_ = (size_bytes + kvmapi::kPageSize - 1) & ~(kvmapi::kPageSize - 1);
  void* pages =
      ::mmap(nullptr, size_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) throw BrokenSetup(fmt::format("no {} bytes of memory for the guest", size_bytes_));
  data_ = static_cast<kvmapi::u8*>(pages);
}

HostPages::HostPages(HostPages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

HostPages& HostPages::operator=(HostPages&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

HostPages::~HostPages() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

Ctx::~Ctx() {
  // The memory of a slot must outlive the VM that uses it.
  vcpu_ = {};
  vm_ = {};
  system_ = {};
}

kvmapi::System& Ctx::system() {
  if (!system_.is_open()) {
    const std::string what = fmt::format("opening {}", target_.device);
    system_ = must(kvmapi::System::open(backend(), target_.device.c_str()), what.c_str());
  }
  return system_;
}

kvmapi::Vm Ctx::new_vm() { return must(system().create_vm(), "KVM_CREATE_VM"); }

kvmapi::Vm& Ctx::vm() {
  if (!vm_.is_open()) vm_ = new_vm();
  return vm_;
}

HostPages& Ctx::memory() {
  if (memory_.data() == nullptr) {
    memory_ = HostPages(memory_bytes_);
    must(vm().set_user_memory_region(slot(0).size(memory_bytes_).host(memory_.data())), "KVM_SET_USER_MEMORY_REGION");
  }
  return memory_;
}

void Ctx::set_memory_bytes(std::size_t bytes) {
  if (memory_.data() != nullptr) broken("the test's memory was made before its size was chosen");
  memory_bytes_ = bytes;
}

kvmapi::Vcpu& Ctx::vcpu() {
  if (!vcpu_.is_open()) {
    memory();
    vcpu_ = must(vm().create_vcpu(0), "KVM_CREATE_VCPU");
  }
  return vcpu_;
}

}  // namespace conformance
