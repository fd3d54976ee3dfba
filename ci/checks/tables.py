"""Every ioctl of kvmapi/ioctls.def has a typed wrapper, and for each of its descriptors a row in the mock: modelled or MISSING."""

import re

from tree import without_comments

_FILES = {"System": "system", "Vm": "vm", "Vcpu": "vcpu", "Device": "device"}


def x86_ioctls(tree):
    """[(C name, Id, (descriptor kinds))] of the IOCTL rows."""
    rows = re.findall(r"^IOCTL\((\w+), (\w+), 0x\w+, ([\w| ]+),", tree.read("kvmapi/ioctls.def"), re.M)
    return [(name, ident, tuple(kind.strip() for kind in kinds.split("|"))) for name, ident, kinds in rows]


def _text(tree, pattern):
    return "\n".join(without_comments(tree.read(path)) for path in tree.paths(pattern))


def check(tree):
    """Messages for ioctls without wrapper or mock row."""
    messages = []
    wrappers = {kind: set(re.findall(r"Ioctl::(\w+)", _text(tree, rf"^kvmapi/{file}\.(hpp|cpp)$"))) for kind, file in _FILES.items()}
    has_mock = bool(tree.paths(r"^mock/vm/.*\.cpp$"))
    rows = re.findall(r"\b(?:ROW|MISSING)\w*\((?:\s*\d+,)*\s*(\w+)", _text(tree, r"^mock/vm/.*\.cpp$"))
    for name, ident, kinds in x86_ioctls(tree):
        for kind in kinds:
            if ident not in wrappers.get(kind, set()):
                messages.append(f"{name}: kvmapi::{kind} has no method for it")
        if has_mock and ident not in rows:
            messages.append(f"{name}: the mock has neither ROW({ident}, ...) nor MISSING({ident}, ...)")
    return messages


_TABLE = 'IOCTL(KVM_RUN, Run, 0x0000ae80, Vcpu, NoArgument, None, CAPS(None), kEvery, "4.10", "0")\n'
BAD = {"kvmapi/ioctls.def": _TABLE, "kvmapi/vcpu.hpp": "", "mock/vm/a.cpp": ""}
GOOD = {"kvmapi/ioctls.def": _TABLE, "kvmapi/vcpu.hpp": "raw(Ioctl::Run)", "mock/vm/a.cpp": "ROW(Run, &Vcpu::run)"}
