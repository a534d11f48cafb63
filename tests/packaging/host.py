"""A Debian host in a chroot, for package_test.py, and what systemd would do with the units of the package there.

The processes in it see no network but loopback. Nothing of it is left when the test ends: it lives in namespaces of
mounts and processes.
"""

import fnmatch
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import threading

import nginx

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What `systemctl` is in the chroot once `systemd_runs`: the test does what is asked. (The real one ignores all in a chroot.)
SYSTEMCTL = """#!/usr/bin/perl
use strict;
use IO::Socket::UNIX;
my $test = IO::Socket::UNIX->new(Peer => "/run/systemctl.sock") or die "the test does not listen: $!";
print $test join("\\t", @ARGV) . "\\n";
$test->shutdown(1);
my ($code, @said) = <$test>;
print @said;
exit($code);
"""


class Host:
    def __init__(self, folder):
        self.root = pathlib.Path(folder) / "root"
        self.log = pathlib.Path(folder) / "log"
        self.root.mkdir()
        self.log.mkdir()

    def unpack(self, archive):
        subprocess.run(["tar", "--numeric-owner", "-C", self.root, "-xf", archive], check=True)
        for kind, where in (("proc", "proc"), ("tmpfs", "dev/shm")):
            (self.root / where).mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", kind, kind, self.root / where], check=True)
        # Packages start no services, as in any chroot: the test does.
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        self.write("etc/hosts", "127.0.0.1 localhost app.example other.example\n")

    def path(self, name):
        return self.root / str(name).lstrip("/")

    def write(self, name, text, mode=0o644):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)
        self.path(name).chmod(mode)

    def command(self, *command, user=None, group=None, environment=()):
        as_whom = [f"--userspec={user}:{group or ''}", "--groups="] if user else []
        return ["chroot", *as_whom, str(self.root), "/usr/bin/env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", "HOME=/root", *environment, *map(str, command)]

    def sh(self, line, user=None):
        """Runs a line of shell; its exit code, and what it said on both outputs."""
        done = subprocess.run(self.command("/bin/sh", "-c", line, user=user), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        return done.returncode, done.stdout

    def must(self, line, user=None):
        code, said = self.sh(line, user)
        if code:
            raise AssertionError(f"{line}: exit code {code}\n{said}")
        return said

    def sql(self, statement, database="postgres"):
        return self.must(f"psql -XAtq -v ON_ERROR_STOP=1 -d {database} -c {shlex.quote(statement)}", "postgres").strip()

    def reload_nginx(self):
        master = int(self.path("run/nginx.pid").read_text())
        nginx.reload(master, lambda: self.must("nginx -t && nginx -s reload"))

    def id_of(self, user, group):
        """The numbers of a user and a group in there."""
        users = dict(line.split(":")[:3:2] for line in self.path("etc/passwd").read_text().splitlines())
        groups = dict(line.split(":")[:3:2] for line in self.path("etc/group").read_text().splitlines())
        return int(users[user]), int(groups[group])


class Unit:
    """An installed unit file with its drop-ins, as far as the test needs it."""

    def __init__(self, host, name):
        stem, dot, kind = name.rpartition(".")
        prefix, at, self.instance = stem.partition("@")
        self.name, file = name, f"{prefix}{at}{dot}{kind}"
        self.values = {}
        texts = [folder / file for folder in map(host.path, ("etc/systemd/system", "usr/lib/systemd/system"))
                 if (folder / file).is_file()][:1]
        if not texts:
            raise AssertionError(f"there is no unit {name}")
        for folder in ("etc/systemd/system", "usr/lib/systemd/system"):
            texts += sorted(host.path(folder).glob(f"{file}.d/*.conf"))
        for path in texts:
            for line in path.read_text().replace("\\\n", " ").splitlines():
                key, equals, value = line.strip().partition("=")
                if not equals or key.startswith(("#", ";", "[")):
                    continue
                if value:
                    self.values.setdefault(key.strip(), []).append(self._specified(value.strip()))
                else:
                    self.values[key.strip()] = []  # an empty value takes back those before it

    def _specified(self, text):
        for letter, value in (("%H", socket.gethostname()), ("%i", self.instance), ("%%", "%")):
            text = text.replace(letter, value)
        return text

    def get(self, key, fallback=None):
        return (self.values.get(key) or [fallback])[-1]


class Units:
    """Starts and stops units: ExecStart with the unit's user, environment and credentials. The sandbox is left out."""

    def __init__(self, host):
        self.host = host
        self.running = {}  # name: Popen, listening socket, or True for a oneshot that stays
        self.asked = []  # what systemctl was asked for
        self.lock = threading.RLock()

    def systemd_runs(self):
        """From now on programs in the chroot find a systemd, which is this object."""
        self.host.path("usr/bin/systemctl").unlink()
        self.host.write("usr/bin/systemctl", SYSTEMCTL, 0o755)
        self.host.path("run/systemd/system").mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.host.path("run/systemctl.sock")))
        listener.listen()
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener):
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as stream:
                words = stream.readline().strip("\n").split("\t")
                try:
                    code = 0 if self.systemctl(*words) in (None, True) else 3
                    said = ""
                except Exception as error:  # for the program that asked
                    code, said = 1, f"{error}\n"
                stream.write(f"{code}\n{said}")

    def systemctl(self, *words):
        self.asked.append(" ".join(words))
        options = {word for word in words if word.startswith("-")}
        verb, *names = [word for word in words if word not in options]
        names = [name if "." in name else f"{name}.service" for name in names]
        with self.lock:
            match verb:
                case "daemon-reload" | "enable" | "disable" if "--now" not in options:
                    return None
                case "reload":
                    for name in names:
                        assert name == "nginx.service", name
                        self.host.reload_nginx()
                case "is-active" | "is-enabled":
                    return any(name in ("nginx.service", "postgresql.service") or self.matching(name) for name in names)
                case "start" | "enable":
                    for name in names:
                        self.start(name)
                case "stop" | "disable":
                    for name in names:
                        self.stop(name)
                case "restart":
                    for name in names:
                        self.stop(name)
                        self.start(name)
                case "try-restart":
                    for pattern in names:
                        for name in self.matching(pattern):
                            self.stop(name)
                            self.start(name)
                case _:
                    raise AssertionError(f"systemctl {' '.join(words)}: the test does not know this")

    def matching(self, pattern):
        return [name for name in self.running if fnmatch.fnmatch(name, pattern)]

    def start(self, name):
        if name in self.running:
            return
        unit = Unit(self.host, name)
        if name.endswith(".socket"):
            self._listen(unit)
            self.start(name.replace(".socket", ".service"))  # the first request would
            return
        user, group = unit.get("User", "root"), unit.get("Group", "root")
        environment = self._environment(unit, user, group)
        if unit.get("Type") == "notify":
            notify = self._notify_socket()
            environment.append("NOTIFY_SOCKET=/run/notify.sock")
        program = shlex.split(unit.get("ExecStart"))
        command = self.host.command(*program, user=user, group=group, environment=environment)
        stdin = self.running[name.replace(".service", ".socket")] if unit.get("StandardInput") == "socket" else \
            subprocess.DEVNULL
        with open(self.host.log / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdin=stdin, stdout=log, stderr=log)
        if unit.get("Type") == "notify":
            self._await_ready(notify, name)
        if unit.get("Type") != "oneshot":
            self.running[name] = process
        elif process.wait(120):
            raise AssertionError(f"{name} failed:\n{self.said(name)}")
        elif unit.get("RemainAfterExit") == "yes":
            self.running[name] = True

    def stop(self, pattern):
        for name in self.matching(pattern):
            was = self.running.pop(name)
            if isinstance(was, socket.socket):
                was.close()
            elif isinstance(was, subprocess.Popen):
                was.terminate()
                was.wait(90)

    def said(self, name):
        return (self.host.log / f"{name}.log").read_text()

    def _notify_socket(self):
        path = self.host.path("run/notify.sock")
        path.unlink(missing_ok=True)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.bind(str(path))
        path.chmod(0o777)
        return receiver

    def _await_ready(self, receiver, name):
        with receiver:
            receiver.settimeout(60)
            try:
                while b"READY=1" not in receiver.recv(4096):
                    pass
            except TimeoutError:
                raise AssertionError(f"{name} was not ready within 60 s:\n{self.said(name)}") from None

    def _listen(self, unit):
        path = self.host.path(unit.get("ListenStream"))
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        os.chown(path, *self.host.id_of("root", unit.get("SocketGroup")))
        path.chmod(int(unit.get("SocketMode"), 8))
        listener.listen(int(unit.get("Backlog")))
        self.running[unit.name] = listener

    def _environment(self, unit, user, group):
        lines = [word for value in unit.values.get("Environment", []) for word in shlex.split(value)]
        for file in unit.values.get("EnvironmentFile", []):
            path = self.host.path(file.removeprefix("-"))
            if path.exists():
                lines += [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
            elif not file.startswith("-"):
                raise AssertionError(f"{unit.name}: there is no {file}")
        credentials = unit.values.get("LoadCredential", [])
        if credentials:
            folder = self.host.path(f"run/credentials/{unit.name}")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for credential in credentials:
                name, _, source = credential.partition(":")
                shutil.copy(self.host.path(source), folder / name)
            for path in (folder, *folder.iterdir()):
                os.chown(path, *self.host.id_of(user, group))
                path.chmod(0o500 if path.is_dir() else 0o400)
            lines.append(f"CREDENTIALS_DIRECTORY=/run/credentials/{unit.name}")
        return lines
