// Every ABI definition of kvmapi.
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
