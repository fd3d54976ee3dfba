#!/usr/bin/env python3
"""tail_calls.py PROGRAM: no instruction handler of mock/cpu in PROGRAM may call another one; they must jump.

Handlers follow each other by tail calls (mock/cpu/engine.hpp). clang proves it with musttail; g++ 12 has no such attribute, and one local
variable whose address escapes is enough to turn the jump into a call, so that the stack grows with every guest instruction.
Exit status: 0 good, 1 a handler calls a handler, 2 wrong usage, 3 nothing to check.
"""

import re
import subprocess
import sys

SIGNATURE = "(mock::cpu::Core*, mock::cpu::Op const*, long)"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    text = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", sys.argv[1]], check=True, capture_output=True, text=True)
    function, handlers, bad = "", 0, []
    for line in text.stdout.splitlines():
        if line.endswith(">:"):
            function = line.split(" ", 1)[1][1:-2]
            handlers += SIGNATURE in function
            continue
        if SIGNATURE not in function or "\tcall " not in line:
            continue
        indirect = re.search(r"\tcall +\*", line)
        if indirect or line.rstrip(">").endswith(SIGNATURE):
            bad.append(f"{function}\n    {line.strip()}")
    for entry in bad:
        print(entry)
    print(f"tail_calls: {handlers} handlers, {len(bad)} calls of a handler")
    if not handlers:
        return 3
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
