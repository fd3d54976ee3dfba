"""`ci/lab random`: kvm-random on one kernel, the mock and kvm_amd side by side in the guest. See conformance/random/README.md."""

import argparse
import concurrent.futures
import json
import os
import sys
import threading

import boot
import cache
import emulator
import files
import image
import kernels
import suite_commands
from errors import FAILURE, LabError

# QEMU TCG does not switch RFLAGS.VM at VMRUN and #VMEXIT: the kernel in the guest dies.
_MODES_THAT_END_THE_KERNEL = ("v86",)
_BLOCK = 32  # kvm-random names every such number before it goes on
_OUTPUT = threading.Lock()  # one guest's output at a time


class Progress:
    """What program is under way, by the lines that come on descriptor 3; one changing line on a terminal."""

    def __init__(self, first, programs, is_alone=True):
        self.number, self._first, self._programs, self._part = None, first, programs, b""
        self._shows, self._held = is_alone and sys.stderr.isatty(), None if is_alone else []

    def take(self, fd, data):
        """Output of the guest: progress here, everything else to the same stream, at the end if other guests run as well."""
        if fd != 3:
            if self._held is None:
                os.write(fd, data)
            else:
                self._held.append((fd, data))
            return
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            self.number = int(line)
        if lines and self._shows:
            print(f"\r{self.number - self._first}/{self._programs}\x1b[K", end="", file=sys.stderr, flush=True)

    def end(self):
        """Takes the line away; gives what was held back."""
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr)
        with _OUTPUT:
            for fd, data in self._held or []:
                os.write(fd, data)


def program_arguments(args, first, programs, block):
    """The command line of kvm-random in the guest."""
    found = ["--seed", str(args.seed), "--first", str(first), "--programs", str(programs), "--progress-fd", "3",
             "--progress-every", str(block), "--json", "/lab/out/random.json", "--profile", profile_of(args)]
    for name in ("mode", "family"):
        for value in getattr(args, name):
            found += [f"--{name}", value]
    if not args.mode:
        found += [word for mode in _MODES_THAT_END_THE_KERNEL for word in ("--without-mode", mode)]
    return found + args.arguments


def profile_of(args):
    """The mock answers as the kernel does."""
    return args.profile or (args.kernel if args.kernel in kernels.MATRIX else "6.12")


def record(kernel, qemu, summary):
    """The summary with what it was run on."""
    return {"kernel": kernel.release, "kernel_packages": {name: p["version"] for name, p in kernel.origin.items()},
            "emulator": f"QEMU {qemu.version}", **summary}


def _boot(args, kernel, qemu, first, programs, block):
    progress = Progress(first, programs, args.jobs == 1)
    program = [args.program, *program_arguments(args, first, programs, block)]
    archive = image.build(kernel, program, cache.folder(), module_params=args.params)
    try:
        return boot.boot(qemu, kernel, archive, progress.take, args.timeout, args.memory, args.append, args.stall), progress
    finally:
        progress.end()


def _run(args, kernel, qemu, first, programs):
    """The outcome of one guest."""
    outcome, progress = _boot(args, kernel, qemu, first, programs, _BLOCK)
    if outcome.verdict != "exited" and progress.number is not None:
        # Once more, only the block that it ended in, each program by name.
        print(f"lab: the guest ended in programs {progress.number} to {progress.number + _BLOCK - 1}: again, one by one", file=sys.stderr)
        outcome, progress = _boot(args, kernel, qemu, progress.number, _BLOCK, 1)
    if outcome.verdict != "exited":
        where = f" in program {progress.number} of seed {args.seed}" if progress.number is not None else ""
        tail = "\n".join(outcome.console.splitlines()[-40:])
        raise LabError(f"{kernel.spec} ({kernel.release}): {outcome.verdict}{where}: {outcome.detail}\n{tail}",
                       FAILURE if progress.number is not None else 3)
    return outcome


def parts(first, programs, jobs):
    """The range in as many parts, by first and count."""
    size = -(-programs // jobs)
    return [(first + at, min(size, programs - at)) for at in range(0, programs, size)]


def total(summaries):
    """Several summaries of neighbouring ranges as one."""
    found = dict(summaries[0])
    for summary in summaries[1:]:
        for key, value in summary.items():
            if isinstance(value, dict) and key.startswith("by_"):
                found[key] = {name: found[key].get(name, 0) + value.get(name, 0) for name in sorted({*found[key], *value})}
            elif isinstance(value, int) and key not in ("seed", "first"):
                found[key] += value
    return found


def command_random(args):
    """Random guests on one kernel."""
    args.program = suite_commands.program_path(args, "kvm-random")
    kernel, qemu = kernels.find(args.kernel, args.modules), emulator.find(args.qemu)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        guests = [pool.submit(_run, args, kernel, qemu, *part) for part in parts(args.first, args.programs, args.jobs)]
        outcomes = [guest.result() for guest in guests]
    if all("random.json" in outcome.files for outcome in outcomes):
        summary = total([json.loads(outcome.files["random.json"]) for outcome in outcomes])
        text = json.dumps(record(kernel, qemu, summary), indent=1).encode() + b"\n"
        if args.json:
            files.write_whole(args.json, text)
        if args.record:
            files.write_whole(os.path.join(args.record, f"random-{args.kernel}.json"), text)
    return max(outcome.exit_code() for outcome in outcomes)


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return int(text)


def add_options(parser, top):
    """Options of `ci/lab random`. Everything else goes to kvm-random."""
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="which programs (1)")
    parser.add_argument("--programs", type=_positive, default=1000, metavar="N", help="how many (1000)")
    parser.add_argument("--first", type=int, default=0, metavar="K", help="number of the first (0)")
    parser.add_argument("--jobs", type=_positive, default=1, metavar="N", help="guests at the same time, each with a part (1)")
    parser.add_argument("--mode", action="append", default=[], metavar="MODE", help="only in this mode; may be repeated")
    parser.add_argument("--family", action="append", default=[], metavar="FAMILY", help="only these instructions; may be repeated")
    parser.add_argument("--profile", metavar="NAME", help="what the mock answers as (the kernel's)")
    parser.add_argument("--json", metavar="FILE", help="write the summary to this file")
    parser.add_argument("--record", nargs="?", const=os.path.join(top, "conformance/recorded"), metavar="DIR",
                        help="write the summary to random-KERNEL.json there (conformance/recorded)")
    parser.add_argument("--program", metavar="PATH", help="kvm-random to use instead of the release build")
    parser.add_argument("--timeout", type=float, default=3600, metavar="S", help="seconds until the guest is ended (3600)")
    parser.add_argument("--stall", type=float, default=300, metavar="S",
                        help=f"seconds for {_BLOCK} programs until they count as hanging (300)")
    parser.set_defaults(top=top)
