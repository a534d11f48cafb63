"""A private PostgreSQL in a folder, with a Unix socket there that only its owner can use.

postgres.py COMMAND...: runs the command with the DATABASE_URL of a new server, which is deleted afterwards.
"""

import contextlib
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

from process import Process

# The log contains no parameters of statements, because these are payloads.
CONFIGURATION = """
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 200
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_min_error_statement = panic
"""


class Postgres:
    def __init__(self, folder, pid_file, log):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.log = log
        self.process = Process(pid_file, self.data)
        # Debian has one folder of programs per version; use the newest.
        versions = glob.glob("/usr/lib/postgresql/*/bin")
        self.bin = pathlib.Path(max(versions, key=lambda path: int(path.split("/")[4])))

    def url(self, user="postgres", database="postern"):
        folder = urllib.parse.quote(str(self.folder))
        return f"postgresql:///{database}?host={folder}&port=5432&user={user}"

    def psql(self, sql, database="postern"):
        """Runs a statement as superuser and returns what psql prints, without headings."""
        return run([self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql,
                    self.url(database=database)])

    def reload(self):
        """Has it read its files anew, and returns when sessions that begin from now on go by them."""
        loaded = self.psql("SELECT pg_conf_load_time()", "postgres")
        self.psql("SELECT pg_reload_conf()", "postgres")
        until = time.monotonic() + 30
        while self.psql("SELECT pg_conf_load_time()", "postgres") == loaded:
            if time.monotonic() > until:
                raise SupportError("PostgreSQL does not read its files anew")
            time.sleep(0.02)

    def start(self):
        """Starts it if it does not run, and returns when it is ready."""
        if not self.data.exists():
            self._create()
        if not self.process.pid:
            self.process.stop(signal.SIGKILL)
            # No process of it runs, so its lock files are stale. They are removed because PostgreSQL takes
            # a killed postmaster that is still a zombie for a running one.
            for lock in (self.data / "postmaster.pid", self.folder / ".s.PGSQL.5432.lock"):
                lock.unlink(missing_ok=True)
            with open(self.log, "ab") as log:
                self.process.spawn([self.bin / "postgres", "-D", self.data], stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, **as_owner())
        wait_for(self._is_ready, self.process, self.log)
        if not self.psql("SELECT 1 FROM pg_database WHERE datname = 'postern'", "postgres"):
            self.psql("CREATE DATABASE postern", "postgres")

    def stop(self, number=signal.SIGINT):
        """Stops it. SIGINT: fast shutdown; SIGQUIT: immediate, like a power failure."""
        self.process.stop(number, timeout=30)

    def signal_all(self, number):
        """Signals all its processes: SIGSTOP freezes it, as a disk or a machine that hangs does; SIGCONT."""
        postmaster = self.process.pid
        children = subprocess.run(["ps", "--ppid", str(postmaster), "-o", "pid="], capture_output=True,
                                  text=True).stdout.split()
        for pid in [postmaster, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _create(self):
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            around = self.folder.parent
            around.chmod(around.stat().st_mode | 0o011)
        if subprocess.run(["test", "-x", self.folder], **as_owner()).returncode:
            raise SupportError(f"the user postgres cannot reach {self.folder}: take a folder elsewhere")
        run([self.bin / "initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
             "--username=postgres", self.data], **as_owner())
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"{CONFIGURATION}unix_socket_directories = '{self.folder}'\n")

    def _is_ready(self):
        return not subprocess.run([self.bin / "pg_isready", "-q", "-d",
                                   self.url(database="postgres")]).returncode


class Standby(Postgres):
    """A replica of another server, in a folder of its own: it follows that one until it is promoted."""

    def __init__(self, primary, folder, pid_file, log):
        super().__init__(folder, pid_file, log)
        self.primary = primary

    def promote(self):
        """Returns when it takes writes, on a timeline of its own."""
        run([self.bin / "pg_ctl", "promote", "-w", "-D", self.data], **as_owner())

    def _create(self):
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        run([self.bin / "pg_basebackup", "-D", self.data, "-d", self.primary.url(database="postgres"),
             "--write-recovery-conf", "--checkpoint=fast", "--no-sync"], **as_owner())
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"unix_socket_directories = '{self.folder}'\n")


class SupportError(Exception):
    """An error whose text is shown to the person who started the program."""


def run(command, **options):
    """Runs the command and returns its output; raises SupportError with its standard error if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise SupportError(f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()}")
    return done.stdout.strip()


def wait_for(ready, process, log, timeout=30):
    """Polls `ready` until it is true. The programs have no common way to report that they are ready."""
    end = time.monotonic() + timeout
    while not ready():
        if not process.pid or time.monotonic() > end:
            raise SupportError(f"{process.name} did not get ready; the end of {log}:\n{tail(log)}")
        time.sleep(0.02)


def tail(log):
    return "\n".join(pathlib.Path(log).read_text(errors="replace").splitlines()[-15:])


def as_owner():
    """Arguments of subprocess: PostgreSQL refuses to run as root, so root runs it as Debian's user `postgres`."""
    if os.geteuid() != 0:
        return {"cwd": "/"}
    return {"cwd": "/", "user": "postgres", "group": "postgres", "extra_groups": []}


def scratch_folder():
    """A temporary folder for a test's servers, in memory if at least 4 GiB are free there: on a disk, most
    of a test's time would go into flushes, and no test simulates a power failure of the machine."""
    memory = "/dev/shm"
    plenty = os.path.isdir(memory) and shutil.disk_usage(memory).free >= 4 << 30
    return tempfile.TemporaryDirectory(prefix="postern-", dir=memory if plenty else "/tmp")


def main(command):
    with scratch_folder() as folder:
        folder = pathlib.Path(folder)
        postgres = Postgres(folder / "pg", folder / "postgres.pid", folder / "postgres.log")
        try:
            postgres.start()
            return subprocess.call(command, env={**os.environ, "DATABASE_URL": postgres.url()})
        finally:
            postgres.stop(signal.SIGQUIT)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SupportError as error:
        sys.exit(f"postgres.py: {error}")
