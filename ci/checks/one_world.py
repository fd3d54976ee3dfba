"""Tests must not know which implementation they run on: a deviation belongs in an expectations file, never in an `if`."""

import re

from tree import without_comments

_ASKS = re.compile(r"\bis_mock\w*\(|\bon_mock\(|target\(?\)?\.name\s*[!=]=|\bname\(\)\s*[!=]=\s*\"mock")


def check(tree):
    """Messages for tests and helpers that ask what they run on."""
    messages = []
    for path in tree.paths(r"^(conformance|kvmapi|guests)/.*\.(cpp|hpp)$"):
        if path.startswith(("conformance/runner/", "conformance/main.cpp")):
            continue
        for number, line in enumerate(without_comments(tree.read(path)).splitlines(), 1):
            if _ASKS.search(line):
                messages.append(f"{path}:{number}: a test asks which implementation it runs on: {line.strip()}")
    return messages


BAD = {"conformance/vm/a_test.cpp": "if (is_mock()) return;\n", "conformance/run/b_test.cpp": 'if (backend.name() == "mock") return;\n'}
GOOD = {"conformance/vm/a_test.cpp": "// there is no is_mock()\nint x;\n"}
