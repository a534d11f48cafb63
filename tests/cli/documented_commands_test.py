"""Every `postern …` that a document shows is a command that there is, with options that it has.

Looks at code blocks and at words in backticks, in all documents and examples that people copy from.
"""

import functools
import os
import pathlib
import re
import shlex
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("POSTERN_BIN", REPO / "build/bin")).resolve()
DOCUMENTS = ["*.md", "docs/**/*.md", "nginx/*.md", "nginx/*.conf", "systemd/*", "packaging/**/*"]
EXEMPT = {"CHANGELOG.md"}  # tells of what was
# Text that stands for something, as in `postern NOUN VERB`.
PLACEHOLDER = re.compile(r"[A-Z]{2,}|…")
HIDDEN = {"manual"}  # for the build
COMMAND = re.compile(r"(?:^\s*#?\s*(?:\$ )?|-- |[|&;(] *|\w=\S+ |`)postern ([a-z-][^\n`|;&#)]*)")


@functools.cache
def help_of(path):
    result = subprocess.run([BIN / "postern", *path, "--help"], capture_output=True, text=True)
    assert result.returncode == 0, f"postern {' '.join(path)} --help: {result.stderr}"
    return result.stdout


@functools.cache
def verbs_of(path):
    section = re.search(r"^\w*ubcommands:\n((?:  .*\n|\n)*)", help_of(path), re.MULTILINE | re.IGNORECASE)
    return set(re.findall(r"^  ([a-z][a-z-]*)", section[1], re.MULTILINE)) if section else set()


def options_of(path):
    return {option for end in range(len(path) + 1) for option in re.findall(r"--[a-z][a-z-]*", help_of(path[:end]))}


def fault_of(text):
    """What is wrong with `postern TEXT`; None for what is right or no command at all."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.replace("'", "").split()  # a quotation that goes on in the next line
    path = ()
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    for word in words:
        if word.startswith("-") or word not in verbs_of(path):
            break
        path += (word,)
    rest = words[len(path):]
    if not path and rest and rest[0] in HIDDEN:
        return None
    if verbs_of(path) and rest and not rest[0].startswith("-") and not PLACEHOLDER.search(rest[0]):
        return f"there is no `postern {' '.join(path + (rest[0],))}`"
    unknown = [option for option in options if option not in options_of(path) | {"--help", "--version"}]
    return f"`postern {' '.join(path)}` has no {', '.join(unknown)}" if unknown else None


def shown_commands(path, text):
    """(line, what stands behind "postern") of code; prose is left out."""
    in_fence = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            in_fence = not in_fence
            continue
        is_code = in_fence or line.startswith("    ") or path.suffix != ".md"
        for code in [line] if is_code else re.findall(r"`([^`]+)`", line):
            for found in COMMAND.finditer(code):
                yield number, found[1].rstrip(" \\.,")


def main():
    faults, seen = [], 0
    files = sorted({path for pattern in DOCUMENTS for path in REPO.glob(pattern) if path.is_file()})
    for path in files:
        if path.name in EXEMPT or path.suffix not in (".md", ".conf", ".service", ".example", ".yml", ".sh"):
            continue
        for line, text in shown_commands(path, path.read_text()):
            seen += 1
            if fault := fault_of(text):
                faults.append(f"{path.relative_to(REPO)}:{line}: {fault}")
    if seen < 50:
        faults.append(f"only {seen} commands were found: the test looks in the wrong places")
    print("\n".join(faults), file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
