"""Background programs, identified by a file that holds pid and start time.

The start time makes it safe to send a signal later: it shows when the pid has been reused by another
program.
"""

import os
import pathlib
import select
import signal
import subprocess


class Process:
    """One program. Its file stays when this script ends, so that another run finds the program.

    `folder` is given for a program that has children, and is where these work (their cwd).
    """

    def __init__(self, pid_file, folder=None):
        self.pid_file = pathlib.Path(pid_file)
        self.folder = folder
        self._child = None  # the Popen object, if this process started it

    @property
    def name(self):
        return self.pid_file.stem

    @property
    def pid(self):
        """The pid while the program runs, else None."""
        try:
            pid, started = map(int, self.pid_file.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        return pid if _start_time(pid) == started else None

    @property
    def status(self):
        """The exit status of a program that this process started and that has ended."""
        return self._child.wait()

    def spawn(self, command, **options):
        """Starts it in a session of its own, so that Ctrl-C in the terminal does not reach it."""
        self.stop(signal.SIGKILL)
        self._child = subprocess.Popen(command, start_new_session=True, **options)
        pid = self._child.pid
        self.pid_file.write_text(f"{pid} {_start_time(pid) or 0}\n")
        return self._child

    def stop(self, number, timeout=10):
        """Sends the signal and waits; kills what still runs after `timeout` seconds."""
        if pid := self.pid:
            _end(pid, number, timeout, lambda: self.pid == pid)
        for pid in self._orphans():
            _end(pid, signal.SIGKILL, timeout, lambda: pid in self._orphans())
        if self._child:
            self._child.wait()
        self.pid_file.unlink(missing_ok=True)

    def _orphans(self):
        """Children that a killed program left behind, found by program and folder. nginx's workers, for
        example, go on serving its ports."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc") if self.folder else []))
                if _link(pid, "cwd") == str(self.folder)
                and os.path.basename(_link(pid, "exe")) == self.name]


def _end(pid, number, timeout, is_ours):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    if is_ours():  # checked again: with the descriptor open, the pid cannot be reused
        signal.pidfd_send_signal(descriptor, number)
        if not select.select([descriptor], [], [], timeout)[0]:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [])
    os.close(descriptor)


def _link(pid, name):
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:  # it has ended, or belongs to another user
        return ""


def _start_time(pid):
    """The start time in clock ticks since boot; None if the process has ended or is a zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2:].split()  # the name in parentheses may contain any character
    return None if fields[0] in "ZX" else int(fields[19])
