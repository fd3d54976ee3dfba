"""The guest's file system: a cpio archive (newc) with a program, the libraries it needs, modules and the first process."""

import hashlib
import os
import re
import stat
import subprocess

from errors import SETUP, USAGE, LabError, explain_os_error

_HERE = os.path.dirname(os.path.abspath(__file__))


class Cpio:
    """Builds a newc archive in memory. Folders are added as needed."""

    def __init__(self):
        self._parts, self._seen, self._inode = [], set(), 0

    def add(self, name, data=b"", mode=0o755 | stat.S_IFREG):
        """Adds one entry; `name` is absolute in the guest. A second entry of the same name is ignored."""
        name = name.strip("/")
        if not name or name in self._seen:
            return
        self.folder(os.path.dirname(name))
        self._seen.add(name)
        self._entry(name, data, mode)

    def folder(self, name):
        """Adds a folder and those above it."""
        if name.strip("/"):
            self.add(name, b"", 0o755 | stat.S_IFDIR)

    def file(self, host_path, name):
        """Adds a file of the host with its mode."""
        try:
            with open(host_path, "rb") as file:
                self.add(name, file.read(), stat.S_IFREG | (os.stat(host_path).st_mode & 0o777) | 0o444)
        except OSError as error:
            raise explain_os_error(error, f"reading {host_path}") from error

    def bytes(self):
        """The finished archive."""
        return b"".join(self._parts) + self._header("TRAILER!!!", 0, 0, 0)

    def _entry(self, name, data, mode):
        self._inode += 1
        self._parts += [self._header(name, len(data), mode, self._inode), data, b"\0" * (-len(data) % 4)]

    @staticmethod
    def _header(name, size, mode, inode):
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        return head + b"\0" * (-len(head) % 4)


def libraries(program):
    """Paths of the shared objects (loader included) that `program` needs; empty for a static one."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if "not found" in listing.stdout:
        missing = re.findall(r"(\S+) => not found", listing.stdout)
        raise LabError(f"{program} needs libraries that this machine lacks: {', '.join(missing)}")
    return re.findall(r"^\s(?:\S+ => )?(/\S+) \(0x", listing.stdout, re.M)


def guest_init(cache):
    """Path of the compiled first process; compiled when its source has changed."""
    source = os.path.join(_HERE, "guest_init.c")
    with open(source, "rb") as file:
        path = os.path.join(cache, f"guest_init-{hashlib.sha256(file.read()).hexdigest()[:16]}")
    if not os.path.exists(path):
        part = f"{path}.part-{os.getpid()}"
        compiler = os.environ.get("CC", "cc")
        try:
            subprocess.run([compiler, "-O2", "-static", "-Wall", "-Werror", "-o", part, source], check=True)
            os.replace(part, path)
        except FileNotFoundError as error:
            raise LabError(f"no C compiler ({compiler}) to build the guest's first process") from error
        except subprocess.CalledProcessError as error:
            raise LabError(f"{source} does not compile", SETUP) from error
    return path


def build(kernel, argv, cache, files=(), env=(), module_params=None, supervised=False):
    """The initramfs as bytes. `argv[0]` is a program of the host; `files` are (host path, guest path) pairs. `supervised`: the program
    runs tests in child processes and names each on descriptor 3 before it starts."""
    program = argv[0]
    if not os.path.isfile(program):
        raise LabError(f"{program}: no such program", USAGE)
    if not os.access(program, os.X_OK):
        raise LabError(f"{program}: not executable", USAGE)
    cpio = Cpio()
    for name in ("/proc", "/sys", "/dev", "/tmp", "/lab/out", "/root"):
        cpio.folder(name)
    cpio.file(guest_init(cache), "/init")
    inside = f"/lab/bin/{os.path.basename(program)}"
    cpio.file(program, inside)
    for path in [*libraries(program), *(lib for host, _ in files for lib in _libraries_if_program(host))]:
        cpio.file(path, path)
    for host, guest in files:
        cpio.file(host, guest)
    pairs = []
    for path in kernel.modules:
        inside_module = f"/lab/modules.d/{os.path.basename(path)}"
        cpio.file(path, inside_module)
        pairs += [inside_module, (module_params or {}).get(os.path.basename(path).removesuffix(".ko"), "")]
    cpio.add("/lab/modules", _strings(pairs))
    if supervised:
        cpio.add("/lab/supervised")
    cpio.add("/lab/argv", _strings([inside, *argv[1:]]))
    cpio.add("/lab/env", _strings(["PATH=/bin:/usr/bin:/lab/bin", "HOME=/root", "KVM_LAB=1", *env]))
    return cpio.bytes()


def _libraries_if_program(path):
    return libraries(path) if os.access(path, os.X_OK) and os.path.isfile(path) else []


def _strings(items):
    return b"".join(os.fsencode(item) + b"\0" for item in items)
