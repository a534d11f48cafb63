"""Fetches and builds what tests/clients/ needs, before its tests: install.py FOLDER.

Everything is pinned by version and hash. Each part of the list below is made in FOLDER once for each state of its
files. A part whose tool is not here, or whose registry cannot be reached, is left out with the reason in
FOLDER/NAME.missing, and its tests are skipped. Anything else that goes wrong is an error. The tests themselves use no
network.
"""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# What a tool says when it got something else than what is pinned: never a reason to skip.
FORGED = ("DO NOT MATCH THE HASHES", "checksum mismatch", "SECURITY ERROR", "EINTEGRITY")
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


class Unavailable(Exception):
    """The reason for which a part is left out."""


class Fault(Exception):
    pass


@dataclasses.dataclass
class Part:
    """`make(folder)` fetches and builds into an empty folder; `files`: what it depends on, below this folder."""

    name: str
    tools: tuple
    files: tuple
    make: object


def run(*command, fetches=False, **options):
    """Runs a command. If it fails: Unavailable when it `fetches`, else a fault."""
    done = subprocess.run([str(each) for each in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    if done.returncode == 0:
        return
    said = "\n".join(done.stdout.splitlines()[-15:])
    if fetches and not any(word in done.stdout for word in FORGED):
        raise Unavailable(f"{command[0]} could not fetch it: {said.splitlines()[-1] if said else done.returncode}")
    raise Fault(f"{' '.join(map(str, command))}:\n{said}")


def python(folder):
    try:
        run("/usr/bin/python3", "-m", "venv", folder)
    except Fault:
        raise Unavailable("python3-venv is not installed") from None
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
        "--only-binary=:all:", "--require-hashes", "-r", HERE / "python/requirements.txt", fetches=True)


def go_environment(folder):
    # The machine's own Go and no other; its caches stay where they are, for all clones.
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOBIN": str(folder / "bin")}


def go(folder):
    environment = go_environment(folder)
    run("go", "mod", "download", cwd=HERE / "go", env=environment, fetches=True)
    run("go", "install", "./...", "tool", cwd=HERE / "go", env={**environment, "GOPROXY": "off"})


def java(folder):
    for line in (HERE / "java/jars.txt").read_text().splitlines():
        artifact, digest = line.split()
        run("mvn", "-q", "-B", MAVEN_COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder / 'jars'}",
            "-Dmdep.useBaseVersion=true", fetches=True)
        _, name, version = artifact.split(":")
        found = hashlib.sha256((folder / f"jars/{name}-{version}.jar").read_bytes()).hexdigest()
        if found != digest:
            raise Fault(f"{artifact} has the SHA-256 {found}, not {digest}")
    run("javac", "-d", folder / "classes", "-cp", folder / "jars/*", *sorted((HERE / "java").glob("*.java")))


PARTS = (
    Part("python", (), ("python/requirements.txt",), python),
    Part("go", ("go",), ("go",), go),
    Part("java", ("javac", "mvn"), ("java",), java),
)


def state_of(part):
    """A digest of all that the part is made from."""
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    for name in part.files:
        path = HERE / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(HERE)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def install(part, root):
    """Makes a part unless it is there; returns why it is not there, or nothing."""
    folder, stamp, missing = (root / f"{part.name}{end}" for end in ("", ".state", ".missing"))
    state = state_of(part)
    if stamp.exists() and stamp.read_text() == state:
        return None
    for old in (stamp, missing):
        old.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for tool in part.tools:
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        folder.mkdir()
        part.make(folder)
    except Unavailable as reason:
        missing.write_text(str(reason))
        return str(reason)
    stamp.write_text(state)
    return None


def main(root):
    root.mkdir(parents=True, exist_ok=True)
    print("fetching what tests/clients needs …", flush=True)
    for part in PARTS:
        if reason := install(part, root):
            print(f"clients: without {part.name}, its tests are skipped: {reason}", flush=True)


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]).resolve())
    except Fault as fault:
        sys.exit(f"clients: {fault}")
