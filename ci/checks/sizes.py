"""Files stay small enough to be read in one go. Tables (.def) and recordings are as long as what they list."""

NOTICE_LINES = 400
LIMIT_LINES = 700


def check(tree, notices=None):
    """Messages for files above the limit; `notices` collects those above the wish."""
    messages = []
    for path in tree.paths(r"\.(cpp|hpp|h|c|py|S|sh)$"):
        lines = tree.read(path).count("\n")
        if lines > LIMIT_LINES:
            messages.append(f"{path}: {lines} lines; split it by topic (limit {LIMIT_LINES})")
        elif lines > NOTICE_LINES and notices is not None:
            notices.append(f"{path}: {lines} lines (wished: {NOTICE_LINES})")
    return messages


BAD = {"mock/vm/huge.cpp": "x\n" * 701}
GOOD = {"mock/vm/vm.cpp": "x\n" * 300, "kvmapi/ioctls.def": "x\n" * 2000}
