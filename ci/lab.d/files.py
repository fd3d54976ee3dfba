"""Output files that are whole or absent."""

import os

from errors import explain_os_error


def write_whole(path, data):
    """Writes bytes to `path` by way of a temporary name beside it."""
    part = f"{path}.part-{os.getpid()}"
    try:
        with open(part, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except OSError as error:
        if os.path.exists(part):
            os.unlink(part)
        raise explain_os_error(error, f"writing {path}") from error
