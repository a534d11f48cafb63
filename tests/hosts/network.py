"""Hosts on one machine: network namespaces with a name and an address each, joined by a bridge.

    if __name__ == "__main__":
        network.main()      # instead of unittest.main()

    web1 = network.Host("web1")
    subprocess.run(web1.command(["hostname", "-I"]))
    web1.cut()              # its link is down: its packets are dropped, nothing is told
    web1.mend()

`main` runs the test again in namespaces of its own (network, processes, mounts), so the machine's network is not touched, and
the kernel removes all of it, and the folders in memory, when the test ends, however it ends. That takes root; without it the
test is skipped.
"""

import itertools
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import skips  # noqa: E402
from process import Process  # noqa: E402

NETWORK = "10.77.0.0/16"
HERE = "10.77.0.1"  # where the test itself is, and its receivers
BRIDGE = "bridge"
APART = ["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc"]
# The shell stays as the first process, to reap orphans: PostgreSQL takes a zombie for a running server.
FIRST = 'mount -t tmpfs -o mode=1777 tmpfs /dev/shm && "$@"; exit $?'

_numbers = itertools.count(11)


def main(*needed):
    enter(*needed)
    unittest.main()


def enter(*needed):
    """Returns in the test's own namespaces, where it starts the test again. Ends it as skipped where that is impossible, or one
    of what it needs is missing: names of programs, and paths of other files."""
    if os.environ.get("POSTERN_APART") == "yes":
        return _bridge()
    missing = [each for each in needed if not (shutil.which(each) or os.path.isabs(each) and os.path.exists(each))]
    if why := _impossible() or (missing and f"not installed: {', '.join(missing)}"):
        skips.now(why)
    os.environ["POSTERN_APART"] = "yes"
    os.execvp(APART[0], [*APART, "sh", "-c", FIRST, "sh", sys.executable, *sys.argv])


def _impossible():
    if os.geteuid() != 0:
        return "network namespaces want root"
    trial = "ip link add trial type bridge && ip link add left type veth peer name right"
    done = subprocess.run([*APART, "sh", "-c", trial], capture_output=True, text=True, check=False)
    return done.returncode and f"this machine makes no network namespaces with a bridge: {done.stderr.strip()}"


def _ip(*arguments):
    subprocess.run(["ip", *map(str, arguments)], check=True)


def _bridge():
    _ip("link", "set", "lo", "up")
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("addr", "add", f"{HERE}/16", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")


class Host:
    """One host. Its programs see its own network and its own host name, and the file system of all."""

    def __init__(self, name):
        number = next(_numbers)
        self.name, self.address, self._link = name, f"10.77.0.{number}", f"to-{number}"
        # A namespace lives as long as a process in it.
        self._holder = subprocess.Popen(["unshare", "--net", "--uts", "sh", "-c", f"hostname {name} && echo && exec sleep infinity"],
                                        stdout=subprocess.PIPE)
        self._holder.stdout.readline()
        self._network = os.stat(f"/proc/{self._holder.pid}/ns/net").st_ino
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self._holder.pid)
        _ip("link", "set", self._link, "master", BRIDGE, "up")
        for what in (["link", "set", "lo", "up"], ["link", "set", "eth0", "up"], ["addr", "add", f"{self.address}/16", "dev", "eth0"]):
            self._ip(*what)

    def command(self, command, user=None):
        """The command, to be run on this host, as this user of the system."""
        enter = ["nsenter", f"--target={self._holder.pid}", "--net", "--uts"]
        if user:
            entry = pwd.getpwnam(user)
            enter += [f"--setuid={entry.pw_uid}", f"--setgid={entry.pw_gid}"]
        return [*enter, "--", *map(str, command)]

    def process(self, pid_file, folder=None):
        """A background program of this host (process.py)."""
        return _HostProcess(self, pid_file, folder)

    def cut(self):
        _ip("link", "set", self._link, "down")

    def mend(self):
        _ip("link", "set", self._link, "up")

    def lose(self, other):
        """Drops what it sends to the other host, as a broken route does."""
        self._ip("neigh", "replace", other.address, "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent")

    def find(self, other):
        self._ip("neigh", "del", other.address, "dev", "eth0")

    def processes(self, program=None):
        """The pids of its programs; of one program if it is named."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if pid != self._holder.pid and os.stat(f"/proc/{pid}/ns/net").st_ino == self._network and program in (
                        None, os.path.basename(os.readlink(f"/proc/{pid}/exe"))):
                    found.append(pid)
            except OSError:  # it has ended
                pass
        return found

    def signal(self, number, program=None):
        """Sends the signal to all of them, and to those that they start in the meantime."""
        done = set()
        while new := set(self.processes(program)) - done:
            for pid in new:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            done |= new

    def kill(self):
        """SIGKILL, until none of them runs."""
        while self.processes():
            self.signal(signal.SIGKILL)

    def _ip(self, *arguments):
        subprocess.run(self.command(["ip", *arguments]), check=True)

    def close(self):
        """Its programs must have ended."""
        self._holder.kill()
        self._holder.communicate()


class _HostProcess(Process):
    def __init__(self, host, pid_file, folder):
        super().__init__(pid_file, folder)
        self._host = host

    def spawn(self, command, user=None, group=None, extra_groups=None, **options):
        # nsenter wants root, so it takes over to change the user.
        return super().spawn(self._host.command(command, user), **options)
