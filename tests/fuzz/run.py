"""Runs one fuzzer for a while:  run.py PROGRAM SECONDS [--keep]

It begins with corpus/NAME.txt, which holds one input a line, as Python writes bytes. What it finds beyond these stays in
the program's folder, for the next run; with --keep the smallest set that reaches as much replaces the file. An input that
fails is left in that folder, too, and its bytes are printed.
"""

import ast
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
# Of one input. A busy machine may stop a program for a moment, so the time is far above the usual.
LIMITS = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-detect_leaks=1"]


def unpack(file, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(file.read_text().splitlines()):
        (folder / f"{number:05}").write_bytes(ast.literal_eval(line))


def pack(folder, file):
    inputs = sorted((path.read_bytes() for path in folder.iterdir()), key=lambda one: (len(one), one))
    file.write_text("".join(f"{one!r}\n" for one in inputs))


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    seconds = int(sys.argv[2])
    name = program.name.removesuffix("_fuzz")
    corpus = FOLDER / "corpus" / f"{name}.txt"
    work = program.parent.parent / "fuzzing" / name
    kept, found = work / "kept", work / "found"
    unpack(corpus, kept)
    found.mkdir(exist_ok=True)
    result = subprocess.run([program, *LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={work}/", found, kept],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    lines = result.stdout.splitlines()
    if result.returncode != 0:
        print("\n".join(lines[-60:]))
        for artifact in sorted(work.glob("*-*")):
            print(f"{artifact.name}: {artifact.read_bytes()!r}")
        return 1
    print(next((line for line in reversed(lines) if line.startswith("Done")), "nothing was run"))
    if "--keep" in sys.argv:
        smallest = work / "smallest"
        smallest.mkdir(exist_ok=True)
        subprocess.run([program, "-merge=1", smallest, kept, found], capture_output=True, check=True)
        pack(smallest, corpus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
