"""Text that has no place in the repository: paths of one machine, unfinished-work markers, addresses of private hosts."""

import re

_RULES = (
    (re.compile(r"(?<![\w.$~{}])/(work|root|home/\w+|Users/\w+)/"), "path of one machine"),
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "unfinished work; do it or describe the limit"),
    (re.compile(r"https?://(10|192\.168|172\.(1[6-9]|2\d|3[01]))\."), "address of a private host"),
)
_EXCEPTIONS = {"ci/checks/wording.py"}


def check(tree):
    """Messages for every line that a rule finds something in."""
    messages = []
    for path in tree.paths():
        if path in _EXCEPTIONS or path.startswith("conformance/recorded/"):
            continue
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            for pattern, what in _RULES:
                if found := pattern.search(line):
                    messages.append(f"{path}:{number}: {what}: {found.group(0)}")
    return messages


BAD = {"README.md": "see /work/main/x\n", "kvmapi/a.cpp": "// TODO: later\n", "ci/lib.sh": "curl http://10.1.2.3/\n"}
GOOD = {"README.md": "see conformance/work/x and /dev/kvm\n", "ci/x.sh": 'cd "$HOME/work/"\n'}
