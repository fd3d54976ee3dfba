// The host's header with flexible arrays as C has them: __DECLARE_FLEX_ARRAY is replaced before the header sees it.
#include <asm/ioctl.h>
#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/stddef.h>
#include <linux/types.h>
#if __has_include(<linux/bits.h>)
#include <linux/bits.h>
#endif

#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) TYPE NAME[0]

#define HOST_HEADER host_header
#define HOST_NAMESPACE as_c
#include <fmt/format.h>

#include "conformance/layout/host_header.inc"

namespace conformance {

std::string version_text(const HostHeader& header) {
  return fmt::format("{}.{}.{}", header.version >> 16, (header.version >> 8) & 0xff, header.version & 0xff);
}

}  // namespace conformance
