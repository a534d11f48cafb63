"""What the checks look at: the files of the repository, as git knows them, or as they lie there without git."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tracked(*suffixes):
    """The repository's files, untracked ones that git does not ignore included."""
    done = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                          capture_output=True, text=True)
    if done.returncode == 0:
        paths = [ROOT / line for line in done.stdout.splitlines()]
    else:
        paths = [path for path in ROOT.rglob("*") if "build" not in path.parts]
    return sorted({path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)})


def changed(*suffixes):
    """What is not committed, or not yet in the branch that this one follows."""
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)

    base = git("merge-base", "HEAD", "@{upstream}")
    since = base.stdout.strip() if base.returncode == 0 else "HEAD"
    names = git("diff", "--name-only", "--diff-filter=d", since).stdout.splitlines()
    names += git("ls-files", "--others", "--exclude-standard").stdout.splitlines()
    return sorted({ROOT / name for name in names if pathlib.Path(name).suffix in suffixes})


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def report(broken):
    """The exit code of a check that found these, each a line for the person who has to mend it."""
    print("\n".join(broken))
    return 1 if broken else 0
