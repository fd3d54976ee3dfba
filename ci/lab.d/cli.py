"""The commands of ci/lab."""

import argparse
import functools
import os
import sys

import boot
import cache
import emulator
import files
import image
import kernels
import random_command
import suite_commands
from errors import SETUP, USAGE, LabError

_TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
_FORWARDING = ("run", "matrix", "random")  # arguments that are not the lab's go to the program
_KERNEL_HELP = "5.10, 6.1, 6.12, 7.x (newest of the 7 series), any other Debian series such as 7.2, or the path of a bzImage"


def _forward(fd, data):
    """Guest output to the same stream here."""
    if fd != 3:
        os.write(fd, data)


def _params(items):
    """{"kvm_amd": "nested=0 npt=1"} from kvm_amd.nested=0 kvm_amd.npt=1."""
    found = {}
    for item in items:
        module, _, assignment = item.partition(".")
        if "=" not in assignment:
            raise LabError(f"--param {item}: expected MODULE.NAME=VALUE", USAGE)
        found[module.replace("-", "_")] = f"{found.get(module, '')} {assignment}".strip()
    return found


def describe(kernel, outcome):
    """One paragraph about a guest that did not end as it should."""
    tail = "\n".join(outcome.console.splitlines()[-40:])
    return f"lab: {kernel.spec} ({kernel.release}): {outcome.verdict}: {outcome.detail}\n{tail}"


def command_list(_args):
    """Known kernels and what the cache has of them."""
    for spec in kernels.MATRIX:
        kernel = kernels.cached(spec)
        if kernel:
            origin = ", ".join(f"{name} {o['version']} from {o['suite']}" for name, o in kernel.origin.items())
            print(f"{spec:<6}{kernel.release:<24}{origin}")
        else:
            print(f"{spec:<6}{'not downloaded yet':<24}{', '.join(kernels.SUITES.get(spec, kernels.NEWER))}")
    own = cache.facts("emulator", emulator.SUITE)
    print(f"QEMU  {own['version'] if own else 'not downloaded yet':<24}{emulator.SUITE}")
    return 0


def command_fetch(args):
    """Downloads kernels now."""
    for spec in args.kernels or kernels.MATRIX:
        if args.refresh:
            cache.forget("kernels", spec)
        kernel = kernels.find(spec)
        print(f"{spec:<6}{kernel.release}")
    if args.refresh:
        cache.forget("emulator", emulator.SUITE)
    print(f"QEMU  {emulator.find('own').version}")
    return 0


def command_exec(args):
    """Runs any program in a guest."""
    kernel = kernels.find(args.kernel, args.modules)
    more = [tuple(f.split(":", 1)) if ":" in f else (f, os.path.abspath(f)) for f in args.file]
    program = [args.program, *args.arguments]
    archive = image.build(kernel, program, cache.folder(), more, args.env, args.params)
    outcome = boot.boot(emulator.find(args.qemu), kernel, archive, _forward, args.timeout, args.memory, args.append)
    if args.console:
        sys.stderr.write(outcome.console)
    for name, content in outcome.files.items():
        files.write_whole(os.path.join(args.out, name), content)
    if outcome.verdict != "exited":
        print(describe(kernel, outcome), file=sys.stderr)
        return SETUP
    return outcome.exit_code()


def command_record(args):
    """Rewrites conformance/recorded/facts-amd-*.json."""
    for spec in args.kernels or kernels.MATRIX:
        kernel = kernels.find(spec)
        archive = image.build(kernel, [args.program, "/lab/out/facts.json"], cache.folder())
        outcome = boot.boot(emulator.find(), kernel, archive, _forward)
        if outcome.verdict != "exited" or outcome.exit_code() != 0 or "facts.json" not in outcome.files:
            print(describe(kernel, outcome), file=sys.stderr)
            return SETUP
        path = os.path.join(args.out, f"facts-amd-{spec}.json")
        files.write_whole(path, outcome.files["facts.json"])
        print(f"{path}: {outcome.release}")
    return 0


def _add_kernel(parser):
    parser.add_argument("kernel", metavar="KERNEL", help=_KERNEL_HELP)
    parser.add_argument("--modules", metavar="DIR", help="folder with the modules of a bzImage (searched in depth)")


