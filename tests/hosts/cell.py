"""One cell on several hosts: a PostgreSQL, and a stack of handlers, nginx and scheduler on each of the others."""

import json
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import nginx  # noqa: E402
from harness import AS_SHIPPED, AT_ONCE, Api, wait_until  # noqa: E402
from network import HERE, NETWORK, Host  # noqa: E402
from postgres import Postgres, scratch_folder  # noqa: E402
from receiver import Receiver  # noqa: E402
from stack import BIN, Stack  # noqa: E402

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
HTTP_PORT, TLS_PORT = 80, 443


def clock_ahead(offset):
    """The environment of a program whose wall clock is ahead by `offset`, as "+1h". What it waits for is measured right."""
    return {"LD_PRELOAD": FAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


class HostPostgres(Postgres):
    """A PostgreSQL that the network of the test reaches. The test itself uses its socket."""

    def __init__(self, host, folder, pid_file, log, options=()):
        super().__init__(folder, pid_file, log)
        self.process = host.process(pid_file, self.data)
        self.options = options  # lines of postgresql.conf

    def _create(self):
        super()._create()
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(f"{line}\n" for line in ("listen_addresses = '*'", *self.options))
        with open(self.data / "pg_hba.conf", "a") as file:
            file.write(f"host all all {NETWORK} trust\n")


class HostStack(Stack):
    """Handlers, nginx and a scheduler on a host of their own.

    `database`: the address of PostgreSQL. `state`: that of the cell's first stack, whose keys hold here, too.
    """

    def __init__(self, host, folder, postgres, database, settings, state):
        super().__init__(folder, {"POSTERN_EGRESS_ALLOW": NETWORK, **settings})
        self.host, self.postgres, self.database, self.state = host, postgres, database, state
        self.places = {AS_SHIPPED: AT_ONCE}
        self.programs = {"postgres": postgres.process, **{
            name: host.process(program.pid_file, program.folder)
            for name, program in self.programs.items() if name != "postgres"}}

    @property
    def url(self):
        return f"http://{self.host.address}:{HTTP_PORT}"

    @property
    def url_of_database(self):
        return f"host={self.database} port=5432 dbname=postern"

    def stop_programs(self, number=signal.SIGKILL):
        for name in ("socket", "fcgi", "scheduler"):
            self.programs[name].stop(number, timeout=40)
        self.programs["nginx"].stop(signal.SIGTERM)

    def upgrade(self, folder):
        """What a package's upgrade does: other programs, a new scheduler when the old one has ended, and the same of the
        handlers, whose socket stays."""
        for program in (self.dir / "bin").iterdir():
            new = program.with_suffix(".new")
            new.symlink_to(folder / program.name)
            new.replace(program)
        self.programs["scheduler"].stop(signal.SIGTERM, timeout=40)
        self._start_scheduler()
        handlers = self.programs["fcgi"]
        if before := handlers.pid:
            os.kill(before, signal.SIGTERM)
            wait_until(lambda: handlers.pid != before)

    def _make_folders(self):
        super()._make_folders()
        (self.dir / "bin").mkdir(exist_ok=True)
        for name in ("postern-fcgi", "postern-scheduler"):
            if not (self.dir / "bin" / name).exists():
                (self.dir / "bin" / name).symlink_to(BIN / name)

    def _spawn(self, name, command, **options):
        own = [self.dir / "bin" / part.name if part in (BIN / "postern-fcgi", BIN / "postern-scheduler") else part
               for part in command]
        super()._spawn(name, own, **options)

    def _vhost(self):
        servers, places = nginx.ready_vhost(HTTP_PORT, TLS_PORT, self.certificate, self.dir / "certificate.key")
        listen = f"listen 127.0.0.1:{HTTP_PORT};"
        places = {old: f"listen {HTTP_PORT};" if new == listen else new for old, new in places.items()}
        return servers, {**places, **self.places}

    def _environment(self, role):
        environment = super()._environment(role)
        if role != "postgres":
            environment["POSTERN_DATABASE"] = f"{self.url_of_database} user={role}"
        return environment


class Cell:
    """PostgreSQL on the host `db`. Used as a context; `stack` adds a host with the programs."""

    def __init__(self, settings=None, options=()):
        self.settings, self.options = settings or {}, options
        self.folder = scratch_folder()
        self.dir = pathlib.Path(self.folder.name)
        self.db = Host("db")
        self.hosts, self.stacks = [self.db], []
        self.postgres = HostPostgres(self.db, self.dir / "pg", self.dir / "postgres.pid", self.dir / "postgres.log", options)

    def host(self, name):
        self.hosts.append(Host(name))
        return self.hosts[-1]

    def stack(self, name, settings=None, database=None, start=True):
        first = self.stacks[0].state if self.stacks else {}
        stack = HostStack(self.host(name), self.dir / name, self.postgres, database or self.db.address,
                          {**self.settings, **(settings or {})}, first)
        if first:
            stack._make_folders()
            for file in ("certificate.pem", "certificate.key"):
                (stack.dir / file).write_bytes((self.stacks[0].dir / file).read_bytes())
            (stack.dir / "state.json").write_text(json.dumps(first))
        if start:
            stack.start()
        self.stacks.append(stack)
        return stack

    def api(self, stack, role="admin", timeout=60):
        return Api(stack.url, self.stacks[0].state[f"{role}_key"], timeout=timeout)

    def psql(self, sql):
        return self.postgres.psql(sql)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stack in self.stacks:
            stack.stop_programs()
        self.postgres.stop(signal.SIGQUIT)
        for host in self.hosts:
            host.close()
        self.folder.cleanup()


def receiver(on_request=None):
    """A receiver that all hosts reach."""
    return Receiver(on_request, address=HERE)
