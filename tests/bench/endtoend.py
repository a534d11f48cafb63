"""Measures creates and webhooks per second at the same time: for a minute, creates keep coming over HTTP as fast as they are
answered, while what they make is delivered. With --minutes it tells how the rate goes on, minute by minute, under
PostgreSQL's default settings for autovacuum.

Peers do the same with the HTTP server of their language in front and a program that works behind.
"""

import dataclasses
import time

import cpu
import peers
from dispatch import HOSTS
from harness import forget_tasks, restart_scheduler
from posts import Background, Load, creates, task
from report import Table, progress
from target import receiver

MINUTE = 60


@dataclasses.dataclass
class Flow:
    created: int
    delivered: int  # when the creates ended
    seconds: float
    samples: list  # (seconds, webhooks so far), a minute apart
    cpu: dict

    def row(self, name):
        return [name, f"{self.created / self.seconds:,.0f}", f"{self.delivered / self.seconds:,.0f}",
                f"{self.created - self.delivered:,}", cpu.text(self.cpu)]


def flow(load, target, groups):
    """Runs the load to its end."""
    target.reset()
    meter = cpu.Meter({**groups, "receiver": target.process.pid}).start()
    begun = time.monotonic()
    samples = [(0, 0)]
    with Background(load) as posts:
        while posts.runs:
            if time.monotonic() - begun >= MINUTE * len(samples):
                samples.append((time.monotonic() - begun, target.count()))
            time.sleep(0.02)
        delivered, seconds = target.count(), time.monotonic() - begun
        used = meter.per_task(delivered)
        created = posts.result()["answers"]
        if len(samples) < 2 or seconds - samples[-1][0] > MINUTE / 2:
            samples.append((seconds, delivered))
        return Flow(created, delivered, seconds, samples, used)


def postern(stack, target, **options):
    body = task(target.port)
    creates(stack, body, hosts=HOSTS, seconds=1).run()  # warm-up
    forget_tasks(stack)
    restart_scheduler(stack)
    return flow(creates(stack, body, hosts=HOSTS, **options), target, cpu.stack_groups(stack))


def peer_load(port, target, **options):
    body = '{"url":"http://{host}:%d/","payload":{"order":1001,"total":"12.50","n":{n}}}' % target.port
    return Load(port, "/jobs", body, [], {"hosts": HOSTS, **options})


def of_peer(peer, stack, target, **options):
    peer.reset(stack)
    with peer.program(stack, "work") as worker, peer.served(stack) as (port, front):
        peer_load(port, target, seconds=2).run()  # warm-up
        peer.reset(stack)
        groups = {f"{peer.name}'s front": front.pid, f"{peer.name}'s worker": worker.pid,
                  "PostgreSQL": stack.programs["postgres"].pid}
        return flow(peer_load(port, target, **options), target, groups)


def by_minute(flows):
    """A table with the webhooks per second of each minute, a row for each program."""
    minutes = max(len(one.samples) for one in flows.values()) - 1
    rows = []
    for name, one in flows.items():
        rates = [(to[1] - since[1]) / (to[0] - since[0]) for since, to in zip(one.samples, one.samples[1:])]
        rows.append([name, *(f"{rate:,.0f}" for rate in rates), f"{rates[-1] / max(rates[0], 1):.2f} x"])
    columns = ["", *(f"minute {minute}" for minute in range(1, minutes + 1)), "last to first"]
    return Table("flat: webhooks per second while creates keep coming, by minute", columns, rows)


def run(stack, options):
    seconds = round(options.minutes * 60) if options.minutes else options.seconds or 60
    flows = {}
    with receiver(HOSTS) as target:
        flows["Postern"] = postern(stack, target, seconds=seconds)
        forget_tasks(stack)
        for peer in peers.installed(stack, options, front=True):
            flows[f"{peer.name}, {peer.front}"] = of_peer(peer, stack, target, seconds=seconds)
            progress(f"{peer.name}: done")
    rows = [one.row(name) for name, one in flows.items()]
    options.report.add(Table(
        f"endtoend: creates over HTTP and webhooks at the same time, {seconds:.0f} s, 64 connections, {HOSTS} hosts",
        ["", "created/s", "delivered/s", "backlog at the end", "CPU, µs per webhook"], rows))
    if options.minutes:
        options.report.add(by_minute(flows))
    return True
