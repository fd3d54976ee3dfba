// Ctx: what a test gets. A backend, and on demand a System, one Vm, its vcpu 0, and guest memory, all fresh for each
// test and closed after it. Anything that fails while these are made is our own set-up breaking: the verdict is
// `broken`.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "conformance/support/expect.hpp"
#include "conformance/support/target.hpp"
#include "kvmapi/backend.hpp"
#include "kvmapi/result.hpp"
#include "kvmapi/system.hpp"
#include "kvmapi/vcpu.hpp"
#include "kvmapi/vm.hpp"

namespace conformance {

// Thrown to end a test whose set-up failed.
struct BrokenSetup : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// Thrown to end a test that cannot run here.
struct SkipTest : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Zeroed pages of this process, page aligned, freed with the object.
class HostPages {
 public:
  HostPages() = default;
  explicit HostPages(std::size_t size_bytes);  // rounded up to pages; throws BrokenSetup
  HostPages(HostPages&& other) noexcept;
  HostPages& operator=(HostPages&& other) noexcept;
  ~HostPages();

  kvmapi::u8* data() const { return data_; }
  std::size_t size_bytes() const { return size_bytes_; }
  kvmapi::u64 address() const { return reinterpret_cast<kvmapi::u64>(data_); }

 private:
  kvmapi::u8* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

class Ctx {
 public:
  explicit Ctx(const Target& target) : target_(target) {}
  Ctx(const Ctx&) = delete;
  Ctx& operator=(const Ctx&) = delete;
  ~Ctx();

  const Target& target() const { return target_; }
  kvmapi::Backend& backend() const { return *target_.backend; }
  Version kernel() const { return target_.kernel; }
  Vendor vendor() const { return target_.vendor; }

  // Made on first use. vcpu() has id 0; memory() is kMemoryBytes of RAM in slot 0 at guest physical address 0.
  kvmapi::System& system();
  kvmapi::Vm& vm();
  kvmapi::Vcpu& vcpu();
  HostPages& memory();
  static constexpr std::size_t kMemoryBytes = 2 * 1024 * 1024;

  // Another size for memory(), before anything made it.
  void set_memory_bytes(std::size_t bytes);

  // A second VM, independent of vm().
  kvmapi::Vm new_vm();
  // The page shared with KVM_RUN of vcpu().
  kvmapi::kvm_run& page() { return vcpu().page(); }

  // A step of the set-up that is not under test: its value, or the test ends as `broken`.
  template <class T>
  T must(kvmapi::Result<T> result, const char* what = "a set-up call") {
    if (!result.ok()) broken(fmt::format("{} failed: {}", what, result.error().name()));
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
  }
  [[noreturn]] void broken(const std::string& why) { throw BrokenSetup(why); }
  // Ends the test with the verdict `skip`. Prefer `.needs`, which `explain` can show.
  [[noreturn]] void skip(const std::string& reason) { throw SkipTest(reason); }

 private:
  const Target& target_;
  kvmapi::System system_;
  kvmapi::Vm vm_;
  HostPages memory_;
  std::size_t memory_bytes_ = kMemoryBytes;
  kvmapi::Vcpu vcpu_;
};

}  // namespace conformance
