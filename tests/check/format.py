"""All C++ is as clang-format has it. To mend: clang-format -i FILE."""

import subprocess
import sys

from sources import name_of, report, tracked


def main():
    files = tracked(".cpp", ".h")
    done = subprocess.run(["clang-format", "--dry-run", *files], capture_output=True, text=True)
    wrong = {line.split(":")[0] for line in done.stderr.splitlines() if "clang-format-violations" in line}
    return report([f"{name_of(path)}: not formatted" for path in files if str(path) in wrong])


if __name__ == "__main__":
    sys.exit(main())
