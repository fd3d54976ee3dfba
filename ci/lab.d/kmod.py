"""Kernel modules as files: unpacking them, what they depend on, and the order to load them in."""

import gzip
import lzma
import re
import subprocess

from errors import LabError

WANTED = ("kvm_amd",)  # what the lab loads; everything else follows from `depends=`


def module_name(path):
    """kvm_amd for .../kvm-amd.ko.xz; None for a file that is no module."""
    match = re.search(r"([^/]+)\.ko(\.xz|\.gz|\.zst)?$", path)
    return match.group(1).replace("-", "_") if match else None


def unpack(path, data):
    """The plain .ko."""
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def depends(ko):
    """Names in the `depends=` field of .modinfo."""
    match = re.search(rb"\0depends=([^\0]*)\0", ko)
    return [name.decode().replace("-", "_") for name in match.group(1).split(b",") if name] if match else []


def closure(read, wanted=WANTED):
    """[(name, plain .ko)] in load order. `read(names)` returns {name: plain .ko} of those it has."""
    have, missing = {}, set(wanted)
    while missing:
        found = read(missing)
        if lost := missing - set(found):
            raise LabError(f"kernel modules not found: {', '.join(sorted(lost))}")
        have.update(found)
        missing = {name for ko in found.values() for name in depends(ko)} - set(have)
    order = []

    def visit(name):
        if name not in order:
            for dependency in depends(have[name]):
                visit(dependency)
            order.append(name)

    for name in wanted:
        visit(name)
    return [(name, have[name]) for name in order]
