"""Which kernels the lab knows, where they come from, and the cache of what was extracted from them."""

import atexit
import contextlib
import fcntl
import glob
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field

import archive
import deb
import kmod
from errors import UNAVAILABLE, USAGE, LabError, explain_os_error

# Series -> suites that carry it. A series that is not named here is looked for in NEWER.
SUITES = {
    "5.10": ("bullseye-security", "bullseye"),
    "6.1": ("bookworm-security", "bookworm"),
    "6.12": ("trixie-security", "trixie"),
}
NEWER = ("sid", "experimental")
MATRIX = ("5.10", "6.1", "6.12", "7.x")
_SMALLEST_REAL_PACKAGE = 1_000_000  # bytes; below that it is a meta package


@dataclass(frozen=True)
class Kernel:
    """A bootable kernel on disk. `modules` are plain .ko files in load order."""
    spec: str
    release: str
    image: str
    modules: tuple = ()
    origin: dict = field(default_factory=dict)


def cache_dir():
    """KVM_LAB_CACHE, or kvm-conformance under the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = os.environ.get("KVM_LAB_CACHE") or os.path.join(base, "kvm-conformance")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error, f"creating the cache folder {path}") from error
    return path


@contextlib.contextmanager
def _locked(name):
    """One process at a time downloads a kernel; the others wait and then find it in the cache."""
    with open(os.path.join(cache_dir(), f"{name}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_series(spec):
    """5.10, 6.1, 7.x: a Debian kernel series, not a path."""
    return re.fullmatch(r"\d+\.(\d+|x)", spec) is not None


def find(spec, modules_dir=None):
    """The Kernel for a series or for the path of a bzImage; downloads when the cache lacks it."""
    if not is_series(spec):
        return _from_path(spec, modules_dir)
    if modules_dir:
        raise LabError("--modules goes with the path of a bzImage, not with a series", USAGE)
    return cached(spec) or download(spec)


def cached(spec):
    """The Kernel of a series if the cache has it, else None."""
    folder = os.path.join(cache_dir(), "kernels", spec)
    try:
        with open(os.path.join(folder, "kernel.json"), encoding="utf-8") as file:
            facts = json.load(file)
    except (OSError, ValueError):
        return None
    modules = tuple(os.path.join(folder, name) for name in facts["modules"])
    return Kernel(spec, facts["release"], os.path.join(folder, "vmlinuz"), modules, facts["origin"])


def download(spec):
    """Downloads, verifies and extracts the newest kernel of a series. Replaces what the cache had."""
    with _locked(spec):
        if kernel := cached(spec):
            return kernel
        packages = newest(spec)
        try:
            return _extract(spec, packages)
        except OSError as error:
            raise explain_os_error(error, f"extracting kernel {spec}") from error


def forget(spec):
    """Drops a series from the cache, so that the next use downloads the newest."""
    shutil.rmtree(os.path.join(cache_dir(), "kernels", spec), ignore_errors=True)


def newest(spec):
    """The packages [image] or [binary, modules] of the newest kernel of a series."""
    version = re.escape(spec).replace("x", r"\d+")
    pattern = re.compile(rf"linux-(image|binary|modules)-({version}(?:[.+~-](?!rt|cloud)[^\s-]+)*)-amd64")
    by_release, errors = {}, []
    for suite in SUITES.get(spec, NEWER):
        try:
            found = archive.packages(suite, pattern)
        except LabError as error:
            errors.append(str(error))
            continue
        for package in found:
            if package.size >= _SMALLEST_REAL_PACKAGE:
                kind, release = pattern.fullmatch(package.name).groups()
                by_release.setdefault((package.version, release), {})[kind] = package
    whole = {key: kinds for key, kinds in by_release.items() if "image" in kinds or {"binary", "modules"} <= set(kinds)}
    if not whole:
        raise LabError(f"no kernel {spec} in {', '.join(SUITES.get(spec, NEWER))}" + "".join(f"\n  {e}" for e in errors), UNAVAILABLE)
    for error in errors:
        print(f"lab: {error}", file=sys.stderr)
    kinds = whole[max(whole, key=lambda key: archive.version_key(key[0]))]
    return [kinds["image"]] if "image" in kinds else [kinds["binary"], kinds["modules"]]


def _progress(name):
    if not sys.stderr.isatty():
        return None
    return lambda done, size: print(f"\r{name}: {done >> 20} of {size >> 20} MiB ", end="\n" if done == size else "", file=sys.stderr)


def _extract(spec, packages):
    root = os.path.join(cache_dir(), "kernels")
    os.makedirs(root, exist_ok=True)
    for stale in glob.glob(os.path.join(root, f".new-{spec}-*")):  # of a download that was killed; the lock is ours
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".new-{spec}-", dir=root) as work:
        files = [package.download(work, _progress(package.name)) for package in packages]
        image = config = None
        for path in files:
            for name, data in deb.extract(path, lambda n: re.search(r"(^|/)(vmlinuz|config-)", n)).items():
                if "vmlinuz" in name:
                    image, release = data, _release(name)
                else:
                    config = data
        if image is None:
            raise LabError(f"{packages[0].name} holds no vmlinuz")

        def read(names):
            found = {}
            for path in files:
                for name, data in deb.extract(path, lambda n: kmod.module_name(n) in names).items():
                    found[kmod.module_name(name)] = kmod.unpack(name, data)
            return found

        modules = kmod.closure(read)
        new = os.path.join(work, "kernel")
        os.mkdir(new)
        _write(os.path.join(new, "vmlinuz"), image)
        if config:
            _write(os.path.join(new, "config"), config)
        for name, ko in modules:
            _write(os.path.join(new, f"{name}.ko"), ko)
        facts = {"release": release, "modules": [f"{name}.ko" for name, _ in modules],
                 "origin": {p.name: {"version": p.version, "suite": p.suite, "sha256": p.sha256} for p in packages}}
        _write(os.path.join(new, "kernel.json"), json.dumps(facts, indent=2).encode())
        target = os.path.join(root, spec)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(new, target)
    return cached(spec)


def _release(name):
    """5.10.0-46-amd64 for boot/vmlinuz-5.10.0-46-amd64 and for usr/lib/modules/7.3-amd64/vmlinuz."""
    return name.split("vmlinuz-", 1)[1] if "vmlinuz-" in name else name.split("/")[-2]


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def _from_path(image, modules_dir):
    if not os.path.isfile(image):
        raise LabError(f"{image}: neither a kernel series such as 6.12 nor a file", USAGE)
    if not os.access(image, os.R_OK):
        raise LabError(f"{image}: not readable", USAGE)
    if not modules_dir:
        return Kernel(image, os.path.basename(image), os.path.abspath(image))
    if not os.path.isdir(modules_dir):
        raise LabError(f"--modules {modules_dir}: not a folder", USAGE)
    paths = {kmod.module_name(f): os.path.join(d, f) for d, _, files in os.walk(modules_dir) for f in files if kmod.module_name(f)}

    def read(names):
        found = {}
        for name in names & set(paths):
            with open(paths[name], "rb") as file:
                found[name] = kmod.unpack(paths[name], file.read())
        return found

    work = tempfile.mkdtemp(prefix="kvm-lab-modules-")
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    plain = []
    for name, ko in kmod.closure(read):
        plain.append(os.path.join(work, f"{name}.ko"))
        _write(plain[-1], ko)
    return Kernel(image, os.path.basename(image), os.path.abspath(image), tuple(plain))
