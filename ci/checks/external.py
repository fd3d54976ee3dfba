"""Checks that other programs do: clang-format on C++, shellcheck on shell scripts, the Python compiler on Python."""

import os
import re
import shutil
import subprocess
import tempfile


def _is_shell(tree, path):
    return path.endswith(".sh") or re.match(r"#!.*\bbash\b", tree.read(path)) is not None


def clang_format():
    """Version 14 decides (versions differ in details); None when it is not installed."""
    for name in ("clang-format-14", "clang-format"):
        path = shutil.which(name)
        if path and " 14." in subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout:
            return path
    return None


def check_format(tree):
    """Messages for C++ files that clang-format would change."""
    program, paths = clang_format(), tree.paths(r"^(kvmapi|guests|mock|conformance)/.*\.(cpp|hpp)$|^ci/.*\.c$")
    if not program:
        return None
    messages = []
    for start in range(0, len(paths), 50):
        run = subprocess.run([program, "--dry-run", *paths[start:start + 50]], cwd=tree.root, capture_output=True, text=True, check=False)
        files = sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", run.stderr, re.M)))
        messages += [f"{path}: {os.path.basename(program)} -i would change it" for path in files]
    return messages


def check_shell(tree):
    """Messages of shellcheck."""
    program = shutil.which("shellcheck")
    if not program:
        return None
    paths = [path for path in tree.paths(r"^(ci/|\.ci/)") if _is_shell(tree, path)]
    if not paths:
        return []
    run = subprocess.run([program, "-x", "-f", "gcc", "-S", "warning", *paths], cwd=tree.root, capture_output=True, text=True, check=False)
    return run.stdout.splitlines()


def check_python(tree):
    """Messages for Python that does not compile, and for lines that are too long."""
    messages = []
    for path in tree.paths(r"\.py$|^ci/[^/.]+$"):
        text = tree.read(path)
        if not path.endswith(".py") and not re.match(r"#!.*python", text):
            continue
        try:
            compile(text, path, "exec")
        except SyntaxError as error:
            messages.append(f"{path}:{error.lineno}: {error.msg}")
        messages += [f"{path}:{n}: longer than 140 columns" for n, line in enumerate(text.splitlines(), 1) if len(line) > 140]
    return messages


def on_disk(texts, check):
    """Runs a check on files written to a folder, for the self-test."""
    from tree import Tree  # a module of this folder

    with tempfile.TemporaryDirectory() as root:
        for path, text in texts.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return check(Tree(root))


FORMAT_BAD, FORMAT_GOOD = {"kvmapi/a.cpp": "int  f( ){return 1 ;}\n"}, {"kvmapi/a.cpp": "int f() { return 1; }\n"}
SHELL_BAD, SHELL_GOOD = {"ci/a.sh": "#!/bin/bash\nfor x in $(ls); do rm $y; done\n"}, {"ci/a.sh": '#!/bin/bash\necho "$1"\n'}
PYTHON_BAD, PYTHON_GOOD = {"ci/a.py": "def f(:\n"}, {"ci/a.py": "x = 1\n"}
