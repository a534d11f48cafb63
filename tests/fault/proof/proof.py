"""A stack under load that faults are injected into, and the verdict on what came of it.

    with Proof(settings={…}) as proof:
        proof.load()
        proof.more(1000)
        proof.kill_scheduler()
        proof.finish()
    proof.checker.violations
"""

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "e2e"))

from checker import WATCH, Checker, Evidence, Fault, evidence  # noqa: E402, F401
from harness import Api, uuid_of, wait_until  # noqa: E402, F401
from loadgen import LoadGenerator, payload  # noqa: E402, F401
from pg_proxy import ProxiedStack  # noqa: E402
from postgres import scratch_folder  # noqa: E402
from sink import Sink  # noqa: E402
from stack import BIN, Stack  # noqa: E402

SLOTS, PLACES = 64, 256
# What one end of a scheduler may repeat, see docs/guarantees.md.
BOUND = 2 * SLOTS + PLACES
SETTINGS = {"POSTERN_SLOTS": str(SLOTS), "POSTERN_PLACES": str(PLACES), "POSTERN_RESCUE_AFTER": "10s",
            "POSTERN_NAME": "first"}
# Evidence of a run that broke a promise is kept here.
KEPT = BIN.parent / "proof"


class Proof:
    """POSTERN_SEED of the environment repeats a run's tasks."""

    def __init__(self, settings=None, proxied=False):
        self.seed = int(os.environ.get("POSTERN_SEED", secrets.randbelow(1 << 31)))
        self.settings = SETTINGS | (settings or {})
        self.stack_type = ProxiedStack if proxied else Stack
        self.faults = []
        self.memory = {}  # program -> the most resident memory, in KiB
        self._cleanup = contextlib.ExitStack()

    def __enter__(self):
        print(f"seed {self.seed}", flush=True)
        with self._cleanup as cleanup:
            self.dir = pathlib.Path(cleanup.enter_context(scratch_folder()))
            self.stack = self.stack_type(self.dir, self.settings)
            cleanup.callback(self.stack.kill)
            self.stack.start()
            self.psql = self.stack.postgres.psql
            self.psql(WATCH)
            self.sink = Sink(self.dir / "sink", self.stack.state["webhook_secret"])
            cleanup.callback(self.sink.close)
            self._done = threading.Event()
            cleanup.callback(self._done.set)
            threading.Thread(target=self._sample, daemon=True).start()
            self.generator = None
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_):
        if self.generator:
            self.generator.kill()
        self._cleanup.close()

    def load(self, **options):
        """Starts the schedule and the clients."""
        api = Api(self.stack.url, self.stack.state["admin_key"])
        made = api.post("/v1/schedules", {"name": "every-second", "interval_seconds": 1, "queue": "schedule",
                                          "misfire": "all", "misfire_limit": 100, "max_retries": 20,
                                          "webhook_url": f"{self.sink.url}/ok", "payload": {}})
        api.close()
        if made.status != 201:
            raise AssertionError(made.body)
        self.generator = LoadGenerator(self.stack.url, self.stack.state["admin_key"], self.sink,
                                       self.dir / "ledger", self.seed, **options)

    def more(self, count, timeout=120):
        """Waits until `count` more tasks were acknowledged."""
        self.until(self.generator.acked + count, timeout)

    def until(self, goal, timeout=1200):
        """Waits until `goal` tasks were acknowledged."""
        self.wait_until(lambda: self.generator.acked >= goal, timeout, f"{goal} tasks")

    def wait_until(self, condition, timeout=60, what=None):
        return wait_until(condition, timeout, what)

    # --- faults ----------------------------------------------------------------------------------

    def note(self, kind, repeats=0):
        self.faults.append(Fault(kind, time.monotonic(), repeats))
        return self.faults[-1]

    def kill_scheduler(self):
        """kill -9 and a new one. Seconds until the next delivery, and until all attempts of the dead one are
        over or others'."""
        dead = self.instance()
        fault = self.note("kill -9 scheduler", BOUND)
        self.stack.programs["scheduler"].stop(signal.SIGKILL)
        ended = time.monotonic()
        self.stack._start_scheduler()
        self.wait_until(lambda: self.sink.last > ended + 0.02)
        delivered = time.monotonic()
        self.wait_until(lambda: not self.leases(dead), 90, "the attempts of the dead scheduler are rescued")
        return delivered - fault.at, time.monotonic() - fault.at

    def kill_handlers(self):
        """kill -9; the holder of the socket starts a new one. Seconds until a request that came later is
        acknowledged."""
        handler = self.stack.programs["fcgi"]
        fault, killed = self.note("kill -9 handlers"), self.wait_until(lambda: handler.pid)
        os.kill(killed, signal.SIGKILL)
        return self.acknowledged_since(fault),

    def stop_postgres(self):
        """An immediate stop, as at a power failure, and a start. Seconds until the next acknowledgement, and
        until the next delivery."""
        fault = self.note("immediate stop of PostgreSQL", BOUND)
        self.stack.postgres.stop(signal.SIGQUIT)
        stopped = time.monotonic()
        self.stack.postgres.start()
        acknowledged = self.acknowledged_since(fault)
        self.wait_until(lambda: self.sink.last > stopped + 0.5)
        return acknowledged, time.monotonic() - fault.at

    def acknowledged_since(self, fault):
        since = time.monotonic()
        self.wait_until(lambda: self.generator.acked_since > since)
        return time.monotonic() - fault.at

    def drain_scheduler(self):
        """SIGTERM and a new one. Seconds until the old one has ended, and until the next delivery."""
        fault = self.note("SIGTERM scheduler")
        self.stack.programs["scheduler"].stop(signal.SIGTERM, timeout=40)
        ended = time.monotonic()
        self.stack._start_scheduler()
        self.wait_until(lambda: self.sink.last > ended + 0.02)
        return ended - fault.at, time.monotonic() - fault.at

    def drain_handlers(self):
        """SIGTERM; the holder of the socket starts a new one."""
        handler = self.stack.programs["fcgi"]
        fault, leaving = self.note("SIGTERM handlers"), self.wait_until(lambda: handler.pid)
        os.kill(leaving, signal.SIGTERM)
        return self.acknowledged_since(fault),

    def reload_nginx(self):
        fault = self.note("nginx reload")
        os.kill(self.stack.programs["nginx"].pid, signal.SIGHUP)
        return self.acknowledged_since(fault),

    def cut(self, fault, marker=b"insert_"):
        """Breaks the handlers' connection in the next commit. Seconds until the next acknowledgement."""
        noted = self.note(f"commit: {fault}")
        self.stack.proxy.arm(fault, marker)
        self.wait_until(lambda: not self.stack.proxy.marker)
        return self.acknowledged_since(noted),

    def freeze_scheduler(self, another):
        """SIGSTOP until another scheduler has taken over all attempts, then SIGCONT. Seconds until it had."""
        frozen, pid = self.instance(), self.stack.programs["scheduler"].pid
        fault = self.note("SIGSTOP scheduler", BOUND)
        os.kill(pid, signal.SIGSTOP)
        try:
            second = another("second")
            self.wait_until(lambda: not self.leases(frozen), 90, "the attempts of the frozen scheduler are rescued")
            taken = time.monotonic() - fault.at
        finally:
            os.kill(pid, signal.SIGCONT)
            fault.end = time.monotonic()
        self.more(500)  # both at work
        second.stop(signal.SIGTERM, timeout=40)
        return taken,

    def instance(self):
        return self.psql("SELECT id FROM postern.instance WHERE program = 'postern-scheduler' AND name = 'first' "
                         "ORDER BY started_at DESC LIMIT 1")

    def leases(self, instance):
        return int(self.psql(f"SELECT count(*) FROM postern.lease WHERE instance = '{instance}'"))

    # --- the verdict -----------------------------------------------------------------------------

    def finish(self, timeout=180):
        """Ends the load, waits until every task is over, and checks."""
        self.generator.stop()
        self.psql("UPDATE postern.schedule SET paused = true")
        # What is not over then is a violation of its own.
        with contextlib.suppress(AssertionError):
            self.wait_until(lambda: self.psql("SELECT count(*) FROM postern.task") == "0", timeout)
        self.sink.close()
        self.checker = Checker(evidence(self.dir / "ledger", self.dir / "sink", self.psql, self.faults)).check()
        if self.checker.violations:
            shutil.rmtree(KEPT, ignore_errors=True)
            KEPT.mkdir(parents=True)
            for each in (self.dir / "ledger", self.dir / "sink", *self.stack.log.iterdir()):
                shutil.copy(each, KEPT)
        return self.checker

    def _sample(self):
        while not self._done.wait(0.5):
            for name in ("fcgi", "scheduler"):
                with contextlib.suppress(OSError, StopIteration):
                    status = pathlib.Path(f"/proc/{self.stack.programs[name].pid}/status").read_text()
                    used = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
                    self.memory[name] = max(self.memory.get(name, 0), used)
