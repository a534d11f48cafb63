"""Mixed load for --minutes: single creates, delayed ones, batches and ordered ones, at receivers that now and then answer 500.
Every task that was acknowledged must arrive; the table also says how many came twice. False when one is lost."""

import collections
import contextlib

from dispatch import HOSTS
from harness import wait_until
from idle import memory_mib
from posts import BATCH, CREATE, Background, creates, task
from report import Table
from target import receiver

FAIL_EVERY = 50
APART = 1_000_000_000  # between the numbers of two kinds
# Name, path, more of the task, options of bench-load. One connection keeps the order of the tasks with a key.
KINDS = [
    ("single", CREATE, {}, {"rate": 200}),
    ("delayed by 5 s", CREATE, {"delay": 5}, {"rate": 50}),
    ("in batches of 100", BATCH, {}, {"rate": 1, "batch": 100}),
    ("one after the other by key", CREATE, {"key": "{host}"}, {"rate": 20, "connections": 1}),
]


def memory(stack):
    return {name: memory_mib(stack.programs[name].pid) for name in ("scheduler", "fcgi")}


def loads(stack, target, seconds):
    for kind, (_, path, more, options) in enumerate(KINDS):
        body = task(target.port, retry_policy="fixed", max_retries=20, **more)
        yield Background(creates(stack, body, path, hosts=HOSTS, seconds=seconds, first=kind * APART, **options))


def in_order(arrivals):
    """Whether the tasks of each key arrived in the order of their numbers. A key is a host."""
    last = collections.defaultdict(int)
    for number, _ in arrivals:
        if number < last[number % HOSTS]:
            return False
        last[number % HOSTS] = number
    return True


def run(stack, options):
    seconds = round((options.minutes or 2) * 60)
    with receiver(HOSTS, fail_every=FAIL_EVERY, save=True) as target, contextlib.ExitStack() as running:
        before = memory(stack)
        posts = [running.enter_context(load) for load in loads(stack, target, seconds)]
        for load in posts:
            load.result()
        acknowledged = [load.acknowledged() for load in posts]
        total = sum(map(len, acknowledged))
        with contextlib.suppress(TimeoutError):  # then the table says how many are lost
            wait_until(lambda: target.count() >= total, "all webhooks", 120, every=0.5)
        arrivals = target.arrivals()
        after = memory(stack)

    times = collections.Counter(number for number, _ in arrivals)
    rows, lost = [], 0
    for (name, *_), numbers in zip(KINDS, acknowledged):
        missing = sum(1 for number, _ in numbers if number not in times)
        twice = sum(1 for number, _ in numbers if times[number] > 1)
        rows.append([name, f"{len(numbers):,}", f"{missing:,}", f"{twice:,}"])
        lost += missing
    ordered = in_order([pair for pair in arrivals if pair[0] >= (len(KINDS) - 1) * APART])
    growth = ", ".join(f"{name} {before[name]:.0f} to {after[name]:.0f} MiB" for name in before)
    options.report.add(Table(
        f"soak: {seconds / 60:.0f} min of mixed load, every {FAIL_EVERY}th webhook answered with 500",
        ["tasks", "acknowledged", "lost", "delivered twice"], rows,
        f"Tasks with a key {'in order' if ordered else 'NOT IN ORDER'}. Memory: {growth}."))
    return lost == 0 and ordered
