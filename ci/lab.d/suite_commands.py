"""`ci/lab run` and `ci/lab matrix`: the suite on one kernel, or on all of them and the mock, with one report."""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import threading

import emulator
import files
import kernels
import suite
from errors import USAGE, LabError

class Progress:
    """One changing line on a terminal, nothing elsewhere. Several runs may share it."""

    def __init__(self):
        self._lock, self._state, self._is_terminal = threading.Lock(), {}, sys.stderr.isatty()

    def event(self, name):
        """A function that takes the events of the run called `name`."""
        def take(event):
            with self._lock:
                planned, done = self._state.get(name, (0, 0))
                if event["event"] == "target":
                    planned = max(planned, event.get("planned", 0))
                self._state[name] = (planned, done + (event["event"] == "end"))
                if self._is_terminal:
                    print("\r" + "  ".join(f"{n} {d}/{p}" for n, (p, d) in self._state.items()) + "\x1b[K", end="", file=sys.stderr)
        return take

    def clear(self):
        """Takes the line away."""
        if self._is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr)


def program_path(args, name="kvm-conformance"):
    """The program: --program, or the release build, built if it is not up to date."""
    if args.program:
        return args.program
    script = '. ci/lib.sh && build release "$1" || die "the build failed"'
    if subprocess.run(["bash", "-c", script, "ci/lab", name], cwd=args.top, check=False).returncode != 0:
        raise LabError(f"{name} could not be built (ci/install-deps installs what is missing)")
    return os.path.join(args.top, f"build/release/bin/{name}")


def check_arguments(arguments):
    """Arguments that make no sense in a guest."""
    for argument in arguments:
        if argument.split("=")[0] in ("--target", "--profile", "--jobs", "--require", "--progress-fd"):
            raise LabError(f"{argument.split('=')[0]} can not be given here: the target is the kernel in the guest", USAGE)


def guest_file_arguments(arguments):
    """Arguments that name files of this machine, changed to name their copies in the guest: (arguments, [(host, guest)])."""
    changed, copies, expect_path = [], [], False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if expect_path or (name in ("--expectations", "--skip-file") and equals):
            path = argument if expect_path else value
            if not os.path.isfile(path):
                raise LabError(f"{path}: no such file", USAGE)
            copies.append((path, f"/lab/in/{len(copies)}-{os.path.basename(path)}"))
            changed.append(copies[-1][1] if expect_path else f"{name}={copies[-1][1]}")
            expect_path = False
        else:
            changed.append(argument)
            expect_path = argument in ("--expectations", "--skip-file")
    return changed, copies


def run_on(kernel, args, program, progress):
    """The report of one kernel."""
    arguments, copies = guest_file_arguments(args.arguments)
    options = argparse.Namespace(top=args.top, files=copies, params=args.params, boot_timeout=args.boot_timeout, memory=args.memory,
                                 append=args.append, emulator=emulator.find(args.qemu))
    return suite.SuiteRun(kernel, program, arguments, options, progress.event(kernel.spec)).run()


def unavailable(name, error):
    """A report that says why nothing was run."""
    target = {"name": name, "implementation": name, "unavailable": str(error), "remedy": "", "required": True, "complete": False,
              "planned": 0, "results": []}
    return {"schema_version": 1, "program": "kvm-conformance", "started_at": "", "targets": [target]}


def mock_report(program, arguments, work):
    """The same selection on the mock, in this process's world."""
    path = os.path.join(work, "mock.json")
    command = [program, "run", "--target", "mock", "--format", "json", "--output", path, "--quiet", *arguments]
    status = subprocess.run(command, check=False).returncode
    if not os.path.exists(path):
        raise LabError(f"kvm-conformance ended with status {status} on the mock", status if status in (2, 3, 4) else 3)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def as_table(reports):
    """One line per test, one column per target; the head says what the targets were."""
    targets = [target for report in reports for target in report["targets"]]
    head = []
    for target in targets:
        packages = ", ".join(f"{name} {p['version']} of {p['suite']}" for name, p in (target.get("kernel_packages") or {}).items())
        about = [(target.get("unavailable") or target["implementation"]).split("\n", 1)[0], packages, target.get("emulator", "")]
        head.append(f"# {target['name']}: " + "; ".join(part for part in about if part))
    verdicts = [{result["id"]: result["verdict"] for result in target["results"]} for target in targets]
    rows = ["\t".join(["id", *(target["name"] for target in targets)])]
    rows += ["\t".join([test, *(column.get(test, "-") for column in verdicts)]) for test in sorted(set().union(*verdicts))]
    return "\n".join(head + rows) + "\n"


def render(program, reports, args):
    """Prints or writes one report for all targets; the exit status of kvm-conformance."""
    whole = {**reports[0], "targets": [target for report in reports for target in report["targets"]]}
    text = json.dumps(whole, indent=1).encode() + b"\n"
    with tempfile.TemporaryDirectory(prefix="kvm-lab-") as work:
        path = os.path.join(work, "results.json")
        files.write_whole(path, text)
        command = [program, "report", path]
        if args.format == "json":  # as it is: `report` does not know what the lab adds about kernels
            if args.output:
                files.write_whole(args.output, text)
            else:
                sys.stdout.write(text.decode())
        else:
            command += ["--format", args.format] + (["--output", args.output] if args.output else [])
        sys.stdout.flush()
        silent = subprocess.DEVNULL if args.format == "json" and not args.output else None
        return subprocess.run(command, stdout=silent, check=False).returncode


def command_run(args):
    """The suite on one kernel."""
    check_arguments(args.arguments)
    kernel = kernels.find(args.kernel, args.modules)
    program, progress = program_path(args), Progress()
    try:
        report = run_on(kernel, args, program, progress)
    finally:
        progress.clear()
    return render(program, [report], args)


def command_matrix(args):
    """The suite on every kernel and on the mock; one table."""
    check_arguments(args.arguments)
    specs = args.kernels.split(",") if args.kernels else list(kernels.MATRIX)
    program, progress = program_path(args), Progress()
    reports = {}

    def one(spec):
        try:
            return run_on(kernels.find(spec), args, program, progress)
        except LabError as error:
            if error.status == USAGE:
                raise
            return unavailable(f"lab-{spec}", error)

    try:
        with concurrent.futures.ThreadPoolExecutor(args.boots or max(1, len(os.sched_getaffinity(0)))) as pool:
            running = {spec: pool.submit(one, spec) for spec in specs}
            reports = {spec: future.result() for spec, future in running.items()}
    finally:
        progress.clear()
    with tempfile.TemporaryDirectory(prefix="kvm-lab-") as work:
        every = [reports[spec] for spec in specs] + ([] if args.no_mock else [mock_report(program, args.arguments, work)])
    if args.keep:
        for report in every:
            name = report["targets"][0]["name"]
            files.write_whole(os.path.join(args.keep, f"results-{name}.json"), json.dumps(report, indent=1).encode() + b"\n")
    if args.record:
        files.write_whole(os.path.join(args.record, "matrix.tsv"), as_table(every).encode())
    return render(program, every, args)


def add_suite_options(parser, top):
    """Options that `run` and `matrix` share. Everything else goes to kvm-conformance."""
    parser.add_argument("--program", metavar="PATH", help="kvm-conformance to use instead of the release build")
    parser.add_argument("--boot-timeout", type=float, default=1800, metavar="S", help="seconds that one boot may take (1800)")
    parser.add_argument("--format", choices=("human", "ktap", "junit", "json"), default="human", help="form of the report")
    parser.add_argument("--output", metavar="FILE", help="write the report to this file")
    parser.set_defaults(top=top)
