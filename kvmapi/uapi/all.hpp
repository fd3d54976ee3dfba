// Every definition that ioctls and KVM_RUN pass. What KVM shares with guests: kvmapi/uapi/paravirt.hpp.
#pragma once

#include "kvmapi/uapi/constants.hpp"
#include "kvmapi/uapi/cpuid.hpp"
#include "kvmapi/uapi/hyperv.hpp"
#include "kvmapi/uapi/irq.hpp"
#include "kvmapi/uapi/memory.hpp"
#include "kvmapi/uapi/misc.hpp"
#include "kvmapi/uapi/msr.hpp"
#include "kvmapi/uapi/nested.hpp"
#include "kvmapi/uapi/run.hpp"
#include "kvmapi/uapi/sev.hpp"
#include "kvmapi/uapi/tdx.hpp"
#include "kvmapi/uapi/vcpu.hpp"
#include "kvmapi/uapi/xen.hpp"
