"""chroot.py FOLDER: makes FOLDER/chroot.tar, a Debian 12 with nginx, PostgreSQL and all that the package in FOLDER
depends on, for package_test.py. `./dev` calls it before the tests, which reach nothing.

It comes from the mirror that the machine's own apt uses. An archive that has the packages already is kept. Without root
or debootstrap this says what is left out.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

RELEASE = "bookworm"
# A host as people have it, and what the test itself calls in there.
HOST = ("nginx", "postgresql", "systemd", "curl", "ca-certificates", "perl-base")


def depends(package):
    """The packages that a .deb depends on; of alternatives the first. debootstrap wants real ones, so what another package
    provides is that one, which is installed here, since the programs were built with it."""
    said = subprocess.run(["dpkg-deb", "--field", package, "Depends"], check=True, capture_output=True, text=True)
    installed = subprocess.run(["dpkg-query", "-W", "-f", "${Package}|${Provides}\n"], check=True, capture_output=True,
                               text=True)
    real_ones, providers = set(), {}
    for line in installed.stdout.splitlines():
        real, _, provided = line.partition("|")
        real_ones.add(real)
        for name in filter(None, map(bare, provided.split(","))):
            providers.setdefault(name, real)
    names = {bare(each.split("|")[0]) for each in said.stdout.split(",")}
    return {name if name in real_ones else providers.get(name, name) for name in names}


def bare(dependency):
    return dependency.split("(")[0].strip()


def mirror():
    """Where the machine's apt gets this release from."""
    said = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)",
                           "Created-By: Packages"], check=True, capture_output=True, text=True)
    for line in said.stdout.splitlines():
        release, component, uri = line.split()
        if (release, component) == (RELEASE, "main"):
            return uri
    return None


def make(archive, packages, uri):
    with tempfile.TemporaryDirectory(prefix="postern-chroot-", dir="/var/tmp") as folder:
        root = pathlib.Path(folder) / "root"
        log = archive.with_suffix(".log")
        with open(log, "wb") as out:
            done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", RELEASE,
                                   root, uri], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"dev: debootstrap failed; {log} says why:\n" + "\n".join(log.read_text().splitlines()[-10:]))
        for folder_name in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
            for path in (root / folder_name).iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        new = archive.with_suffix(".new")
        subprocess.run(["tar", "--numeric-owner", "-C", root, "-cf", new, "."], check=True)
        new.rename(archive)


def main(folder):
    archive = pathlib.Path(folder) / "chroot.tar"
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        print("the tests of label package are left out: they want root and debootstrap")
        return
    uri = mirror()
    if not uri:
        print(f"the tests of label package are left out: no source of apt is {RELEASE}'s")
        return
    package, = pathlib.Path(folder).glob("postern_*.deb")
    packages = sorted({*HOST, *depends(package)})
    contents = archive.with_suffix(".contents")
    wanted = " ".join([uri, *packages]) + "\n"
    if archive.exists() and contents.exists() and contents.read_text() == wanted:
        return
    print("making a chroot for the package's test …")
    make(archive, packages, uri)
    contents.write_text(wanted)


if __name__ == "__main__":
    main(sys.argv[1])
