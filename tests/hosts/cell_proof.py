"""The proof that nothing is lost (tests/fault/proof) for a cell on several hosts."""

import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault/proof"))

from cell import Cell  # noqa: E402
from network import HERE  # noqa: E402
from proof import BOUND, WATCH, Proof, Sink  # noqa: E402, F401


class CellProof(Proof):
    """Load comes in at the first host. Faults are noted by `note`."""

    def __init__(self, hosts, settings=None, options=()):
        super().__init__(settings)
        del self.settings["POSTERN_NAME"]  # each has its host's
        self.hosts, self.options = hosts, options

    def __enter__(self):
        print(f"seed {self.seed}", flush=True)
        self.generator = None
        with self._cleanup as cleanup:
            self.cell = cleanup.enter_context(Cell(self.settings, self.options))
            for name in self.hosts:
                self.cell.stack(name)
            self.dir, self.psql, self.stack = self.cell.dir, self.cell.psql, self.cell.stacks[0]
            self.psql(WATCH)
            self.sink = Sink(self.dir / "sink", self.stack.state["webhook_secret"], HERE)
            cleanup.callback(self.sink.close)
            self._cleanup = cleanup.pop_all()
        return self

    def instance_of(self, stack):
        """The present scheduler of this host."""
        return self.psql(f"SELECT id FROM postern.instance WHERE program = 'postern-scheduler' AND name = '{stack.host.name}' "
                         "ORDER BY started_at DESC LIMIT 1")


def request_on(stack, method, path, body=None, timeout=30):
    """A request from the stack's own host, which also works while it is cut off: status, reason of an error, seconds."""
    options = ["-s", "-m", str(timeout), "-X", method, "-w", "\\n%{http_code}", "-H",
               f"Authorization: Bearer {stack.state['admin_key']}"]
    if body is not None:
        options += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    begun = time.monotonic()
    done = subprocess.run(stack.host.command(["curl", *options, f"http://127.0.0.1:80{path}"]), capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    answer, _, status = done.stdout.rpartition("\n")
    reason = json.loads(answer).get("error", {}).get("details", {}).get("reason", "") if status.startswith(("4", "5")) else ""
    return int(status), reason, took


