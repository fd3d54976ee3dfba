"""Which kernels the lab knows, where they come from, and the cache of what was extracted from them."""

import atexit
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field

import archive
import cache
import deb
import kmod
from errors import UNAVAILABLE, USAGE, LabError

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
    facts = cache.facts("kernels", spec)
    if not facts:
        return None
    modules = tuple(os.path.join(facts["folder"], name) for name in facts["modules"])
    return Kernel(spec, facts["release"], os.path.join(facts["folder"], "vmlinuz"), modules, facts["origin"])


def download(spec):
    """Downloads, verifies and extracts the newest kernel of a series."""
    with cache.locked(spec):
        return cached(spec) or _extract(spec, newest(spec))


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


def _extract(spec, packages):
    with cache.new_entry("kernels", spec) as work:
        files = [package.download(work, cache.progress(package.name)) for package in packages]
        image, release, config = _image(files)

        def read(names):
            found = {}
            for path in files:
                for name, data in deb.extract(path, lambda n: kmod.module_name(n) in names).items():
                    found[kmod.module_name(name)] = kmod.unpack(name, data)
            return found

        modules = kmod.closure(read)
        facts = {"release": release, "modules": [f"{name}.ko" for name, _ in modules],
                 "origin": {p.name: {"version": p.version, "suite": p.suite, "sha256": p.sha256} for p in packages}}
        contents = {"vmlinuz": image, "config": config, **{f"{name}.ko": ko for name, ko in modules},
                    "facts.json": json.dumps(facts, indent=2).encode()}
        for name, data in contents.items():
            cache.write(os.path.join(work, "entry", name), data)
    return cached(spec)


def _image(files):
    """(vmlinuz, release, config) out of the packages. The config is empty where they do not hold it."""
    image, release, config = None, "", b""
    for path in files:
        for name, data in deb.extract(path, lambda n: re.search(r"(^|/)(vmlinuz|config-)", n)).items():
            if "vmlinuz" in name:
                image, release = data, _release(name)
            else:
                config = data
    if image is None:
        raise LabError(f"{os.path.basename(files[0])} holds no vmlinuz")
    return image, release, config


def _release(name):
    """5.10.0-46-amd64 for boot/vmlinuz-5.10.0-46-amd64 and for usr/lib/modules/7.3-amd64/vmlinuz."""
    return name.split("vmlinuz-", 1)[1] if "vmlinuz-" in name else name.split("/")[-2]


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
        cache.write(plain[-1], ko)
    return Kernel(image, os.path.basename(image), os.path.abspath(image), tuple(plain))
