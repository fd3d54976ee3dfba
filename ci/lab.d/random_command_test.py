"""Unit tests of random_command."""

import types
import unittest

import random_command


def _args(**more):
    return types.SimpleNamespace(**{"seed": 3, "mode": ["pae"], "family": [], "arguments": ["--each", "1"], "profile": None,
                                    "kernel": "5.10", **more})


class Arguments(unittest.TestCase):
    """What kvm-random is called with."""

    def test_everything_is_passed_on(self):
        found = random_command.program_arguments(_args(), 40, 8, 1)
        text = " ".join(found)
        for part in ("--seed 3", "--first 40", "--programs 8", "--progress-every 1", "--profile 5.10", "--mode pae", "--each 1"):
            self.assertIn(part, text)

    def test_a_mode_that_ends_the_lab_kernel_runs_only_if_it_is_asked_for(self):
        self.assertIn("--without-mode v86", " ".join(random_command.program_arguments(_args(mode=[]), 0, 1, 1)))
        self.assertNotIn("--without-mode", random_command.program_arguments(_args(mode=["v86"]), 0, 1, 1))

    def test_a_kernel_without_a_profile_is_compared_with_the_usual_one(self):
        self.assertEqual(random_command.profile_of(_args(kernel="./bzImage")), "6.12")
        self.assertEqual(random_command.profile_of(_args(kernel="./bzImage", profile="7.x")), "7.x")


class Progress(unittest.TestCase):
    """Which program is under way."""

    def test_lines_that_come_in_pieces(self):
        progress = random_command.Progress(0, 100)
        progress.take(3, b"0\n3")
        self.assertEqual(progress.number, 0)
        progress.take(3, b"2\n")
        self.assertEqual(progress.number, 32)


class Parts(unittest.TestCase):
    """Several guests at once."""

    def test_cover_the_range_once(self):
        self.assertEqual(random_command.parts(10, 7, 3), [(10, 3), (13, 3), (16, 1)])
        self.assertEqual(random_command.parts(0, 1, 4), [(0, 1)])

    def test_summaries_add_up(self):
        a = {"program": "kvm-random", "seed": 1, "first": 0, "programs": 3, "same": 2, "by_limit": {"x": 1}}
        b = {"program": "kvm-random", "seed": 1, "first": 3, "programs": 2, "same": 2, "by_limit": {"x": 2, "y": 5}}
        self.assertEqual(random_command.total([a, b]), {"program": "kvm-random", "seed": 1, "first": 0, "programs": 5, "same": 4,
                                                        "by_limit": {"x": 3, "y": 5}})


class Record(unittest.TestCase):
    """What is kept of a run."""

    def test_names_what_it_was_run_on(self):
        kernel = types.SimpleNamespace(release="6.12-amd64", origin={"linux-image": {"version": "6.12.1-1"}})
        found = random_command.record(kernel, types.SimpleNamespace(version="10.0"), {"seed": 1})
        self.assertEqual(found["kernel_packages"], {"linux-image": "6.12.1-1"})
        self.assertEqual((found["kernel"], found["emulator"], found["seed"]), ("6.12-amd64", "QEMU 10.0", 1))


if __name__ == "__main__":
    unittest.main()
