"""Runs one fuzzer for a while:  run.py PROGRAM SECONDS [--seed N] [--keep]

It begins with corpus/NAME.txt, which holds one input a line, as Python writes bytes. What it finds beyond these stays in
the program's folder, for the next run; with --keep the smallest set that reaches as much replaces the file. An input that
fails is left in that folder, too, and its bytes are printed. With the same seed it draws the same inputs in the same order;
without one it draws others each time.
"""

import argparse
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
    options = argparse.ArgumentParser()
    options.add_argument("program", type=lambda text: pathlib.Path(text).resolve())
    options.add_argument("seconds", type=int)
    options.add_argument("--seed", type=int, default=0)  # 0: by the clock
    options.add_argument("--keep", action="store_true")
    options = options.parse_args()
    program, seconds = options.program, options.seconds
    name = program.name.removesuffix("_fuzz")
    corpus = FOLDER / "corpus" / f"{name}.txt"
    work = program.parent.parent / "fuzzing" / name
    kept, found = work / "kept", work / "found"
    unpack(corpus, kept)
    found.mkdir(exist_ok=True)
    bounds = [*LIMITS, f"-max_total_time={seconds}", f"-seed={options.seed}"]
    result = subprocess.run([program, *bounds, f"-artifact_prefix={work}/", found, kept],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    lines = result.stdout.splitlines()
    if result.returncode != 0:
        print("\n".join(lines[-60:]))
        for artifact in sorted(work.glob("*-*")):
            print(f"{artifact.name}: {artifact.read_bytes()!r}")
        return 1
    print(next((line for line in reversed(lines) if line.startswith("Done")), "nothing was run"))
    if options.keep:
        smallest = work / "smallest"
        smallest.mkdir(exist_ok=True)
        subprocess.run([program, "-merge=1", smallest, kept, found], capture_output=True, check=True)
        pack(smallest, corpus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
