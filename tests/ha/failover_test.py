#!/usr/bin/python3
"""A cell whose PostgreSQL is three hosts with Patroni, under creates and deliveries while its primary fails.

failover_test.py [--rounds N] [--minutes N] [--asynchronous] [--defaults] [FAULT...]

Prints a table: how many tasks were acknowledged, lost and delivered more than once, and for how long Patroni, creates and
deliveries stood still. POSTERN_HA_TABLE: a file that gets the table, too. POSTERN_HA_LOGS: a folder that gets the logs of a run
that fails, in the place of those that it had.
"""

import argparse
import collections
import contextlib
import dataclasses
import math
import os
import pathlib
import shutil
import signal
import statistics
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "e2e"), str(HERE.parent / "hosts"), str(HERE)]

import network  # noqa: E402

network.enter("patroni", "etcd")

from cluster import DEFAULT_TIMES, Cluster  # noqa: E402
from harness import uuid_of, wait_until  # noqa: E402
from postgres import SupportError, scratch_folder, tail  # noqa: E402
from receiver import Answer, Receiver  # noqa: E402
from stack import BIN, Stack  # noqa: E402
from traffic import Creates, Writes, standstill  # noqa: E402

SECOND_WRITER = "a second writer, and the new one killed"
ATTEMPT = 0.2  # seconds that the receiver takes, so that some attempts are under way at any time


@dataclasses.dataclass
class Round:
    fault: str
    began: float
    ended: float = 0
    patroni: float = math.nan  # seconds without an acknowledged write
    creates: float = 0  # seconds without an acknowledged create
    deliveries: float = 0  # until the first delivery of a task that was acknowledged afterwards
    acknowledged: int = 0
    lost: int = 0
    duplicates: int = 0
    under_way: int = 0  # attempts that the fault may repeat


