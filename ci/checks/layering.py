"""Who may include whom. The link lists of CMake say the same; a header needs no link, so it is said a second time here."""

import re

# Folder (the longest match counts) -> prefixes of what it may include.
ALLOWED = {
    "kvmapi": ("kvmapi/",),
    "guests": ("guests/",),
    "guests/programs": ("guests/", "program_rows.inc"),  # generated: the list of images
    "mock/cpu": ("mock/cpu/", "kvmapi/types.hpp", "kvmapi/address.hpp"),
    "mock/devices": ("mock/devices/", "kvmapi/types.hpp"),
    "mock": ("mock/", "kvmapi/"),
    "mock/bench": ("mock/", "kvmapi/", "guests/"),
    "mock/fuzz": ("mock/", "kvmapi/", "guests/"),
    "conformance": ("conformance/", "kvmapi/", "guests/"),
    "conformance/runner": ("conformance/", "kvmapi/", "guests/", "linked_in.inc"),  # generated: the expectations files
    "conformance/main.cpp": ("conformance/", "kvmapi/", "mock/"),
    "conformance/random/main.cpp": ("conformance/", "mock/"),
}
# Tests beside a source may use guests to have something to run.
TEST_ALLOWED = {"mock": ("guests/",), "mock/cpu": ("guests/",)}
KERNEL_HEADER = ("conformance/layout/",)  # the only place for <linux/kvm.h>, which is a subject under test
OUTSIDE = ("mock/preload/test/", "mock/c/")  # C programs there are users of the project, not parts of it


def _row(path, table):
    best = max((prefix for prefix in table if path == prefix or path.startswith(prefix + "/")), key=len, default=None)
    return table.get(best, ())


def check(tree):
    """Messages for every include that the table does not allow."""
    messages = []
    for path in tree.paths(r"^(kvmapi|guests|mock|conformance)/.*\.(cpp|hpp|h|c)$"):
        if path.startswith(OUTSIDE) and path.endswith((".c", ".h")):
            continue
        allowed = _row(path, ALLOWED)
        if path.endswith(("_test.cpp", "_bench.cpp")):
            allowed += _row(path, TEST_ALLOWED)
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            own = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if own and not own.group(1).startswith(allowed):
                messages.append(f'{path}:{number}: may not include "{own.group(1)}"; allowed: {", ".join(allowed)}')
            if re.match(r"\s*#\s*include\s*<linux/kvm", line) and not path.startswith(KERNEL_HEADER):
                messages.append(f"{path}:{number}: <linux/kvm.h> belongs in {KERNEL_HEADER[0]} only; use kvmapi/uapi")
    return messages


BAD = {
    "kvmapi/vm.cpp": '#include "mock/vm/vm.hpp"\n',
    "mock/cpu/alu.cpp": '#include "mock/vm/vm.hpp"\n',
    "mock/vm/vm.cpp": "#include <linux/kvm.h>\n",
    "conformance/vm/a_test.cpp": '#include "mock/mock.hpp"\n',
}
GOOD = {
    "mock/vm/vm.cpp": '#include "kvmapi/result.hpp"\n#include "mock/cpu/cpu.hpp"\n',
    "conformance/main.cpp": '#include "mock/mock.hpp"\n',
    "conformance/layout/host_test.cpp": "#include <linux/kvm.h>\n",
}
