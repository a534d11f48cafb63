"""A pair of tenants on a stack of their own: one works, the other attacks."""

import concurrent.futures
import contextlib
import json
import math
import multiprocessing
import pathlib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

from attack import Ground, step_back  # noqa: E402
from figures import MIB, Memory, figures, memory_limits, slower, write_row  # noqa: E402
from harness import BIN, Stack, scratch_folder, wait_until  # noqa: E402

import victim  # noqa: E402

# Seconds. Full: the victim's p99 rests on 400 creations before.
FULL = {"warm": 2, "before": 8, "during": 15, "after": 8, "arrive": 60}
SMALL = {"warm": 0.5, "before": 2, "during": 4, "after": 1, "arrive": 60}
# A victim whose median creation or delivery takes this much longer, and this many milliseconds, is stopped and not only
# slower: that is a failure on any machine. So is one whose schedule of one second is late by that, and one of whose work
# anything takes as long as HANGS_MS.
STOPPED_TIMES, STOPPED_MS = 10, {"create": 500, "delivery": 1000, "chain": 1500, "schedule": 1000}
HANGS_MS = 10_000


class Pair:
    """One attack with all that is around it. `run` returns what did not hold as a text, empty if all did."""

    def __init__(self, attack, full):
        self.attack, self.full = attack, full
        self.seconds = FULL if full else SMALL

    def run(self):
        with contextlib.ExitStack() as undo:
            self._start(undo)
            if self.attack.setup:
                self.attack.setup(self)
            victim_process = undo.enter_context(_Victim(self.stack, self.victim_key))
            time.sleep(self.seconds["warm"])
            begin = time.time()
            time.sleep(self.seconds["before"])
            self.memory.reset()
            self.memory_before = self.memory.now()
            programs = self.memory.pids()
            attacked = time.time()
            seen = self._attack()
            # What it does may last longer than itself.
            time.sleep(max(0, attacked + self.seconds["during"] - time.time()))
            ended = time.time()
            self.memory_peak = self.memory.peak()
            time.sleep(self.seconds["after"])
            end = time.time()
            victim_process.stop()
            report = self._arrived(victim_process)
            phases = [figures(report, self._occurrences(begin, end), *times)
                      for times in ((begin, attacked), (attacked, ended), (ended, end))]
            broken = [*self._broken(phases, report), *self._restarted(programs), *self._checked(seen)]
        row = {"row": self.attack.row, "name": self.attack.name, "what": self.attack.what, "full": self.full,
               **dict(zip(("before", "during", "after"), phases)), "memory": self.memory_peak,
               "seen": ", ".join(f"{count:,} x {what}" for what, count in seen.most_common(4)),
               "broken": "; ".join(broken), "slower": slower(*phases[:2])}
        write_row(row)
        return row

    # --- for setup and check ---------------------------------------------------------------------

    def sql(self, statement):
        """Runs a statement as superuser and returns what it prints."""
        return self.stack.postgres.psql(statement)

    def size(self, full, small):
        return full if self.full else small

    def api(self, role="admin"):
        """A client of the attacker's."""
        return self.ground.api(role)

    def wait_until(self, condition, seconds, what):
        return wait_until(condition, seconds, what)

    def grown(self):
        """MiB that each program's memory grew by at most during the attack."""
        return {program: (peak - self.memory_before[program]) / MIB for program, peak in self.memory_peak.items()}

    # --- the course of it ------------------------------------------------------------------------

    def _start(self, undo):
        folder = pathlib.Path(undo.enter_context(scratch_folder()))
        self.stack = Stack(folder, self.attack.settings)
        undo.callback(self.stack.kill)
        self.stack.start()
        self.memory = Memory(self.stack)
        for tenant in ("attacker", "victim"):
            self.stack.postern("tenant", "create", "--name", tenant)

        def key(tenant, role):
            return self.stack.postern("key", "create", "--tenant", tenant, "--role", role, "--name", role)["key"]

        self.victim_key = key("victim", "admin")
        self.sql("CREATE ROLE app LOGIN; GRANT postern_enqueue TO app; INSERT INTO postern.role_tenant VALUES ('app', 'attacker')")
        postgres = self.stack.postgres
        self.ground = Ground(
            full=self.full, seconds=self.seconds["during"], port=self.stack.state["http_port"],
            keys={role: key("attacker", role) for role in ("admin", "worker", "read")}, database=postgres.url("app"),
            owner=postgres.url(), jwt_secret=self.stack.state["jwt_secret"], psql=str(postgres.bin / "psql"), fcgi=str(self.stack.run / "fcgi.sock"),
            receiver=undo.enter_context(_receiver()), hanging=undo.enter_context(_hanging_receiver()))

    def _attack(self):
        alone = multiprocessing.get_context("spawn")  # a fork would take the locks of this program's threads along
        with concurrent.futures.ProcessPoolExecutor(1, alone, step_back) as attacker:
            return attacker.submit(self.attack.run, self.ground).result()

    def _arrived(self, victim_process):
        """The victim's report, once all its webhooks have arrived or it was waited for long enough."""
        until = time.monotonic() + self.seconds["arrive"]
        while True:
            report = victim_process.report()
            missing = any(sample[1] is None for kind in ("delivery", "chain", "late") for sample in report[kind])
            if not missing or time.monotonic() > until:
                return report
            time.sleep(0.2)

    def _occurrences(self, begin, end):
        """(when, how late) of the occurrences of the victim's schedule that were due meanwhile. One that was never seen to
        counts as late until now."""
        made = dict(tuple(map(float, line.split("|"))) for line in self.sql(
            "SELECT extract(epoch FROM nominal_time), extract(epoch FROM fired_at) FROM postern.schedule_run "
            "WHERE tenant = 'victim' AND skipped IS NULL").splitlines())
        if not made:
            return [(begin, math.inf)]
        due = min(made)
        found = []
        while due < end:
            fired = min((at for nominal, at in made.items() if abs(nominal - due) < 0.01), default=time.time())
            found.append((due, (fired - due) * 1000))
            due += 1
        return found

    # --- what must hold on any machine -----------------------------------------------------------

    def _broken(self, phases, report):
        before, during, after = phases
        for name, phase in zip(("before", "during", "after"), phases):
            if phase["failed"] or phase["refused"]:
                yield f"{phase['failed']} requests of the victim failed {name} it and {phase['refused']} were refused"
            if phase["missing"] or phase["chains_missing"]:
                yield f"{phase['missing']} webhooks and {phase['chains_missing']} chains of {name} it never came"
        if report["twice"]:
            yield f"{report['twice']} webhooks came twice"
        for what, least in STOPPED_MS.items():
            if not during[what] < max(STOPPED_TIMES * before[what], least):
                yield f"{what} was stopped: median {before[what]:.0f} ms before and {during[what]:.0f} ms during it"
        if HANGS_MS < during["longest"] < math.inf:
            yield f"something of the victim took {during['longest'] / 1000:.0f} s during it"
        for program, limit in memory_limits().items():
            if self.memory_peak[program] > limit:
                yield f"{program} took {self.memory_peak[program] / MIB:.0f} MiB of {limit / MIB:.0f}"

    def _restarted(self, programs):
        for program, pids in self.memory.pids().items():
            if pids[0] != programs[program][0]:
                yield f"{program} ended"

    def _checked(self, seen):
        try:
            self.attack.check(self, seen)
        except AssertionError as error:
            yield str(error).splitlines()[0]
        except Exception as error:  # the row with the victim's figures is written all the same
            yield f"the check of the attack: {error!r}"


@contextlib.contextmanager
def _receiver():
    """The URL of the benchmarks' receiver, which answers 200 and costs little."""
    with subprocess.Popen([BIN / "bench-receiver"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.terminate()


@contextlib.contextmanager
def _hanging_receiver():
    """The URL of a socket whose connections the kernel takes and nobody answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


class _Victim:
    """The process of victim.py."""

    def __init__(self, stack, key):
        self._process = subprocess.Popen(
            ["/usr/bin/python3", victim.__file__, str(stack.state["http_port"]), key], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self._tell("start")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def stop(self):
        self._tell("stop")

    def report(self):
        return self._tell("report")

    def _tell(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())
