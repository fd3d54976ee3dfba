"""Which package is newest, and how an index is read."""

import re
import unittest

import archive
import emulator
from errors import LabError

_PACKAGES = """Package: linux-image-6.12.117+deb13-amd64
Version: 6.12.117-1
Filename: pool/a.deb
Size: 107898972
SHA256: 00ff

Package: linux-image-6.12.117+deb13-rt-amd64
Version: 6.12.117-1
Filename: pool/b.deb
Size: 1
SHA256: 11ee
"""


class Archive(unittest.TestCase):
    def test_versions_sort_as_debian_sorts_them(self):
        order = ["5.10.9-1", "5.10.262-1", "7.2.13-1", "7.3~rc7-1~exp1", "7.3-1", "7.3.1-1"]
        self.assertEqual(sorted(reversed(order), key=archive.version_key), order)

    def test_only_matching_names_are_taken(self):
        found = list(archive.parse_packages(_PACKAGES, re.compile(r"linux-image-[\d.+a-z]+-amd64"), "http://x", "trixie"))
        self.assertEqual([(p.name, p.url, p.size) for p in found], [("linux-image-6.12.117+deb13-amd64", "http://x/pool/a.deb", 107898972)])

    def test_the_libraries_of_a_program_are_found_through_what_they_need(self):
        text = ("Package: qemu-system-x86\nVersion: 1:10.0.1-1\nFilename: q\nSize: 1\nSHA256: 0\nDepends: libb (>= 2) | libx, perl:any\n\n"
                "Package: libb2\nVersion: 1\nFilename: b\nSize: 1\nSHA256: 0\nProvides: libb (= 2)\nPre-Depends: libc\n\n"
                "Package: libc\nVersion: 1\nFilename: c\nSize: 1\nSHA256: 0\n\n"
                "Package: perl\nVersion: 1\nFilename: p\nSize: 1\nSHA256: 0\n")
        index = {p.name: p for p in archive.parse_packages(text, re.compile(".*"), "http://x", "trixie")}
        found = sorted(p.name for p in emulator.closure(index, ("qemu-system-x86",)))
        self.assertEqual(found, ["libb2", "libc", "qemu-system-x86"])

    def test_checksum_of_an_index(self):
        text = "Suite: x\nSHA256:\n " + "a" * 64 + "  12 main/binary-amd64/Packages.xz\n"
        self.assertEqual(archive.sha256_of(text, "main/binary-amd64/Packages.xz"), "a" * 64)
        with self.assertRaises(LabError):
            archive.sha256_of(text, "main/binary-i386/Packages.xz")


if __name__ == "__main__":
    unittest.main()
