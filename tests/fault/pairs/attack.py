"""What an attack is, and the tools of those who attack."""

import collections
import dataclasses
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

from harness import Api  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Attack:
    """A row of the table in table.py.

    `what` says in the table who does what. `run(ground)` is the attack: it runs in a process of its own and returns a Counter
    of the answers as `answer_of` names them, or of whatever else there was to see. `setup(pair)`, if any, comes before the
    victim's load, `check(pair, seen)` after the attack: it asserts that the attacker got a clear error or his fair share.
    """

    row: int
    name: str
    what: str
    run: callable
    check: callable
    setup: callable = None
    settings: dict = dataclasses.field(default_factory=dict)  # POSTERN_* of the stack


@dataclasses.dataclass(frozen=True)
class Ground:
    """Where an attack takes place; plain data, for another process."""

    full: bool  # at the size of the table; else smaller, for every day
    seconds: float  # how long the attack lasts that has no end of its own
    port: int  # of nginx, plain http
    keys: dict  # the attacker's, by role
    jwt_secret: str
    database: str  # of the role that may enqueue for the attacker's tenant
    owner: str  # of the superuser, for what no attacker can do but a fault might
    psql: str
    fcgi: str  # the handlers' socket
    receiver: str  # the URL of a receiver that answers 200
    hanging: str  # and of one that never answers

    def size(self, full, small):
        return full if self.full else small

    def api(self, role="admin"):
        return Api(f"http://127.0.0.1:{self.port}", self.keys.get(role), timeout=60)


def answer_of(reply):
    """The status of an answer, and why."""
    if reply.status < 300:
        return str(reply.status)
    try:
        error = reply.json["error"]
        return f"{reply.status} {error['details'].get('reason') or error['code']}"
    except (ValueError, TypeError, KeyError):
        return str(reply.status)


def clients(count, seconds, client, *arguments):
    """Runs `client(seen, until, number, *arguments)` in so many threads; returns what they counted in `seen`. A client ends
    at `until`, of the monotonic clock; one that gets no answer counts as `none`."""
    seen, until, lock = collections.Counter(), time.monotonic() + seconds, threading.Lock()

    def work(number):
        own = collections.Counter()
        try:
            client(own, until, number, *arguments)
        except OSError:
            own["none"] += 1
        with lock:
            seen.update(own)

    threads = [threading.Thread(target=work, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def again_and_again(seen, until, number, ground, role, request, rate=None):
    """One client that repeats `request(api, number)`, as often as it is answered or `rate` times a second."""
    api, begun, done = ground.api(role), time.monotonic(), 0
    while (now := time.monotonic()) < until:
        if rate and begun + done / rate > now:
            time.sleep(begun + done / rate - now)
        done += 1
        try:
            seen[answer_of(request(api, number))] += 1
        except OSError:
            seen["none"] += 1
    api.close()


def sql(ground, statement, database=None):
    """Runs a statement, by default as the attacker's role; returns its output or the first line of its error."""
    done = subprocess.run([ground.psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, database or ground.database],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[0]


def step_back():
    """The attacker's own cost is elsewhere, too: his process gets what the programs leave."""
    os.setpriority(os.PRIO_PROCESS, 0, 10)
