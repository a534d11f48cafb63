"""Measures the time from the acknowledgement (the 201 has arrived) to the webhook's arrival, under a load that comes at a
fixed rate whatever the answers. One more run has VACUUM and CHECKPOINT all the time.
"""

import contextlib
import dataclasses
import threading

import cpu
import peers
from dispatch import HOSTS
from endtoend import peer_load
from harness import forget_tasks, psql, wait_until
from posts import creates, task
from report import Table
from target import QUANTILES, latencies, quantile_cells, receiver

RATES = (100, 500, 2_000)
DISTURBED = 500
COLUMNS = ["", "asked/s", "created/s", "201: p50 ms", "201: p99 ms", *QUANTILES, "lost", "CPU, µs per task"]


def measure(name, load, target, groups, rate):
    """The cells of one run."""
    target.reset()
    meter = cpu.Meter({**groups, "receiver": target.process.pid}).start()
    result, acknowledged = load.run_and_stamps()
    with contextlib.suppress(TimeoutError):  # then the table says how many are lost
        wait_until(lambda: target.count() >= len(acknowledged), "all webhooks")
    used = meter.per_task(len(acknowledged))
    took, lost = latencies(acknowledged, target.arrivals())
    return [name, f"{rate:,}", f"{result['per_second']:,.0f}", f"{result['p50_ms']:.1f}", f"{result['p99_ms']:.1f}",
            *quantile_cells(took), f"{lost}", cpu.text(used)]


@contextlib.contextmanager
def disturbance(stack):
    """VACUUM and CHECKPOINT, one after the other without a pause."""
    over = threading.Event()

    def disturb():
        while not over.is_set():
            psql(stack, "-c", "VACUUM", "-c", "CHECKPOINT")

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def with_notify(found):
    """pg-boss has two ways to learn of a job: it polls, or is notified."""
    for peer in found:
        yield peer
        if peer.folder == "pgboss":
            yield dataclasses.replace(peer, name="pg-boss, notify", settings={"PEER_NOTIFY": "1"})


def run(stack, options):
    seconds = options.seconds or 20
    rows = []
    with receiver(HOSTS, save=True) as target:
        groups = cpu.stack_groups(stack)

        def row(name, rate):
            rows.append(measure(name, load(rate, seconds), target, groups, rate))

        def load(rate, most):
            return creates(stack, task(target.port), hosts=HOSTS, rate=rate, seconds=most)

        load(100, 2).run()  # warm-up
        for rate in RATES:
            row("Postern", rate)
        with disturbance(stack):
            row("Postern, VACUUM and CHECKPOINT", DISTURBED)
        forget_tasks(stack)

        for peer in with_notify(peers.installed(stack, options, front=True)):
            with peer.program(stack, "work") as worker, peer.served(stack) as (port, front):
                peer_load(port, target, rate=100, seconds=2).run()
                for rate in RATES:
                    peer.reset(stack)
                    its = {peer.name: worker.pid, "front": front.pid, "PostgreSQL": stack.programs["postgres"].pid}
                    rows.append(measure(peer.name, peer_load(port, target, rate=rate, seconds=seconds), target, its, rate))
    options.report.add(Table("latency: from the acknowledgement to the webhook's arrival", COLUMNS, rows))
    return True
