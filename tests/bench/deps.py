"""Measures tasks that wait for others: how fast 50,000 tasks follow the one that all of them depend on, and how fast the
100,000 tasks of one ordering key follow each other (--scale 0.1: a tenth of both)."""

import time

import cpu
from dispatch import HOSTS
from harness import api, forget_tasks, wait_until
from posts import BATCH, creates, task
from report import Table
from target import receiver

DEPENDENTS, KEYED = 50_000, 100_000
BATCH_SIZE = 1_000


def batches(stack, body, tasks, **options):
    """Creates the tasks in the order of their numbers; returns how many per second."""
    load = creates(stack, body, BATCH, batch=BATCH_SIZE, count=tasks // BATCH_SIZE, hosts=HOSTS, connections=1, seconds=1200,
                   **options)
    return load.run()["per_second"] * BATCH_SIZE


def whole(tasks):
    return max(1, round(tasks / BATCH_SIZE)) * BATCH_SIZE


def meter(stack, target):
    return cpu.Meter({**cpu.stack_groups(stack), "receiver": target.process.pid}).start()


def dependents(stack, target, tasks):
    first = api(stack, "POST", "/v1/tasks", {
        "queue": "bench", "webhook_url": f"http://127.0.0.1:{target.port}/", "payload": {"n": -1}, "delay": 3600})
    created = batches(stack, task(target.port, dependencies=[first["id"]]), tasks)
    target.reset()
    used = meter(stack, target)
    api(stack, "POST", f"/v1/tasks/{first['id']}/run")
    wait_until(lambda: target.count() >= tasks + 1, f"{tasks} dependents", 600, every=0.2)
    used = used.per_task(tasks)
    arrivals = target.arrivals()
    if arrivals[0][0] != -1:
        raise RuntimeError("a task was delivered before the one that it depends on")
    after = [(at - arrivals[0][1]) / 1e9 for _, at in arrivals[1:]]
    return [f"{tasks:,} dependents of one task", f"{created:,.0f}", f"{after[0]:.2f}", f"{after[-1]:.2f}",
            f"{tasks / after[-1]:,.0f}", cpu.text(used)]


def one_key(stack, target, tasks, seconds):
    target.reset()
    created = batches(stack, task(target.port, key="k"), tasks)
    used, before, begun = meter(stack, target), target.count(), time.monotonic()
    while target.count() < tasks and time.monotonic() < begun + seconds:
        time.sleep(0.2)
    delivered = target.count() - before
    rate = delivered / (time.monotonic() - begun)
    used = used.per_task(delivered)
    numbers = [number for number, _ in target.arrivals()]
    if numbers != list(range(len(numbers))):
        raise RuntimeError("tasks of one ordering key were delivered out of order")
    return [f"{tasks:,} tasks of one key", f"{created:,.0f}", "", "" if len(numbers) < tasks else "all", f"{rate:,.0f}",
            cpu.text(used)]


def run(stack, options):
    with receiver(HOSTS, save=True) as target:
        rows = [dependents(stack, target, whole(DEPENDENTS * options.scale))]
        forget_tasks(stack)
        rows.append(one_key(stack, target, whole(KEYED * options.scale), options.seconds or 30))
    options.report.add(Table("deps: tasks that wait for others",
                             ["", "created/s", "first, s after", "all, s after", "webhooks/s", "CPU, µs per task"], rows))
    return True
