"""One boot of a guest: QEMU under a watchdog, the frames that guest_init.c sends, and what the console says when the kernel died."""

import os
import re
import select
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

from errors import explain_os_error

# R: ready (kernel release)  O, E, P: standard output, standard error, descriptor 3 (progress)  F: file (name, NUL, content)
# H: heartbeat  X: wait status of the program  L: the guest's own set-up failed (text)
FRAMES = b"ROEPFHXL"
BOOT_TIMEOUT_S = 120
SILENCE_S = 60  # heartbeats come every second; so long without any byte means that the guest hangs
CPU = "max,+svm,-cx16"
DEATH = re.compile(r"(Kernel panic.*|Oops: .*|BUG: .*|general protection fault.*|Unable to handle.*|int3: .*)")


@dataclass
class Outcome:
    """How a boot ended. `verdict`: exited | panic | hang | timeout | set-up."""
    verdict: str = "hang"
    release: str = ""
    status: int = -1
    detail: str = ""
    files: dict = field(default_factory=dict)
    console: str = ""
    seconds: float = 0.0

    def exit_code(self):
        """The program's exit status as a shell would give it."""
        return 128 + (self.status & 0x7F) if self.status & 0x7F else (self.status >> 8) & 0xFF


def command(emulator, kernel, initramfs, memory_mib, append=""):
    """The QEMU command line; frames come on its standard output, the console goes to `console` beside the initramfs."""
    # no_timer_check: on a busy machine the guest's early test of its timer interrupt fails although nothing is wrong.
    cmdline = f"console=ttyS0 panic=-1 oops=panic loglevel=6 no_timer_check {append}".strip()
    return [*emulator.command, "-accel", "tcg,thread=single", "-cpu", CPU, "-smp", "1", "-m", str(memory_mib), "-display", "none",
            "-nodefaults", "-no-user-config", "-no-reboot", "-kernel", kernel.image, "-initrd", initramfs, "-append", cmdline,
            "-chardev", "stdio,id=frames,signal=off", "-device", "isa-debugcon,iobase=0xe9,chardev=frames",
            "-serial", f"file:{initramfs}.console"]


class Frames:
    """Splits the byte stream into frames."""

    def __init__(self):
        self._buffer = bytearray()

    def feed(self, data):
        """Yields (type, payload) for every frame that is complete now."""
        self._buffer += data
        while len(self._buffer) >= 7:
            if self._buffer[:2] != b"KL" or self._buffer[2] not in FRAMES:  # the firmware may print here too
                del self._buffer[0]
                continue
            size = struct.unpack_from("<I", self._buffer, 3)[0]
            if len(self._buffer) < 7 + size:
                return
            payload = bytes(self._buffer[7:7 + size])
            kind = chr(self._buffer[2])
            del self._buffer[:7 + size]
            yield kind, payload


def boot(emulator, kernel, initramfs_bytes, on_output, timeout_s=600, memory_mib=1024, append="", stall_s=float("inf")):
    """Boots, forwards output to on_output(fd, bytes) (3: progress), returns the Outcome. Never leaves a QEMU behind. A program that says
    nothing on descriptor 3 for `stall_s` seconds hangs."""
    with tempfile.TemporaryDirectory(prefix="kvm-lab-") as work:
        initramfs = os.path.join(work, "initramfs")
        try:
            with open(initramfs, "wb") as file:
                file.write(initramfs_bytes)
        except OSError as error:
            raise explain_os_error(error, f"writing {initramfs}") from error
        process = subprocess.Popen(command(emulator, kernel, initramfs, memory_mib, append), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started = time.monotonic()
        outcome = Outcome()
        try:
            _follow(process, outcome, on_output, started + timeout_s, stall_s)
        finally:
            process.kill()
            errors = process.communicate()[1].decode(errors="replace")
        outcome.seconds = time.monotonic() - started
        with open(f"{initramfs}.console", "a+b") as file:
            file.seek(0)
            outcome.console = file.read().decode(errors="replace")
        _judge(outcome, errors)
        return outcome


def _follow(process, outcome, on_output, deadline, stall_s):
    frames, limit = Frames(), time.monotonic() + BOOT_TIMEOUT_S
    stalled_at = time.monotonic() + BOOT_TIMEOUT_S + stall_s
    outcome.verdict, outcome.detail = "hang", f"no sign of life for {BOOT_TIMEOUT_S} s while booting"
    while True:
        wait = min(deadline, limit, stalled_at) - time.monotonic()
        if wait <= 0:
            if stalled_at < min(deadline, limit):
                outcome.detail = f"no progress for {stall_s:g} s"
            elif deadline <= limit:
                outcome.verdict, outcome.detail = "timeout", "the time given with --timeout was over"
            return
        if not select.select([process.stdout], [], [], wait)[0]:
            continue
        data = os.read(process.stdout.fileno(), 1 << 16)
        if not data:
            if outcome.verdict == "hang":
                outcome.verdict, outcome.detail = "panic", "the guest ended before the program did"
            return
        for kind, payload in frames.feed(data):
            limit = time.monotonic() + SILENCE_S
            outcome.detail = f"no sign of life for {SILENCE_S} s"
            if kind == "P":
                stalled_at = time.monotonic() + stall_s
            _take(outcome, kind, payload, on_output)
        if outcome.verdict != "hang":
            limit = time.monotonic() + 10  # it only has to reboot now


def _take(outcome, kind, payload, on_output):
    if kind == "R":
        outcome.release = payload.decode()
    elif kind in "OEP":
        on_output({"O": 1, "E": 2, "P": 3}[kind], payload)
    elif kind == "F":
        name, content = payload.split(b"\0", 1)
        outcome.files[name.decode()] = content
    elif kind == "L":
        outcome.verdict, outcome.detail = "set-up", payload.decode(errors="replace")
    elif kind == "X":
        outcome.verdict, outcome.detail, outcome.status = "exited", "", struct.unpack("<i", payload)[0]


def _judge(outcome, qemu_errors):
    """A dead kernel is named by its own words; a QEMU that did not start by QEMU's."""
    death = DEATH.search(outcome.console)
    if outcome.verdict in ("hang", "panic", "timeout") and death:
        outcome.verdict, outcome.detail = "panic", death.group(1).strip()
    elif outcome.verdict == "panic" and not outcome.release:
        outcome.verdict = "set-up"
        outcome.detail = qemu_errors.strip() or "QEMU ended before the guest was up; console:\n" + outcome.console[-2000:]
    elif outcome.verdict == "panic" and not death and qemu_errors.strip():
        outcome.detail += "; QEMU said: " + qemu_errors.strip()
