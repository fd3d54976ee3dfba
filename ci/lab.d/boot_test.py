"""Frames, the judgement of a dead guest, modules, the initramfs."""

import struct
import subprocess
import sys
import time
import unittest
import unittest.mock

import boot
import image
import kmod


def frame(kind, payload):
    return b"KL" + kind.encode() + struct.pack("<I", len(payload)) + payload


class Boot(unittest.TestCase):
    def test_frames_are_found_whatever_the_chunks(self):
        stream = b"firmware says K" + frame("R", b"6.1") + frame("O", b"a\n") + frame("X", struct.pack("<i", 7 << 8))
        for size in (1, 3, 1000):
            frames, found = boot.Frames(), []
            for start in range(0, len(stream), size):
                found += frames.feed(stream[start:start + size])
            self.assertEqual([kind for kind, _ in found], ["R", "O", "X"], size)

    def test_a_dead_kernel_is_named_by_its_own_words(self):
        outcome = boot.Outcome(verdict="panic", release="6.1", console="[ 1.0] BUG: kernel NULL pointer dereference\n[ 1.1] Oops: 0000\n")
        boot._judge(outcome, "")
        self.assertEqual((outcome.verdict, outcome.detail), ("panic", "BUG: kernel NULL pointer dereference"))

    def test_an_emulator_that_does_not_start_is_a_broken_set_up(self):
        outcome = boot.Outcome(verdict="panic")
        boot._judge(outcome, "qemu: could not load kernel\n")
        self.assertEqual((outcome.verdict, outcome.detail), ("set-up", "qemu: could not load kernel"))

    def test_a_program_without_progress_hangs_though_the_guest_lives(self):
        writer = "import sys, time\nwhile True:\n sys.stdout.buffer.write(%r)\n sys.stdout.flush()\n time.sleep(0.05)" % frame("H", b"")
        outcome = boot.Outcome()
        with subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE) as process, \
                unittest.mock.patch.object(boot, "BOOT_TIMEOUT_S", 0.5):
            boot._follow(process, outcome, print, time.monotonic() + 30, 0.5)
            process.kill()
        self.assertEqual((outcome.verdict, outcome.detail), ("hang", "no progress for 0.5 s"))

    def test_status_as_a_shell_gives_it(self):
        self.assertEqual(boot.Outcome(status=7 << 8).exit_code(), 7)
        self.assertEqual(boot.Outcome(status=11).exit_code(), 139)


class Modules(unittest.TestCase):
    def test_are_loaded_after_what_they_depend_on(self):
        kos = {"kvm_amd": b"\0depends=kvm,ccp\0", "kvm": b"\0depends=irqbypass\0", "ccp": b"\0depends=\0", "irqbypass": b"\0depends=\0"}
        order = [name for name, _ in kmod.closure(lambda names: {n: kos[n] for n in names if n in kos})]
        self.assertEqual(order, ["irqbypass", "kvm", "ccp", "kvm_amd"])

    def test_names(self):
        self.assertEqual(kmod.module_name("lib/kvm-amd.ko.xz"), "kvm_amd")
        self.assertIsNone(kmod.module_name("lib/modules.dep"))


class Initramfs(unittest.TestCase):
    def test_is_an_archive_that_cpio_reads(self):
        cpio = image.Cpio()
        cpio.add("/a/b/c", b"hello")
        cpio.add("/a/b/c", b"ignored")
        try:
            listing = subprocess.run(["cpio", "-t", "--quiet"], input=cpio.bytes(), capture_output=True, check=True).stdout
        except FileNotFoundError:
            self.skipTest("cpio is not installed")
        self.assertEqual(listing.split(), [b"a", b"a/b", b"a/b/c"])


if __name__ == "__main__":
    unittest.main()
