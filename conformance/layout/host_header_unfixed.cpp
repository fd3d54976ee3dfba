// The host's header just as a C++ compiler reads it.
#include <asm/ioctl.h>
#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/stddef.h>
#include <linux/types.h>
#if __has_include(<linux/bits.h>)
#include <linux/bits.h>
#endif

#define HOST_HEADER host_header_unfixed
#define HOST_NAMESPACE as_cplusplus
#include "conformance/layout/host_header.inc"
