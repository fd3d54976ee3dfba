"""A Debian archive, read without apt: InRelease (signature) -> Packages (checksum) -> .deb (checksum)."""

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from errors import UNAVAILABLE, LabError
from fetch import fetch_bytes, fetch_file

MAIN = os.environ.get("KVM_LAB_MIRROR", "http://deb.debian.org/debian").rstrip("/")
SECURITY = os.environ.get("KVM_LAB_SECURITY_MIRROR", "http://deb.debian.org/debian-security").rstrip("/")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Package:
    """One stanza of a Packages file, as far as the lab needs it."""
    name: str
    version: str
    url: str
    sha256: str
    size: int
    suite: str
    depends: tuple = ()  # names; of alternatives the first
    provides: tuple = ()

    def download(self, folder, progress=None):
        """Path of the verified .deb in `folder`."""
        path = os.path.join(folder, os.path.basename(self.url))
        fetch_file(self.url, path, self.sha256, self.size, progress)
        return path


def base_url(suite):
    """Where a suite lives: the security suites have an archive of their own."""
    return SECURITY if suite.endswith("-security") else MAIN


def check_signature(inrelease, suite):
    """Verifies the clear-signed InRelease. Without gpgv or keys: says so once and goes on (checksums are still compared)."""
    if not shutil.which("gpgv") or not os.path.exists(KEYRING):
        print(f"lab: {suite}: signature not checked (needs gpgv and debian-archive-keyring)", file=sys.stderr)
        return False
    with tempfile.NamedTemporaryFile() as file:
        file.write(inrelease)
        file.flush()
        status = subprocess.run(["gpgv", "--status-fd", "1", "--keyring", KEYRING, file.name],
                                capture_output=True, text=True, check=False).stdout
    if "BADSIG" in status:
        raise LabError(f"{suite}: the archive's signature is bad; nothing was used", UNAVAILABLE)
    if "VALIDSIG" not in status:
        print(f"lab: {suite}: signed by keys that this machine's debian-archive-keyring lacks; not checked", file=sys.stderr)
        return False
    return True


def sha256_of(inrelease_text, name):
    """Checksum of `name` in the SHA256 section of an InRelease."""
    section = inrelease_text.split("\nSHA256:", 1)[-1]
    match = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(name)}$", section, re.M)
    if not match:
        raise LabError(f"InRelease does not list {name}", UNAVAILABLE)
    return match.group(1)


def packages(suite, wanted):
    """Every package of main/amd64 of `suite` whose name the compiled pattern `wanted` matches whole."""
    base = base_url(suite)
    inrelease = fetch_bytes(f"{base}/dists/{suite}/InRelease")
    check_signature(inrelease, suite)
    index = "main/binary-amd64/Packages.xz"
    digest = sha256_of(inrelease.decode(), index)
    folder = f"{base}/dists/{suite}/main/binary-amd64"
    try:
        body = fetch_bytes(f"{folder}/by-hash/SHA256/{digest}")
    except LabError:
        body = fetch_bytes(f"{folder}/Packages.xz")
    if hashlib.sha256(body).hexdigest() != digest:
        raise LabError(f"{suite}: Packages.xz differs from InRelease (the mirror may be in the middle of an update)", UNAVAILABLE)
    return list(parse_packages(lzma.decompress(body).decode(), wanted, base, suite))


def parse_packages(text, wanted, base, suite):
    """Yields Package for the stanzas whose name matches."""
    for stanza in text.split("\n\n"):
        name = stanza[len("Package: "):stanza.find("\n")] if stanza.startswith("Package: ") else ""
        if not name or not wanted.fullmatch(name):
            continue
        fields = dict(re.findall(r"^(Version|Filename|SHA256|Size|Depends|Pre-Depends|Provides): (.*)$", stanza, re.M))
        depends = _names(fields.get("Depends", "")) + _names(fields.get("Pre-Depends", ""))
        yield Package(name, fields["Version"], f"{base}/{fields['Filename']}", fields["SHA256"], int(fields["Size"]), suite,
                      depends, _names(fields.get("Provides", "")))


def _names(relation):
    """Package names of a field such as "libc6 (>= 2.38), a | b"."""
    return tuple(re.match(r"[^\s(:|]+", part.strip()).group(0) for part in relation.split(",") if part.strip())


def version_key(version):
    """Sorts kernel package versions: digits by value, `~` before everything (7.3~rc7 < 7.3)."""
    return [(0, 0, "") if part == "~" else (2, int(part), "") if part.isdigit() else (1, 0, part)
            for part in re.findall(r"~|\d+|[^\d~]+", version)] + [(0, 1, "")]
