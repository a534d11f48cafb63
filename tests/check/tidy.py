"""clang-tidy finds nothing in what changed: what is not committed, or not yet in the branch that this one follows."""

import os
import shutil
import subprocess
import sys
import tempfile

from sources import ROOT, changed, name_of, report


def main():
    files = [path for path in changed(".cpp") if "tests" not in path.parts]
    if not files:
        return 0
    if not shutil.which("clang-tidy"):
        print("clang-tidy is not installed: nothing was looked at")
        return 0
    with tempfile.TemporaryDirectory() as build:
        # Without precompiled headers, which are the other compiler's.
        subprocess.run(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DPOSTERN_PCH=OFF", "-DPOSTERN_TESTS=OFF",
                        "-DPOSTERN_DOCS_PAGES=OFF"], check=True, stdout=subprocess.DEVNULL)
        # Warnings of the compiler are the other compiler's affair, too: -w.
        one = ["clang-tidy", "-p", build, "--quiet", "--warnings-as-errors=*", "--extra-arg=-w"]
        done = subprocess.run(["xargs", "-0", "-n", "1", "-P", str(os.cpu_count()), *one], capture_output=True, text=True,
                              input="\0".join(map(str, files)))
    if done.returncode == 0:
        return 0
    print(done.stdout.replace(f"{ROOT}/", ""))
    return report([f"looked at {', '.join(map(name_of, files))}"])


if __name__ == "__main__":
    sys.exit(main())
