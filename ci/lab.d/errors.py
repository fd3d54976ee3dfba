"""What the lab says when it can not go on: one exception with the exit status that the command line tool ends with."""

FAILURE = 1
USAGE = 2
SETUP = 3
UNAVAILABLE = 4


class LabError(Exception):
    """A message for the user, without a stack trace. `status` as in kvm-conformance: 2 usage, 3 our set-up, 4 no target."""

    def __init__(self, message, status=SETUP):
        super().__init__(message)
        self.status = status


def explain_os_error(error, doing):
    """The LabError for an OSError met while `doing` something (a full disk, a read-only folder, ...)."""
    where = f" ({error.filename})" if getattr(error, "filename", None) else ""
    return LabError(f"{doing}: {error.strerror or error}{where}", SETUP)
