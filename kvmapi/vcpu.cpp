#include "kvmapi/vcpu.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace kvmapi {

Result<Vcpu> Vcpu::from_fd(Fd fd, std::size_t mapping_bytes) {
  const Result<void*> mapping =
      fd.backend().mmap(nullptr, mapping_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.fd(), 0);
  if (!mapping.ok()) return err(mapping.error());
  Vcpu vcpu;
  static_cast<Fd&>(vcpu) = std::move(fd);
  vcpu.page_ = static_cast<kvm_run*>(*mapping);
  vcpu.mapping_bytes_ = mapping_bytes;
  return vcpu;
}

Vcpu::Vcpu(Vcpu&& other) noexcept
    : Fd(std::move(other)),
      page_(std::exchange(other.page_, nullptr)),
      mapping_bytes_(std::exchange(other.mapping_bytes_, 0)) {}

Vcpu& Vcpu::operator=(Vcpu&& other) noexcept {
  if (this != &other) {
    unmap();
    Fd::operator=(std::move(other));
    page_ = std::exchange(other.page_, nullptr);
    mapping_bytes_ = std::exchange(other.mapping_bytes_, 0);
  }
  return *this;
}

Vcpu::~Vcpu() { unmap(); }

void Vcpu::unmap() {
  if (page_ != nullptr) (void)backend().munmap(page_, mapping_bytes_);
  page_ = nullptr;
  mapping_bytes_ = 0;
}

std::span<u8> Vcpu::mapping(std::size_t offset_bytes) const {
  if (offset_bytes >= mapping_bytes_) return {};
  return {reinterpret_cast<u8*>(page_) + offset_bytes, mapping_bytes_ - offset_bytes};
}

std::span<u8> Vcpu::pio_data() const {
  const auto io = page_->exit.as<kvm_exit_io>();
  const auto rest = mapping(io.data_offset);
  return rest.first(std::min<std::size_t>(rest.size(), std::size_t{io.size} * io.count));
}

kvm_coalesced_mmio_ring* Vcpu::coalesced_mmio_ring() const {
  const auto page = mapping(kCoalescedMmioPageOffset * kPageSize);
  return page.size() < kPageSize ? nullptr : reinterpret_cast<kvm_coalesced_mmio_ring*>(page.data());
}

void Vcpu::set_immediate_exit(bool on) const {
  std::atomic_ref<u8>(page_->immediate_exit).store(on ? 1 : 0, std::memory_order_release);
}

Result<u64> Vcpu::get_msr(u32 index) const {
  Msrs msrs{{.index = index}};
  const Result<int> done = get_msrs(msrs);
  if (!done.ok()) return err(done.error());
  if (*done != 1) return err(EINVAL);
  return msrs[0].data;
}

Result<int> Vcpu::set_msr(u32 index, u64 value) const {
  const Result<int> done = set_msrs(Msrs{{.index = index, .data = value}});
  if (done.ok() && *done != 1) return err(EINVAL);
  return done;
}

Result<kvm_translation> Vcpu::translate(Gva address) const {
  kvm_translation translation{.linear_address = address.value};
  const Result<int> result = inout(Ioctl::Translate, translation);
  if (!result.ok()) return err(result.error());
  return translation;
}

Result<int> Vcpu::enable_cap(Cap cap, u64 arg0, u64 arg1) const {
  return enable_cap(kvm_enable_cap{.cap = static_cast<u32>(cap), .args = {arg0, arg1}});
}

}  // namespace kvmapi
