"""Files out of a .deb without dpkg: an `ar` archive that holds data.tar.xz (or .zst)."""

import io
import lzma
import os
import subprocess
import tarfile

from errors import LabError

_MAGIC = b"!<arch>\n"


def data_tar(path):
    """An open tarfile of the package's files."""
    with open(path, "rb") as deb:
        if deb.read(8) != _MAGIC:
            raise LabError(f"{path}: not a Debian package")
        while header := deb.read(60):
            name, size = header[:16].strip().decode().rstrip("/"), int(header[48:58])
            if name.startswith("data.tar"):
                return tarfile.open(fileobj=io.BytesIO(_unpack(name, deb.read(size))))
            deb.seek(size + size % 2, io.SEEK_CUR)
    raise LabError(f"{path}: holds no data.tar")


def _unpack(name, data):
    if name.endswith(".xz"):
        return lzma.decompress(data)
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def extract(path, wanted):
    """{name without leading "./": bytes} of the regular files for which wanted(name) holds."""
    found = {}
    with data_tar(path) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if member.isfile() and wanted(name):
                found[name] = tar.extractfile(member).read()
    return found


def extract_to(path, folder, pattern):
    """Files and symbolic links whose whole name matches the compiled `pattern`, below `folder`."""
    with data_tar(path) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if not pattern.fullmatch(name) or ".." in name.split("/"):
                continue
            target = os.path.join(folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if member.issym():
                if not os.path.lexists(target):
                    os.symlink(member.linkname, target)
            elif member.isfile() or member.islnk():
                with open(target, "wb") as file:
                    file.write(tar.extractfile(member).read())
                os.chmod(target, member.mode & 0o755 | 0o400)
