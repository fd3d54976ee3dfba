"""Downloads that are either complete and verified, or absent: to a temporary name, hashed on the way, renamed at the end."""

import hashlib
import os
import subprocess
import urllib.error
import urllib.request

from errors import UNAVAILABLE, LabError, explain_os_error

TIMEOUT_S = 60
CHUNK = 1 << 20


def _opener():
    """urllib knows http_proxy; a machine may have told its proxy to apt only."""
    try:
        dump = subprocess.run(["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"],
                              capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        dump = ""
    if dump and dump != "DIRECT" and not os.environ.get("http_proxy"):
        return urllib.request.build_opener(urllib.request.ProxyHandler({"http": dump, "https": dump}))
    return urllib.request.build_opener()


def open_url(url):
    """A readable response, or LabError that names the address and the remedy."""
    try:
        return _opener().open(urllib.request.Request(url, headers={"User-Agent": "kvm-conformance-lab"}), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        raise LabError(f"{url}: the archive answers {error.code} {error.reason}", UNAVAILABLE) from error
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise LabError(f"{url}: not reachable ({reason}). Kernels are downloaded once; connect this machine, or set "
                       "KVM_LAB_MIRROR, or give a bzImage with --modules DIR.", UNAVAILABLE) from error


def fetch_bytes(url):
    """The whole body of a small file."""
    try:
        with open_url(url) as response:
            return response.read()
    except OSError as error:
        raise LabError(f"{url}: download broke off ({error})", UNAVAILABLE) from error


def fetch_file(url, path, sha256, size, progress=None):
    """Downloads `url` to `path`. Nothing appears at `path` unless the SHA-256 is right. `progress(done, size)` is called now and then."""
    part = f"{path}.part-{os.getpid()}"
    digest, done = hashlib.sha256(), 0
    try:
        with open_url(url) as response, open(part, "wb") as out:
            while chunk := _read(response, url):
                digest.update(chunk)
                out.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, size)
        if digest.hexdigest() != sha256:
            raise LabError(f"{url}: checksum differs from the archive's index ({done} of {size} bytes arrived)", UNAVAILABLE)
        os.replace(part, path)
    except OSError as error:
        raise explain_os_error(error, f"writing {path}") from error
    finally:
        if os.path.exists(part):
            os.unlink(part)


def _read(response, url):
    try:
        return response.read(CHUNK)
    except OSError as error:
        raise LabError(f"{url}: download broke off ({error})", UNAVAILABLE) from error
