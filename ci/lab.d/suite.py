"""Runs kvm-conformance on a kernel, in as many boots as it takes: a test that kills or hangs the kernel is reported under its own
name, and what had not been run yet is run in the next boot."""

import datetime
import fnmatch
import json
import os
import re
import sys

import boot
import cache
import image
import kernels
from errors import SETUP, LabError

MAX_BOOTS = 40
MAX_FALSE_STARTS = 3  # an emulated machine on a busy host may fail to come up


class Journal:
    """The JSON lines that kvm-conformance writes to --progress-fd, as they arrive."""

    def __init__(self, on_event=lambda event: None):
        self._rest, self._on_event = b"", on_event
        self.planned, self.ended, self.running = 0, {}, None

    def feed(self, data):
        """Takes the next bytes; incomplete lines wait."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            self._take(event)
            self._on_event(event)

    def _take(self, event):
        kind = event.get("event")
        if kind == "target":
            self.planned = event.get("planned", 0)
        elif kind == "start":
            self.running = event["id"]
        elif kind == "end":
            result = {key: value for key, value in event.items() if key not in ("event", "target")}
            self.ended[event["id"]] = result
            if self.running == event["id"]:
                self.running = None


def expectations_name(spec):
    """Name of the linked-in expectations file: lab-6.12; every 7.N shares lab-7.x."""
    if not kernels.is_series(spec):
        return "lab"
    return "lab-7.x" if spec.startswith("7.") else f"lab-{spec}"


def expected_deaths(top, name):
    """[(glob, reason)] of conformance/expectations/NAME.txt: a guest that died can not look it up itself."""
    try:
        with open(os.path.join(top, "conformance/expectations", f"{name}.txt"), encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return []
    return [tuple(line.split(None, 1)) for line in lines if line and not line.startswith("#") and len(line.split(None, 1)) == 2]


def culprit_result(test, outcome, expected):
    """The result of a test during which the guest's kernel died or hung."""
    result = {"id": test, "verdict": "fail", "seconds": round(outcome.seconds, 3),
              "message": f"the guest kernel did not survive this test: {outcome.verdict}: {outcome.detail}\n{trace(outcome.console)}"}
    for glob, reason in expected:
        if fnmatch.fnmatchcase(test, glob):
            return {**result, "verdict": "xfail", "expectation": reason}
    return result


def trace(console):
    """The lines of the console that explain a death: from its first word on, else the last ones."""
    lines = [re.sub(r"^\[ *[\d.]+\] ", "", line) for line in console.splitlines()]
    first = next((i for i, line in enumerate(lines) if boot.DEATH.search(line)), max(0, len(lines) - 12))
    return "\n".join(lines[first:first + 24])


def warnings_of(console):
    """Kernel warnings that did not kill it; worth a look all the same."""
    return re.findall(r"WARNING: .*", console)


def version(kernel):
    """6.12.117 for Debian's 6.12.117-1; of a bzImage what its name says."""
    for package in kernel.origin.values():
        return package["version"].rsplit("-", 1)[0].removesuffix("-1~exp1")
    return kernel.release


class SuiteRun:
    """One run of the suite on one kernel."""

    def __init__(self, kernel, program, arguments, options, on_event=lambda event: None):
        self.kernel, self.program, self.arguments, self.options, self.on_event = kernel, program, arguments, options, on_event
        self.name = f"lab-{kernel.spec}" if kernels.is_series(kernel.spec) else "lab"
        self.expected = expected_deaths(options.top, expectations_name(kernel.spec))
        self.results, self.boots, self.warnings = {}, 0, []
        self.started = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def run(self):
        """The report as kvm-conformance writes it, with one target."""
        seconds, planned, false_starts = 0.0, None, 0
        while True:
            journal, outcome = self._boot()
            seconds += outcome.seconds
            planned = journal.planned if planned is None else planned
            self.warnings += warnings_of(outcome.console)
            if "results.json" in outcome.files:
                return self._finish(json.loads(outcome.files["results.json"]), outcome, seconds, planned)
            if outcome.verdict == "exited":
                raise LabError(f"kvm-conformance ended with status {outcome.exit_code()} in the guest",
                               outcome.exit_code() if outcome.exit_code() in (2, 3, 4) else SETUP)
            self.results.update(journal.ended)
            if journal.running is None and not journal.ended:
                false_starts += 1
                if false_starts < MAX_FALSE_STARTS:
                    print(f"lab: {self.kernel.spec}: {outcome.verdict} before the first test: {outcome.detail}; once more", file=sys.stderr)
                    continue
                what = f"{self.kernel.spec} ({self.kernel.release}): {outcome.verdict}: {outcome.detail}"
                raise LabError(f"{what}\n{trace(outcome.console)}")
            if journal.running:
                self.results[journal.running] = culprit_result(journal.running, outcome, self.expected)
                print(f"lab: {self.kernel.spec}: {outcome.verdict} in {journal.running}: {outcome.detail}", file=sys.stderr)
            if outcome.verdict == "timeout" or self.boots == MAX_BOOTS:
                print(f"lab: {self.kernel.spec}: stopped after {self.boots} boots, {len(self.results)} of {planned} tests were run",
                      file=sys.stderr)
                return self._report({}, seconds, planned, complete=False)

    def _boot(self):
        self.boots += 1
        journal = Journal(self.on_event)
        done = [part for test in self.results for part in ("--exclude", test)]
        argv = [self.program, "run", "--target", "kvm", "--require", "on", "--format", "json", "--output", "/lab/out/results.json",
                "--progress-fd", "3", "--quiet", "--jobs", "1", *self.arguments, *done]
        env = [f"KVM_CONFORMANCE_EXPECTATIONS={expectations_name(self.kernel.spec)}"]
        archive = image.build(self.kernel, argv, cache.folder(), self.options.files, env, self.options.params, supervised=True)

        def on_output(descriptor, data):
            if descriptor == 3:
                journal.feed(data)
            else:
                os.write(2, data)

        outcome = boot.boot(self.options.emulator, self.kernel, archive, on_output, self.options.boot_timeout, self.options.memory,
                            self.options.append)
        return journal, outcome

    def _finish(self, report, outcome, seconds, planned):
        target = report["targets"][0]
        if target.get("unavailable"):
            raise LabError(f"{self.kernel.spec}: KVM is not usable in the guest: {target['unavailable']}", SETUP)
        for result in target["results"]:
            self.results[result["id"]] = result
        return self._report(report, seconds, planned, target.get("complete", False))

    def _report(self, report, seconds, planned, complete):
        target = dict(report.get("targets", [{}])[0])
        results = sorted(self.results.values(), key=lambda result: result["id"])
        verdicts = ("pass", "fail", "skip", "xfail", "xpass", "broken")
        target.update({
            "name": self.name, "implementation": f"kvm_amd {version(self.kernel)}, TCG",
            "emulator": f"QEMU {self.options.emulator.version}, -cpu {boot.CPU}",
            "kernel_release": self.kernel.release, "rerun_command": f"ci/lab run {self.kernel.spec}",
            "complete": complete, "planned": planned or len(results), "seconds": round(seconds, 1), "boots": self.boots,
            "kernel_packages": self.kernel.origin, "kernel_warnings": self.warnings,
            "summary": {verdict: sum(r["verdict"] == verdict for r in results) for verdict in verdicts}, "results": results})
        target.setdefault("vendor", "amd")
        target.setdefault("facts", None)
        return {"schema_version": report.get("schema_version", 1), "program": "kvm-conformance", "started_at": self.started,
                "targets": [target]}
