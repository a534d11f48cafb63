"""The receiver of the webhooks, and when each of them arrived there."""

import array
import contextlib
import json
import os
import subprocess
import tempfile

from harness import get, running
from stack import BIN


class Receiver:
    def __init__(self, process, folder):
        self.process = process
        self.port = int(process.stdout.readline())
        self.file = os.path.join(folder, "arrived")

    def reset(self):
        self._get("reset")

    def seen(self):
        return json.loads(self._get("count"))

    def count(self):
        """POSTs that were answered with 200."""
        return self.seen()["count"]

    def rate(self, expected):
        """Arrivals per second from the first to the last, of which there must be `expected`."""
        seen = self.seen()
        if seen["count"] != expected:
            raise RuntimeError(f"{expected} webhooks expected, {seen['count']} arrived")
        return (seen["count"] - 1) / seen["seconds"]

    def arrivals(self):
        """(number, nanoseconds) of each arrival, in their order. For a receiver with `save`."""
        self._get("save")
        return stamps(self.file)

    def _get(self, what):
        return get(f"http://127.0.0.1:{self.port}/{what}")


@contextlib.contextmanager
def receiver(hosts=1, hanging=0, fail_every=0, save=False):
    """Listens on `hosts` loopback addresses. The first `hanging` of them never answer a webhook."""
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        command = [BIN / "bench-receiver", "--hosts", hosts, "--hanging", hanging, "--fail-every", fail_every]
        if save:
            command += ["--save", os.path.join(folder, "arrived")]
        with running(*command, stdout=subprocess.PIPE) as process:
            yield Receiver(process, folder)


def stamps(file):
    """The pairs of a file that bench-load or bench-receiver wrote: a task's number, nanoseconds of the monotonic clock."""
    values = array.array("q")
    with open(file, "rb") as source:
        values.frombytes(source.read())
    return list(zip(values[0::2], values[1::2]))


def latencies(acknowledged, arrived):
    """Milliseconds from each acknowledgement to the first arrival of that task, sorted, and the number of those that did not
    arrive. A webhook may arrive before its client has read the 201: that is a negative time."""
    first = {}
    for number, at in arrived:
        first.setdefault(number, at)
    took = sorted((first[number] - at) / 1e6 for number, at in acknowledged if number in first)
    return took, len(acknowledged) - len(took)


def quantile(values, part):
    """Of sorted values; NaN when there are none."""
    return values[min(len(values) - 1, int(part * len(values)))] if values else float("nan")


def quantile_cells(values):
    """p50, p99 and the greatest, in milliseconds."""
    return [f"{quantile(values, part):,.1f}" for part in (0.5, 0.99, 1)]


QUANTILES = ["p50 ms", "p99 ms", "max ms"]
