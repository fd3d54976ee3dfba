"""The QEMU that boots the guests. By default Debian 13's, downloaded once with its libraries and never installed, so that results do not
depend on the distribution: QEMU 7.2 and 8.2 do not intercept all that KVM asks for (hardware breakpoints, the shadow of STI)."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

import archive
import cache
import deb
from errors import USAGE, LabError

SUITE = "trixie"
_ROOTS = ("qemu-system-x86", "qemu-system-data", "seabios")
_OTHERS = ("zlib1g",)  # libraries whose package name does not begin with lib
_FILES = re.compile(r"usr/bin/qemu-system-x86_64|usr/lib/x86_64-linux-gnu/[^/]+\.so[^/]*|usr/share/(qemu|seabios)/.*")


@dataclass(frozen=True)
class Emulator:
    """How to start it. `packages`: name -> version of what was downloaded."""
    command: tuple
    version: str
    packages: dict


def find(choice=None):
    """"own" (the default), "system" or the path of a qemu-system-x86_64; KVM_LAB_QEMU says it when `choice` does not."""
    choice = choice or os.environ.get("KVM_LAB_QEMU") or "own"
    if choice == "own":
        return _own(cache.facts("emulator", SUITE) or _download())
    path = shutil.which("qemu-system-x86_64" if choice == "system" else choice)
    if not path:
        raise LabError(f"{choice}: no such QEMU (it is own, system, or the path of a qemu-system-x86_64)", USAGE)
    return Emulator((path,), _version([path]), {})


def _own(facts):
    root = os.path.join(facts["folder"], "usr")
    libraries = f"{root}/lib/x86_64-linux-gnu"
    command = (f"{libraries}/ld-linux-x86-64.so.2", "--library-path", libraries, f"{root}/bin/qemu-system-x86_64",
               "-L", f"{root}/share/qemu", "-L", f"{root}/share/seabios")
    return Emulator(command, facts["version"], facts["packages"])


def _version(command):
    text = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d\S*)", text)
    if not found:
        raise LabError(f"{command[0]}: not a QEMU that runs here")
    return found.group(1)


def closure(packages, roots=_ROOTS):
    """The packages that the roots need, as far as they are libraries. `packages`: name -> Package."""
    provided = {name: package for package in packages.values() for name in package.provides}
    needed, waiting = {}, list(roots)
    while waiting:
        name = waiting.pop()
        package = packages.get(name) or provided.get(name)
        is_wanted = package and (name in roots or package.name in _OTHERS or package.name.startswith("lib"))
        if is_wanted and package.name not in needed:
            needed[package.name] = package
            waiting += package.depends
    return list(needed.values())


def _download():
    with cache.locked("emulator"):
        if facts := cache.facts("emulator", SUITE):
            return facts
        everything = {package.name: package for package in archive.packages(SUITE, re.compile(".*"))}
        with cache.new_entry("emulator", SUITE) as work:
            entry, versions = os.path.join(work, "entry"), {}
            for package in closure(everything):
                path = package.download(work, cache.progress(package.name))
                deb.extract_to(path, entry, _FILES)
                os.unlink(path)
                versions[package.name] = package.version
            version = re.sub(r"^\d+:|[+-].*", "", versions["qemu-system-x86"])
            facts = {"version": version, "packages": versions}
            cache.write(os.path.join(entry, "facts.json"), json.dumps(facts, indent=1).encode())
        return cache.facts("emulator", SUITE)
