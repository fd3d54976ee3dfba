"""Every x86 ioctl and every x86 exit is the subject of a conformance row, or stands in uncovered.txt with the reason. A line there that
is no longer true has to go."""

import re

import tables
from tree import without_comments

LIST = "ci/checks/uncovered.txt"


def lower_snake(c_name):
    """set_user_memory_region for KVM_SET_USER_MEMORY_REGION."""
    return c_name.removeprefix("KVM_").lower()


def covered_ioctls(tree):
    """Middle parts of the ids (area.ioctl.claim) that rows and tests are registered under."""
    text = "\n".join(without_comments(tree.read(path)) for path in tree.paths(r"^conformance/(?!support|runner|facts).*\.cpp$"))
    return set(re.findall(r'"\w+\.(\w+)(?:\.\w+)?"', text)), text


def x86_exits(tree):
    """[(C name, Id)] of the exits that x86 can give."""
    rows = re.findall(r"^EXIT\w*\((\w+), (\w+), \d+, ([^)]*)\)", tree.read("kvmapi/exits.def"), re.M)
    return [(name, ident) for name, ident, rest in rows if re.search(r"\b(X86|kEvery)\b", rest)]


def uncovered_list(tree):
    """{C name: reason} of uncovered.txt."""
    found = {}
    for line in tree.read(LIST).splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            found[name] = reason.strip()
    return found


# Functions of conformance/support/guest_case.hpp that stand for an exit in rows.
_STEPS = {
    "KVM_EXIT_IO": r"|\bio_(in|out)\(",
    "KVM_EXIT_MMIO": r"|\bmmio_(read|write)\(",
    "KVM_EXIT_HLT": r"|\bhlt\(\)",
    "KVM_EXIT_SHUTDOWN": r"|\bshutdown\(\)",
    "KVM_EXIT_INTERNAL_ERROR": r"|\binternal_error\(",
}
# Ioctls whose rows stand under another name: a getter under its setter, a small relative under the head of the family.
_NAMED_OTHERWISE = {
    "KVM_X86_SET_MSR_FILTER": "msr_filter",
    "KVM_GET_SREGS": "set_sregs",
    "KVM_MEMORY_ENCRYPT_REG_REGION": "memory_encrypt_op",
    "KVM_MEMORY_ENCRYPT_UNREG_REGION": "memory_encrypt_op",
    "KVM_XEN_HVM_GET_ATTR": "xen_hvm_set_attr",
    "KVM_XEN_VCPU_GET_ATTR": "xen_vcpu_set_attr",
}


def _is_covered(c_name, names, text):
    if c_name == "KVM_RUN":
        return re.search(r'"run\.\w+', text) is not None
    return _NAMED_OTHERWISE.get(c_name, lower_snake(c_name)) in names


def check(tree):
    """Messages for subjects without a row and for lines of the list that are stale or say no reason."""
    names, text = covered_ioctls(tree)
    messages, listed = [], uncovered_list(tree)
    subjects = {name: _is_covered(name, names, text) for name, _, _ in tables.x86_ioctls(tree)}
    for name, ident in x86_exits(tree):
        subjects[name] = re.search(rf"\bExit::{ident}\b{_STEPS.get(name, '')}", text) is not None
    for name, is_covered in sorted(subjects.items()):
        if not is_covered and name not in listed:
            messages.append(f"{name}: no conformance row is about it, and {LIST} does not say why")
        if is_covered and name in listed:
            messages.append(f"{LIST}: {name} has rows now; delete its line")
    for name, reason in listed.items():
        if name not in subjects:
            messages.append(f"{LIST}: {name} is no x86 ioctl or exit of the tables")
        elif not reason:
            messages.append(f"{LIST}: {name} gives no reason")
    return messages


_EXITS = 'EXIT(KVM_EXIT_HLT, Hlt, 5, X86, "5")\n'
BAD = {"kvmapi/ioctls.def": tables.GOOD["kvmapi/ioctls.def"], "kvmapi/exits.def": _EXITS, LIST: "KVM_GONE because\n",
       "conformance/vm/a_test.cpp": ""}
GOOD = {"kvmapi/ioctls.def": tables.GOOD["kvmapi/ioctls.def"], "kvmapi/exits.def": _EXITS, LIST: "KVM_EXIT_HLT needs hardware\n",
        "conformance/run/run_test.cpp": 'KVM_ROWS("run.run", "api.rst 4.10", kRows);\n'}
