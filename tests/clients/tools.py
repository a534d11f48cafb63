"""Where the clients are that install.py has fetched, and the skipping of tests whose client is not there."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
ROOT = pathlib.Path(os.environ.get("POSTERN_CLIENTS", REPO / "build/clients"))
NODE_PATH = os.environ.get("NODE_PATH", str(REPO / "build/node/node_modules"))

sys.path[:0] = [str(REPO / "tests/e2e"), str(REPO / "tests/support")]

from skips import main  # noqa: E402, F401


def part(name):
    """The folder of a part of install.py; skips the test where it could not be made."""
    missing = ROOT / f"{name}.missing"
    if missing.exists():
        raise unittest.SkipTest(f"without {name}: {missing.read_text()}")
    if not (ROOT / f"{name}.state").exists():
        raise unittest.SkipTest(f"without {name}: ./dev test clients fetches it")
    return ROOT / name


def python(script, *arguments):
    """The command that runs a script of python/ with the packages fetched for it."""
    return [str(part("python") / "bin/python"), str(HERE / "python" / script), *arguments]


def go(program, *arguments):
    """The command that runs a program of go/."""
    return [str(part("go") / "bin" / program), *arguments]


def java(name, *arguments):
    """The command that runs a class of java/."""
    folder = part("java")
    # These are short: compiling them as they run costs more than it saves.
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{folder}/classes:{folder}/jars/*", name,
            *arguments]


def node(script, *arguments):
    """The command that runs a script of node/ with the packages that the build has installed."""
    if not shutil.which("node"):
        raise unittest.SkipTest("without node")
    if not pathlib.Path(NODE_PATH).is_dir():
        raise unittest.SkipTest("without node_modules: the build installs them")
    return ["node", str(HERE / "node" / script), *arguments]


def run(command, text="", timeout=120, **options):
    """Runs a client with a text as its input; returns the lines it prints. It may use nothing but loopback."""
    environment = {**os.environ, "NODE_PATH": NODE_PATH, **options.pop("env", {})}
    done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=timeout,
                          **options)
    if done.returncode:
        raise AssertionError(f"{command} exits with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout.splitlines()
