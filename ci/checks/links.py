"""Every folder that is a layer explains itself, and what READMEs point at exists."""

import os
import re

FOLDERS = ("", "kvmapi", "guests", "mock", "mock/cpu", "mock/devices", "conformance", "conformance/facts", "ci")


def check(tree):
    """Messages for missing READMEs and for relative links that lead nowhere."""
    messages = [f"{folder or '.'}: has no README.md" for folder in FOLDERS
                if tree.has(folder or ".") and not tree.has(f"{folder}/README.md" if folder else "README.md")]
    for path in tree.paths(r"\.md$"):
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", tree.read(path), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
            if "://" in target:
                continue
            resolved = os.path.normpath(os.path.join(os.path.dirname(path), target))
            if not tree.has(resolved):
                messages.append(f"{path}: link to {target} leads nowhere")
    return messages


BAD = {"README.md": "[x](kvmapi/gone.hpp)\n", "kvmapi/a.cpp": ""}
GOOD = {"README.md": "[x](kvmapi/README.md) [y](https://example.org)\n", "kvmapi/README.md": "a\n"}
