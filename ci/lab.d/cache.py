"""The cache folder: what was downloaded once and verified. Every entry is a folder that is whole or absent."""

import contextlib
import fcntl
import glob
import json
import os
import shutil
import sys
import tempfile

from errors import explain_os_error


def folder():
    """KVM_LAB_CACHE, or kvm-conformance under the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = os.environ.get("KVM_LAB_CACHE") or os.path.join(base, "kvm-conformance")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error, f"creating the cache folder {path}") from error
    return path


@contextlib.contextmanager
def locked(name):
    """One process at a time downloads an entry; the others wait and then find it."""
    try:
        lock = open(os.path.join(folder(), f"{name}.lock"), "w", encoding="utf-8")
    except OSError as error:
        raise explain_os_error(error, "locking the cache") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def facts(kind, name):
    """What facts.json of an entry says, with "folder"; None if the cache has no such entry."""
    path = os.path.join(folder(), kind, name)
    try:
        with open(os.path.join(path, "facts.json"), encoding="utf-8") as file:
            return {**json.load(file), "folder": path}
    except (OSError, ValueError):
        return None


def forget(kind, name):
    """Drops an entry, so that its next use downloads it again."""
    shutil.rmtree(os.path.join(folder(), kind, name), ignore_errors=True)


@contextlib.contextmanager
def new_entry(kind, name):
    """A folder for work and, in it, "entry": what that holds at the end becomes the entry. To be used under locked()."""
    root = os.path.join(folder(), kind)
    try:
        os.makedirs(root, exist_ok=True)
        for stale in glob.glob(os.path.join(root, f".new-{name}-*")):  # of a download that was killed; the lock is ours
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".new-{name}-", dir=root) as work:
            os.mkdir(os.path.join(work, "entry"))
            yield work
            forget(kind, name)
            os.rename(os.path.join(work, "entry"), os.path.join(root, name))
    except OSError as error:
        raise explain_os_error(error, f"filling the cache with {name}") from error


def write(path, data):
    """A new file with its folders."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def progress(name):
    """A function that shows how far a download is; None when nobody watches."""
    if not sys.stderr.isatty():
        return None
    return lambda done, size: print(f"\r{name}: {done >> 20} of {size >> 20} MiB ", end="\n" if done == size else "", file=sys.stderr)
