"""A complete Postern in one folder: stack.py start DIR | stop DIR | up.

It runs a private PostgreSQL, nginx with the configuration of nginx/, the handlers with socket activation,
and the scheduler. DIR/env has their addresses and keys; the logs are in DIR/log and DIR/nginx. The
programs in POSTERN_BIN (default build/bin) get the POSTERN_* variables of the caller's environment.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import random
import resource
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import nginx
from postgres import Postgres, SupportError, run, wait_for
from process import Process

REPO = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("POSTERN_BIN", REPO / "build/bin")).resolve()

# Values of settings that the caller does not give.
DEFAULTS = {
    "POSTERN_EGRESS_ALLOW": "127.0.0.0/8",  # the tests' receivers are on loopback
    "POSTERN_ASYNCJOBS_QUEUE": "asyncjobs",  # created with the stack
}


class Stack:
    places = {}  # what else to replace in nginx's configuration (nginx.command)

    def __init__(self, folder, settings=None, postgres=None):
        """`postgres`: another database than a private one, which its maker has started: an object with url(), psql(),
        start(), stop() and process as Postgres has them."""
        self.dir = pathlib.Path(folder).resolve()
        self.run, self.log = self.dir / "run", self.dir / "log"
        if len(str(self.run)) > 80:
            raise SupportError(f"{self.dir} is too long: a unix socket's path has at most 107 bytes")
        self.settings = settings or {}
        self.postgres = postgres or Postgres(self.dir / "pg", self.run / "postgres.pid", self.log / "postgres.log")
        self.programs = {
            "postgres": self.postgres.process,
            "nginx": Process(self.run / "nginx.pid", self.dir / "nginx"),
            **{name: Process(self.run / f"{name}.pid") for name in ("socket", "fcgi", "scheduler")},
        }
        self.certificate = self.dir / "certificate.pem"
        self.state = {}  # ports and keys, stored in DIR/state.json so that every start uses the same

    # --- start and stop --------------------------------------------------------------------------

    def start(self):
        """Starts the programs that do not run and returns when all are ready."""
        # Thousands of connections need more than the usual 1,024 open files.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._make_folders()
        with self._lock():
            try:
                self.postgres.start()
                run([BIN / "postern", "migrate"], env=self._environment("postgres"))
                self._make_state()
                self._start_nginx()
                self._start_handlers()
                self._start_scheduler()
                wait_for(self._api_is_ready, self.programs["socket"], self.log / "fcgi.log")
            except BaseException:
                self._stop()
                raise
            write_private(self.dir / "env", "".join(
                f"{name}={shlex.quote(value)}\n" for name, value in self.env.items()))

    def stop(self):
        """Shuts the programs down gracefully. Data, keys and logs stay."""
        if self.run.exists():
            with self._lock():
                self._stop()

    def _stop(self):
        self.programs["nginx"].stop(signal.SIGTERM)
        self.programs["socket"].stop(signal.SIGTERM, timeout=40)  # it ends the handler, too
        self.programs["fcgi"].stop(signal.SIGTERM)
        self.programs["scheduler"].stop(signal.SIGTERM, timeout=40)
        self.postgres.stop()

    def kill(self):
        """Kills all programs, for a folder that is about to be deleted."""
        for name in ("socket", "fcgi", "scheduler", "nginx", "postgres"):
            # nginx and PostgreSQL have child processes that they must end themselves.
            self.programs[name].stop(
                {"nginx": signal.SIGTERM, "postgres": signal.SIGQUIT}.get(name, signal.SIGKILL))

    # --- what others need to know ----------------------------------------------------------------

    @property
    def url(self):
        return f"http://127.0.0.1:{self.state['http_port']}"

    @property
    def tls_url(self):
        return f"https://localhost:{self.state['tls_port']}"

    @property
    def env(self):
        """The variables of DIR/env."""
        pids = {name: program.pid for name, program in self.programs.items()}
        return {
            "POSTERN_URL": self.url,
            "POSTERN_TLS_URL": self.tls_url,
            "POSTERN_CA": str(self.certificate),
            "POSTERN_ADMIN_KEY": self.state["admin_key"],
            "POSTERN_WORKER_KEY": self.state["worker_key"],
            "POSTERN_READ_KEY": self.state["read_key"],
            "POSTERN_JWT_SECRET": self.state["jwt_secret"],
            "POSTERN_WEBHOOK_SECRET": self.state["webhook_secret"],
            "POSTERN_EGRESS_ALLOW": self._environment("")["POSTERN_EGRESS_ALLOW"],
            "DATABASE_URL": self.postgres.url(),
            "POSTERN_PIDS": " ".join(f"{name}={pid}" for name, pid in pids.items() if pid),
        }

    def postern(self, *arguments):
        """Runs the operator's command and returns its JSON."""
        return json.loads(run([BIN / "postern", *arguments, "--json"],
                              env=self._environment("postgres")))

    # --- the parts -------------------------------------------------------------------------------

    def _make_folders(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        for folder in (self.run, self.log):
            folder.mkdir(mode=0o700, exist_ok=True)
        if (self.dir / "state.json").exists():
            self.state = json.loads((self.dir / "state.json").read_text())

    def _make_state(self):
        if self.state:
            return
        make_certificate(self.dir)
        if not any(queue["name"] == "asyncjobs" for queue in self.postern("queue", "list")):
            self.postern("queue", "add", "asyncjobs")
        http_port, tls_port = free_ports(2)
        self.state = {
            # Random names, because an earlier start may have failed after this point.
            **{f"{role}_key": self.postern("key", "create", "--role", role, "--name",
                                           f"{role}-{secrets.token_hex(4)}")["key"]
               for role in ("admin", "worker", "read")},
            "webhook_secret": self.postern("secret", "show")["secret"],
            "jwt_secret": secrets.token_urlsafe(32),
            "http_port": http_port,
            "tls_port": tls_port,
        }
        write_private(self.dir / "state.json", json.dumps(self.state, indent=1))

    def _start_nginx(self):
        if not self.programs["nginx"].pid:
            self._spawn("nginx", self._nginx_command(), cwd=self.dir / "nginx")

    def _nginx_command(self):
        return nginx.command(self.dir / "nginx", self.run / "fcgi.sock", *self._vhost())

    def _vhost(self):
        servers, places = nginx.ready_vhost(self.state["http_port"], self.state["tls_port"],
                                            self.certificate, self.dir / "certificate.key")
        return servers, {**places, **self.places}

    def _start_handlers(self):
        if not self.programs["socket"].pid:
            self.programs["fcgi"].stop(signal.SIGTERM)  # its socket is lost with the holder
            holder = REPO / "tests/support/fcgi_socket.py"
            self._spawn("socket", ["/usr/bin/python3", holder, self.run / "fcgi.sock",
                                   self.programs["fcgi"].pid_file, BIN / "postern-fcgi"],
                        log="fcgi.log", env=self._environment("postern_api"))

    def _start_scheduler(self):
        if not self.programs["scheduler"].pid:
            before = self.postgres.psql("SELECT clock_timestamp()")
            self._spawn_scheduler()
            wait_for(lambda: self.postgres.psql(
                "SELECT 1 FROM postern.instance WHERE program = 'postern-scheduler' "
                f"AND started_at >= '{before}' LIMIT 1"),
                self.programs["scheduler"], self.log / "scheduler.log")

    def _spawn_scheduler(self):
        self._spawn("scheduler", [BIN / "postern-scheduler"], env=self._environment("postern_scheduler"))

    def _api_is_ready(self):
        try:
            return urllib.request.urlopen(f"{self.url}/readyz", timeout=10).status == 200
        except (urllib.error.URLError, OSError):
            return False

    # --- tools -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self):
        """Locks the folder, so that only one start or stop runs at a time."""
        with open(self.dir / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _environment(self, role):
        """The programs' environment: the caller's settings and those of this folder, which win."""
        # The command is to work on this folder's database, not on what DIR/env of another names.
        caller = {name: value for name, value in os.environ.items()
                  if not name.startswith("PG") and name not in ("POSTERN_URL", "POSTERN_KEY")}
        own = {"POSTERN_DATABASE": self.postgres.url(role)}
        if self.state:
            own["POSTERN_JWT_SECRET"] = self.state["jwt_secret"]
        return {**DEFAULTS, **caller, **self.settings, **own}

    def _spawn(self, name, command, log=None, **options):
        with open(self.log / (log or f"{name}.log"), "ab") as file:
            self.programs[name].spawn(command, stdout=file, stderr=file,
                                      **{"stdin": subprocess.DEVNULL, **options})


def make_certificate(folder):
    """Makes a self-signed certificate for localhost; returns the files of certificate and key."""
    certificate, key = folder / "certificate.pem", folder / "certificate.key"
    run(["openssl", "req", "-x509", "-nodes", "-days", "3650",
         "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate])
    return certificate, key


_reserved = []  # sockets in whose abstract names this process keeps its ports from the tests beside it


def free_ports(count):
    """Free ports below the range of outgoing connections, so that they are still free at a restart. No test that runs beside
    this one gets them, too, before they are in use."""
    ports = set()
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        name = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, contextlib.suppress(OSError):
            name.bind(f"\0postern-port-{port}")
            probe.bind(("127.0.0.1", port))
            _reserved.append(name)
            ports.add(port)
    return ports


def write_private(path, text):
    """Writes a file with keys, which no other user can read at any moment."""
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def main(arguments):
    match arguments:
        case ["start", folder]:
            Stack(folder).start()
        case ["stop", folder]:
            Stack(folder).stop()
        case _:
            sys.exit("usage: stack.py start DIR | stop DIR")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SupportError as error:
        sys.exit(f"dev: {error}")
