"""The source tree as the checks see it: paths below the root and their text. A self-test makes a small one of its own."""

import os
import re

_SKIPPED_FOLDERS = {".git", "build", "install", "__pycache__", ".ci"}
_TEXT = re.compile(r"\.(cpp|hpp|h|c|def|S|inc|cmake|txt|md|py|json|sh)$|^ci/[^/.]+$|^ci/checks/[^/.]+$")


class Tree:
    """Files by path relative to the root."""

    def __init__(self, root, texts=None):
        self.root, self._texts = root, texts

    def paths(self, pattern=r""):
        """Sorted relative paths that the regular expression finds something in."""
        return [path for path in (sorted(self._texts) if self._texts is not None else self._walk()) if re.search(pattern, path)]

    def read(self, path):
        """Text of one file."""
        if self._texts is not None:
            return self._texts[path]
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def has(self, path):
        """Is there a file or folder of that name?"""
        if self._texts is not None:
            return any(p == path or p.startswith(path.rstrip("/") + "/") for p in self._texts)
        return os.path.exists(os.path.join(self.root, path))

    def _walk(self):
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in _SKIPPED_FOLDERS]
            relative = os.path.relpath(folder, self.root)
            for name in files:
                path = name if relative == "." else f"{relative}/{name}"
                if _TEXT.search(path):
                    found.append(path)
        return sorted(found)


def without_comments(text):
    """C++ without // and /* */ comments; strings are left alone well enough for the checks."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
