// What every object of one mock shares: the profile it answers as, the chosen defect, where to report, how to make
// descriptors.
#pragma once

#include <atomic>
#include <memory>

#include "kvmapi/kinds.hpp"
#include "kvmapi/result.hpp"
#include "mock/faults/defects.hpp"
#include "mock/faults/diagnostics.hpp"
#include "mock/profile/profile.hpp"
#include "mock/vm/random_source.hpp"

namespace mock::vm {

using namespace kvmapi;

class Vm;
class Vcpu;
class Device;

// How KVM_RUN notices signals. See signals.hpp.
enum class SignalPolicy : u8 { block, wrapped };

// Makes descriptors for new objects. Without one (core classes used directly) the ioctls that return a descriptor are
// ENOSYS.
class Descriptors {
 public:
  virtual ~Descriptors() = default;
  virtual Result<int> add(std::shared_ptr<Vm> vm) = 0;
  // `descriptor` (see RunPages) becomes the vcpu's.
  virtual Result<int> add(std::shared_ptr<Vm> vm, Vcpu& vcpu, int descriptor) = 0;
  virtual Result<int> add(std::shared_ptr<Vm> vm, std::shared_ptr<Device> device) = 0;
};

struct Context {
  const Profile* profile = nullptr;
  Defect defect = Defect::none;
  SignalPolicy signals = SignalPolicy::block;
  RandomSource random;
  Diagnostics* diagnostics = nullptr;
  Descriptors* descriptors = nullptr;

  bool has_defect(Defect which) const { return defect == which; }
};

// Counts the forks between this process and the one that loaded the mock. An object of another generation belongs to
// another address space: KVM answers EIO there.
extern std::atomic<u32> g_process_generation;

}  // namespace mock::vm
