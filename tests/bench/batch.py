"""Measures durable creates per second in batches of 1,000 through nginx, with key authentication.

The baseline is COPY of the same rows into the same table, 1,000 per transaction, the fastest way into
PostgreSQL. The tasks are due in an hour, so the scheduler leaves them alone.
"""

import contextlib
import json
import time

import cpu
from harness import forget_tasks, psql
from intake import TASK
from posts import creates
from report import Contender, Turn, compare

TASKS = 1_000
CONNECTIONS = 4
COPIES = 40  # COPY statements in one turn
# An id of the same shape as Postern's, so that the indexes grow at their end, too.
MADE_ID = """encode(substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                   || '\\x7000' || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid"""
COLUMNS = "queue, tenant, url, body, state, run_at, lane, retry_policy, timeout_ms, max_attempts"
BODY = json.dumps({"tasks": [TASK] * TASKS}, separators=(",", ":"))


def postern(stack, seconds, query=""):
    def load(most):
        return creates(stack, BODY, f"/v1/tasks/batch{query}", seconds=most, connections=CONNECTIONS).run()

    load(1)  # warm-up: makes the queue, opens connections

    def turn():
        forget_tasks(stack)
        meter = cpu.Meter(cpu.stack_groups(stack)).start()
        result = load(seconds)
        used = meter.per_task(result["answers"] * TASKS, load=result["cpu"])
        rows = int(psql(stack, "-c", "SELECT count(*) FROM postern.task"))
        if rows != result["answers"] * TASKS:
            raise RuntimeError(f"{result['answers']} batches acknowledged, {rows} rows")
        return Turn(result["per_second"] * TASKS, used)

    return turn


@contextlib.contextmanager
def copies(stack):
    """Turns of COPY; meanwhile the table generates the ids by a default."""
    file = stack.dir / "rows.tsv"
    body = json.dumps(TASK["payload"], separators=(",", ":")).encode().hex()
    row = ["bench", "default", TASK["webhook_url"], f"\\\\x{body}", "delayed", "2100-01-01", "1", "exponential"]
    file.write_text(("\t".join([*row, "30000", "4"]) + "\n") * TASKS)
    copy = f"\\copy postern.task ({COLUMNS}) FROM '{file}'"

    def turn():
        forget_tasks(stack)
        meter = cpu.Meter({"PostgreSQL": stack.programs["postgres"].pid}).start()
        begun = time.monotonic()
        psql(stack, *(word for _ in range(COPIES) for word in ("-c", copy)))
        took = time.monotonic() - begun
        return Turn(COPIES * TASKS / took, meter.per_task(COPIES * TASKS))

    psql(stack, "-c", f"ALTER TABLE postern.task ALTER id SET DEFAULT {MADE_ID}")
    try:
        yield turn
    finally:
        psql(stack, "-c", "ALTER TABLE postern.task ALTER id DROP DEFAULT")


def run(stack, options):
    seconds = options.seconds or 5
    with copies(stack) as copy:
        contenders = [
            Contender("Postern", postern(stack, seconds)),
            Contender("Postern, atomic=true", postern(stack, seconds, "?atomic=true")),
            Contender("COPY of the same rows", copy),
        ]
        title = f"batch: durable creates, {TASKS:,} per POST, {CONNECTIONS} connections"
        return compare(options.report, title, contenders, options.rounds)