class Failovers:
    def __init__(self, folder, synchronous, times):
        self.cluster = Cluster(folder / "postgresql", synchronous, times)
        known = folder / "known"  # where the programs keep which primary they have seen
        known.mkdir()
        self.stack = Stack(folder / "stack", {"POSTERN_STATE_DIR": str(known)}, self.cluster)
        self.rounds = []

    def start(self, cleanup):
        cleanup.callback(self.cluster.close)
        self.cluster.create()
        cleanup.callback(self.stack.kill)
        self.stack.start()
        self.receiver = Receiver()
        cleanup.callback(self.receiver.close)
        self.receiver.on("/hook", Answer(delay=ATTEMPT))
        self.writes = Writes(self.cluster)
        self.creates = Creates(self.stack, self.receiver.url("/hook"))
        self.go_on(time.monotonic())

    # --- faults: each returns when its cause is gone -----------------------------------------------

    def kill(self, primary):
        """SIGKILL of the whole host."""
        primary.kill()
        self.taken_over(primary)
        primary.start()

    def freeze(self, primary):
        """SIGSTOP of the whole host; SIGCONT when another has taken over."""
        primary.signal(signal.SIGSTOP)
        self.taken_over(primary)
        primary.signal(signal.SIGCONT)

    def freeze_postgres(self, primary):
        """SIGSTOP of PostgreSQL, while its Patroni runs."""
        primary.signal(signal.SIGSTOP, "postgres")
        self.taken_over(primary)
        primary.signal(signal.SIGCONT)

    def kill_patroni(self, primary):
        """SIGKILL of Patroni alone. Its PostgreSQL goes on, and takes writes that no standby confirms."""
        primary.patroni.stop(signal.SIGKILL)
        self.taken_over(primary)
        primary.start()

    def cut_from_etcd(self, primary):
        with self.cut(primary, self.cluster.etcd):
            self.taken_over(primary)

    def cut_from_standbys(self, primary):
        """The primary stays: Patroni does without a standby when it has none."""
        with self.cut(primary, *(node for node in self.cluster.nodes if node is not primary)):
            self.go_on(self.rounds[-1].began + 1)

    def cut_from_standbys_and_kill(self, primary):
        """The asynchronous standby that takes over has not what was acknowledged in the meantime."""
        with self.cut(primary, *(node for node in self.cluster.nodes if node is not primary)):
            self.go_on(self.rounds[-1].began + 3)
            primary.kill()
        self.taken_over(primary)
        primary.start()

    def second_writer(self, primary):
        """The old primary goes on without its Patroni, and takes writes like the new one. Programs that know the new one,
        and programs that are started now and would reach the old one first, write nothing to it: not even when the new
        one dies, too."""
        primary.patroni.stop(signal.SIGKILL)
        self.taken_over(primary)
        self.cluster.psql("ALTER SYSTEM SET synchronous_standby_names = ''", "postgres", primary)
        self.cluster.psql("SELECT pg_reload_conf()", "postgres", primary)
        wait_until(lambda: self.cluster.psql("SHOW synchronous_standby_names", "postgres", primary) == "")
        self.cluster.psql("CREATE TABLE public.mine()", "postgres", primary)  # it does take writes
        before = self.rows(primary)
        self.cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'postern_%'")
        self.go_on(time.monotonic())
        self.cluster.nodes.sort(key=lambda node: node is not primary)  # the old one is the first host now
        self.restart()
        self.go_on(time.monotonic())
        new = self.cluster.leader()
        wait_until(lambda: self.cluster.role("sync_standby") not in (None, primary), 60, "the third node may take over")
        new.kill()
        self.taken_over(new)
        written = self.rows(primary) - before
        if written:
            raise AssertionError(f"{written} tasks were written to the old primary")
        primary.kill()
        for node in (primary, new):
            node.start()

    def rows(self, node):
        return int(self.cluster.psql("SELECT count(*) FROM postern.task_all", node=node))

    def restart(self):
        for name in ("socket", "fcgi", "scheduler"):
            self.stack.programs[name].stop(signal.SIGTERM, timeout=40)
        self.stack._start_handlers()
        self.stack._start_scheduler()

    def switch_over(self, _):
        self.cluster.switch_over()
        self.go_on(time.monotonic())

    @contextlib.contextmanager
    def cut(self, primary, *others):
        """What they send each other is lost."""
        for other in others:
            primary.lose(other)
            other.lose(primary)
        try:
            yield
        finally:
            for other in others:
                primary.find(other)
                other.find(primary)

    def taken_over(self, old):
        """Another node is the leader, and creates and deliveries go on there."""
        wait_until(lambda: self.cluster.role("leader") not in (None, old), 120, "another node takes over")
        wait_until(lambda: self.cluster.psql("SELECT pg_is_in_recovery()", "postgres") == "f", 30, "it is promoted")
        self.go_on(time.monotonic())

    def go_on(self, since):
        """A task that is asked for after `since` is acknowledged and delivered."""
        task = wait_until(lambda: self.creates.since(since), 60, "creates go on (a busy machine takes longer)")
        wait_until(lambda: task.id in self.receipts(), 60, "deliveries go on (a busy machine takes longer)")

    # --- a round ---------------------------------------------------------------------------------

    def round(self, fault):
        self.rounds.append(Round(fault, time.monotonic()))
        (self.FAULTS | self.ASYNCHRONOUS)[fault](self, self.cluster.leader())
        self.cluster.wait_whole(120)
        self.go_on(time.monotonic())
        self.rounds[-1].ended = time.monotonic()

    def finish(self):
        """Waits until everything is delivered, and fills in the rounds."""
        self.creates.stop()
        self.writes.stop()
        with contextlib.suppress(AssertionError):  # what is not over then is lost
            wait_until(lambda: self.cluster.psql("SELECT count(*) FROM postern.task") == "0", 120)
        completed = set(self.cluster.psql("SELECT id FROM postern.task_all WHERE state = 'completed'").split())
        receipts = self.receipts()
        self.doubled = int(self.cluster.psql("SELECT count(*) FROM postern.task_all")) - len(self.creates.acknowledged)
        for each in (each for each in self.rounds if each.ended):
            if each.fault != SECOND_WRITER:  # whose old primary confirms what comes to nothing
                each.patroni = length(standstill(self.writes.acknowledged, each.began, each.ended))
            still, on = standstill((task.at for task in self.creates.acknowledged), each.began, each.ended)
            each.creates = on - still
            later = {task.id for task in self.creates.acknowledged if task.at >= on}
            each.deliveries = min(times[0] for task, times in receipts.items() if task in later) - still
            each.under_way = sum(each.began - 1 < time < still + each.deliveries
                                 for times in receipts.values() for time in times)
            mine = [task.id for task in self.creates.acknowledged if each.began <= task.at < each.ended]
            each.acknowledged = len(mine)
            each.lost = sum(uuid_of(task) not in completed or task not in receipts for task in mine)
            each.duplicates = sum(len(times) - 1 for times in receipts.values()
                                  if each.began - 1 <= times[0] < each.ended - 1)

    def broken(self):
        """What is not as docs/guarantees.md has it, and rounds that did not end."""
        synchronous = self.cluster.synchronous
        failed, self.rounds = [each for each in self.rounds if not each.ended], [each for each in self.rounds if each.ended]
        found = [each for each in self.rounds if
                 not each.acknowledged or each.duplicates > each.under_way or (each.lost and synchronous)]
        return failed + found + ([f"{self.doubled} tasks more than Idempotency-Keys"] if self.doubled and synchronous else [])

    def receipts(self):
        """Task -> the times at which it came."""
        found = collections.defaultdict(list)
        for request in list(self.receiver.requests):
            found[request.headers["webhook-id"]].append(request.time)
        return found

    FAULTS = {
        "primary killed": kill,
        "primary frozen": freeze,
        "its PostgreSQL frozen": freeze_postgres,
        "its Patroni killed": kill_patroni,
        "cut off from etcd": cut_from_etcd,
        "cut off from its standbys": cut_from_standbys,
        "planned switchover": switch_over,
        SECOND_WRITER: second_writer,
    }
    # What loses tasks with asynchronous standbys.
    ASYNCHRONOUS = {
        "primary killed": kill,
        "cut off from its standbys, then killed": cut_from_standbys_and_kill,
    }