def _add_boot_options(parser):
    parser.add_argument("--param", action="append", default=[], metavar="MODULE.NAME=VALUE", help="module parameter, e.g. kvm_amd.nested=0")
    parser.add_argument("--append", default="", metavar="TEXT", help="more kernel command line")
    parser.add_argument("--qemu", metavar="own|system|PATH", help="own: Debian 13's, downloaded once; or KVM_LAB_QEMU (own)")
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB", help="guest memory (1024)")


def parser():
    """The command line."""
    top = argparse.ArgumentParser(prog="ci/lab", description="Real kernels with kvm_amd under QEMU TCG: no virtualisation needed. "
                                  "Kernels come from Debian's archive, once, into $KVM_LAB_CACHE or ~/.cache/kvm-conformance.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND",
                                  parser_class=functools.partial(argparse.ArgumentParser, allow_abbrev=False))
    one = commands.add_parser("list", help="known kernels, and the versions in the cache")
    one.set_defaults(run=command_list)
    one = commands.add_parser("fetch", help="download kernels (all of the matrix by default) and QEMU now")
    one.add_argument("kernels", nargs="*", metavar="KERNEL")
    one.add_argument("--refresh", action="store_true", help="replace what the cache has by the newest")
    one.set_defaults(run=command_fetch)
    one = commands.add_parser("exec", help="run a program of this machine in a guest; exit status is the program's")
    _add_kernel(one)
    _add_boot_options(one)
    one.add_argument("--timeout", type=float, default=600, metavar="S", help="seconds until the guest is ended (600)")
    one.add_argument("--file", action="append", default=[], metavar="HOST[:GUEST]", help="copy one more file into the guest")
    one.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    one.add_argument("--out", default=".", metavar="DIR", help="where files that the program left in /lab/out go (.)")
    one.add_argument("--console", action="store_true", help="print the guest's console to standard error at the end")
    one.add_argument("program", metavar="PROGRAM")
    one.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS")
    one.set_defaults(run=command_exec)
    more = "Other arguments (--filter, --exclude, --timeout ...) go to `kvm-conformance run`."
    one = commands.add_parser("run", help="run the suite on one kernel", epilog=more)
    _add_kernel(one)
    _add_boot_options(one)
    suite_commands.add_suite_options(one, _TOP)
    one.set_defaults(run=suite_commands.command_run)
    one = commands.add_parser("matrix", help="run the suite on all kernels and the mock: one table", epilog=more)
    _add_boot_options(one)
    suite_commands.add_suite_options(one, _TOP)
    one.add_argument("--kernels", metavar="A,B", help=f"only these ({','.join(kernels.MATRIX)})")
    one.add_argument("--no-mock", action="store_true", help="leave the mock out")
    one.add_argument("--boots", type=int, metavar="N", help="guests at a time (one per CPU)")
    one.add_argument("--keep", metavar="DIR", help="write results-lab-6.12.json ... there")
    one.add_argument("--record", nargs="?", const=os.path.join(_TOP, "conformance/recorded"), metavar="DIR",
                     help="write the verdicts of all tests to matrix.tsv there (conformance/recorded)")
    one.set_defaults(run=suite_commands.command_matrix)
    one = commands.add_parser("random", help="run random guests on one kernel and on the mock beside it",
                              epilog="Other arguments (--most, --each, --no-reduce ...) go to kvm-random.")
    _add_kernel(one)
    _add_boot_options(one)
    random_command.add_options(one, _TOP)
    one.set_defaults(run=random_command.command_random)
    one = commands.add_parser("record", help="rewrite the recorded facts of the kernels of the matrix")
    one.add_argument("kernels", nargs="*", metavar="KERNEL")
    one.add_argument("--program", default=os.path.join(_TOP, "build/release/bin/kvm-record"), metavar="PATH",
                     help="kvm-record (release build)")
    one.add_argument("--out", default=os.path.join(_TOP, "conformance/recorded"), metavar="DIR")
    one.set_defaults(run=command_record)
    return top


def main(arguments):
    """Exit status: the program's for exec; else 0 as expected, 1 failure, 2 usage, 3 own set-up, 4 kernel not available."""
    args, rest = parser().parse_known_args(arguments)
    args.arguments = [*getattr(args, "arguments", []), *rest] if args.command in _FORWARDING else getattr(args, "arguments", [])
    try:
        if rest and args.command not in _FORWARDING:
            raise LabError(f"unknown argument {rest[0]}; see ci/lab {args.command} --help", USAGE)
        if hasattr(args, "param"):
            args.params = _params(args.param)
        return args.run(args)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
