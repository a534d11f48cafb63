"""Measures durable creates per second in batches of 1,000 through nginx, with key authentication.

The baseline is COPY of the same rows into the same table, 1,000 per transaction, the fastest way into
PostgreSQL. The tasks are due in an hour, so the scheduler leaves them alone.
"""

import contextlib
import json
import time

from harness import Contender, compare, forget_tasks, output_of, psql
from intake import TASK
from stack import BIN

TASKS = 1_000
CONNECTIONS = 4
COPIES = 40  # COPY statements in one turn
# An id of the same shape as Postern's, so that the indexes grow at their end, too.
MADE_ID = """encode(substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                   || '\\x7000' || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid"""
COLUMNS = "queue, tenant, url, body, state, run_at, lane, retry_policy, timeout_ms, max_attempts"


def load(port, seconds, path, headers):
    """Posts batches; returns tasks per second."""
    body = json.dumps({"tasks": [TASK] * TASKS}, separators=(",", ":"))
    command = [BIN / "bench-load", "--port", port, "--path", path, "--seconds", seconds]
    command += ["--connections", CONNECTIONS, "--body", body]
    for header in ("Content-Type: application/json", *headers):
        command += ["--header", header]
    result = json.loads(output_of(*command))
    if result["not_2xx"] or result["unanswered"]:
        raise RuntimeError(f"not every batch was answered with 2xx: {result}")
    return result


def postern(stack, seconds, query=""):
    port = stack.state["http_port"]
    headers = [f"Authorization: Bearer {stack.env['POSTERN_ADMIN_KEY']}"]
    load(port, 1, f"/v1/tasks/batch{query}", headers)  # warm-up: makes the queue, opens connections

    def turn():
        forget_tasks(stack)
        result = load(port, seconds, f"/v1/tasks/batch{query}", headers)
        rows = int(psql(stack, "-c", "SELECT count(*) FROM postern.task"))
        if rows != result["answers"] * TASKS:
            raise RuntimeError(f"{result['answers']} batches acknowledged, {rows} rows")
        return result["per_second"] * TASKS

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
        begun = time.monotonic()
        psql(stack, *(word for _ in range(COPIES) for word in ("-c", copy)))
        return COPIES * TASKS / (time.monotonic() - begun)

    psql(stack, "-c", f"ALTER TABLE postern.task ALTER id SET DEFAULT {MADE_ID}")
    try:
        yield turn
    finally:
        psql(stack, "-c", "ALTER TABLE postern.task ALTER id DROP DEFAULT")


def run(stack, options):
    with copies(stack) as copy:
        contenders = [
            Contender("Postern", postern(stack, options.seconds)),
            Contender("Postern, atomic=true", postern(stack, options.seconds, "?atomic=true")),
            Contender("COPY of the same rows", copy),
        ]
        return compare(f"batch: durable creates, {TASKS:,} per POST, {CONNECTIONS} connections", contenders,
                       options.rounds)
