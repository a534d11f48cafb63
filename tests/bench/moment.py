"""Many tasks due at one moment: how soon after it they arrive."""

import datetime
import time

import cpu
from harness import wait_until


class Moment:
    """A time of the wall clock, which is also known as a time of the monotonic clock."""

    def __init__(self, at):
        self.at = at
        self.monotonic_ns = time.monotonic_ns() + round((at - time.time()) * 1e9)

    def text(self):
        return datetime.datetime.fromtimestamp(self.at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def ahead(self):
        return self.at - time.time()


def seconds_after(due, arrivals):
    """Of each arrival, sorted; none may be early."""
    after = sorted((at - due.monotonic_ns) / 1e9 for _, at in arrivals)
    if after[0] < 0:
        raise RuntimeError(f"a task was delivered {-after[0]:.3f} s before it was due")
    return after


def delivered(stack, target, due, count, seconds):
    """Waits for `count` webhooks that are due at `due`. Returns when each arrived, in seconds after it, and the CPU per task."""
    if due.ahead() < 1:
        raise RuntimeError("making them took so long that some were due")
    time.sleep(max(0, due.ahead() - 0.5))
    meter = cpu.Meter({**cpu.stack_groups(stack), "receiver": target.process.pid}).start()
    wait_until(lambda: target.count() >= count, f"{count} webhooks", seconds, every=0.2)
    used = meter.per_task(count)
    return seconds_after(due, target.arrivals()), used