def length(span):
    return span[1] - span[0]


def table(rounds):
    """Markdown: of each fault the sums, and of the times the median and the worst."""
    lines = ["| fault | rounds | acknowledged | lost | delivered twice | Patroni, s | creates, s | deliveries, s |",
             "|---|---|---|---|---|---|---|---|"]
    for fault in dict.fromkeys(each.fault for each in rounds):
        same = [each for each in rounds if each.fault == fault]
        sums = [sum(getattr(each, name) for each in same) for name in ("acknowledged", "lost", "duplicates")]
        times = [[getattr(each, name) for each in same] for name in ("patroni", "creates", "deliveries")]
        lines.append(f"| {fault} | {len(same)} | {' | '.join(map(str, sums))} | " + " | ".join(
            "–" if math.isnan(each[0]) else f"{statistics.median(each):.1f}, {max(each):.1f}" for each in times) + " |")
    return "\n".join(lines) + "\n"


def keep(test, folder):
    """Shows the ends of the logs, and keeps them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for log in (*test.cluster.folder.glob("*.log"), *test.stack.log.glob("*.log")):
        print(f"{log}:\n{tail(log)}")
        shutil.copy(log, folder)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--minutes", type=float, default=math.inf, help="no round begins later than that")
    arguments.add_argument("--asynchronous", action="store_true")
    arguments.add_argument("--defaults", action="store_true", help="Patroni's own ttl, loop_wait and retry_timeout")
    arguments.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(Failovers.FAULTS))
    wish = arguments.parse_args()
    with contextlib.ExitStack() as cleanup:
        folder = pathlib.Path(cleanup.enter_context(scratch_folder()))
        folder.chmod(0o711)
        test, began = Failovers(folder, not wish.asynchronous, wish.defaults and DEFAULT_TIMES), time.monotonic()
        faults = wish.faults or list(Failovers.ASYNCHRONOUS if wish.asynchronous else Failovers.FAULTS)
        kept = pathlib.Path(os.environ.get("POSTERN_HA_LOGS", BIN.parent / "ha"))
        try:
            test.start(cleanup)
            for fault in faults * wish.rounds:
                if time.monotonic() - began > wish.minutes * 60:
                    break
                print(f"{time.monotonic() - began:.0f} s: {fault}", flush=True)
                test.round(fault)
        except (AssertionError, SupportError):
            keep(test, kept)
            if not test.rounds:
                raise
            traceback.print_exc()  # and the table of the rounds before
        test.finish()
        broken = test.broken()
        if broken:
            keep(test, kept)
    print(f"{time.monotonic() - began:.0f} s; not acknowledged: {test.creates.refused}")
    print("".join(f"a promise is broken: {each}\n" for each in broken), end="")
    text = table(test.rounds)
    print(text, flush=True)
    if path := os.environ.get("POSTERN_HA_TABLE"):
        pathlib.Path(path).write_text(text)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
