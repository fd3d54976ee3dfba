"""Runs that need several boots, on a made-up guest."""

import json
import types
import unittest

import boot
import emulator
import kernels
import suite
import suite_commands
from errors import LabError

_KERNEL = kernels.Kernel("6.12", "6.12.1-amd64", "vmlinuz")
_OPTIONS = types.SimpleNamespace(top="/nonexistent", files=(), params={}, boot_timeout=1, memory=1, append="",
                                 emulator=emulator.Emulator(("qemu",), "10.0", {}))


def lines(*events):
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def end(test, verdict="pass"):
    return {"event": "end", "target": "kvm", "id": test, "verdict": verdict, "seconds": 0.1}


class Guest(suite.SuiteRun):
    """Answers each boot from a script instead of booting."""

    def __init__(self, *boots):
        super().__init__(_KERNEL, "prog", [], _OPTIONS)
        self._script, self.excluded = list(boots), []

    def _boot(self):
        self.boots += 1
        self.excluded.append(sorted(self.results))
        stream, outcome = self._script.pop(0)
        journal = suite.Journal()
        journal.feed(stream)
        return journal, outcome


def report(*results):
    target = {"name": "kvm", "complete": True, "results": [{"id": r, "verdict": "pass", "seconds": 0} for r in results]}
    return {"results.json": json.dumps({"schema_version": 1, "targets": [target]}).encode()}


class Suite(unittest.TestCase):
    def test_one_boot_is_enough_when_nothing_dies(self):
        guest = Guest((b"", boot.Outcome("exited", files=report("a.b.c"))))
        self.assertEqual(guest.run()["targets"][0]["summary"]["pass"], 1)

    def test_the_test_that_kills_the_kernel_fails_and_the_rest_runs_in_the_next_boot(self):
        first = lines({"event": "target", "planned": 3}, {"event": "start", "id": "a.b.one"}, end("a.b.one"),
                      {"event": "start", "id": "a.b.two"})
        died = boot.Outcome("panic", release="6.12", detail="Kernel panic - x", console="[ 1.0] Kernel panic - x\n")
        guest = Guest((first, died), (b"", boot.Outcome("exited", files=report("a.b.three"))))
        target = guest.run()["targets"][0]
        verdicts = [(r["id"].split(".")[-1], r["verdict"]) for r in target["results"]]
        self.assertEqual(verdicts, [("one", "pass"), ("three", "pass"), ("two", "fail")])
        self.assertEqual(guest.excluded[1], ["a.b.one", "a.b.two"])
        self.assertIn("Kernel panic - x", target["results"][2]["message"])
        self.assertEqual((target["planned"], target["boots"]), (3, 2))

    def test_a_death_that_is_expected_is_an_xfail(self):
        outcome = boot.Outcome("hang", detail="silent")
        self.assertEqual(suite.culprit_result("a.b.c", outcome, [("a.b.*", "kernel bug")])["verdict"], "xfail")

    def test_a_guest_that_never_ran_a_test_is_a_broken_set_up(self):
        dead = (b"", boot.Outcome("panic", detail="no init"))
        with self.assertRaises(LabError):
            Guest(dead, dead, dead).run()

    def test_a_guest_that_comes_up_at_the_second_try_is_used(self):
        dead = (b"", boot.Outcome("panic", detail="timer"))
        self.assertEqual(Guest(dead, (b"", boot.Outcome("exited", files=report("a.b.c")))).run()["targets"][0]["boots"], 2)

    def test_a_table_has_a_column_per_target(self):
        def one(name, *ids):
            return {"targets": [{"name": name, "implementation": "x", "results": [{"id": i, "verdict": "pass"} for i in ids]}]}
        table = suite_commands.as_table([one("lab-6.1", "a.b.c"), one("mock", "a.b.c", "a.b.d")])
        self.assertEqual(table.splitlines()[2:], ["id\tlab-6.1\tmock", "a.b.c\tpass\tpass", "a.b.d\t-\tpass"])

    def test_a_journal_survives_torn_lines(self):
        journal, stream = suite.Journal(), lines({"event": "start", "id": "x.y.z"})
        for byte in stream:
            journal.feed(bytes([byte]))
        self.assertEqual(journal.running, "x.y.z")


if __name__ == "__main__":
    unittest.main()
