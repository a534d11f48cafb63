"""Measures durable creates per second: one task per POST through nginx, with key authentication, 64 connections.

Contenders: pgbench, which inserts the same row one at a time into the same table (64 clients), and an empty
FastCGI handler behind a bare nginx, which is the ceiling. The same handler behind the shipped configuration,
with its authentication, shows nginx's share of the difference. The tasks are due in an hour, so the scheduler
leaves them alone.
"""

import contextlib
import json
import re

import nginx
from harness import HERE, Contender, compare, forget_tasks, get, output_of, psql
from harness import running, temporary_folder, wait_until
from stack import BIN, free_ports

CONNECTIONS = 64
TASK = {
    "queue": "bench",
    "webhook_url": "http://127.0.0.1:9/",
    "payload": {"order": 1001, "total": "12.50"},
    "delay": 3600,
}

# The empty handler twice: with Postern's upstream alone, and with the whole shipped configuration, where it is
# the authenticator too.
EMPTY_SERVERS = """
    server {{
        listen 127.0.0.1:{bare};
        location / {{
            client_body_buffer_size 512k;
            fastcgi_pass postern;
            fastcgi_keep_conn on;
            fastcgi_pass_request_headers off;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param DOCUMENT_URI   $uri;
            fastcgi_param CONTENT_TYPE   $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
        }}
    }}
    server {{
        listen 127.0.0.1:{shipped};
        include postern/site.conf;
    }}
"""


def load(port, seconds, headers=()):
    """Posts TASK as fast as 64 connections can; returns answers per second."""
    command = [BIN / "bench-load", "--port", port, "--path", "/v1/tasks", "--seconds", seconds]
    command += ["--connections", CONNECTIONS, "--body", json.dumps(TASK, separators=(",", ":"))]
    for header in ("Content-Type: application/json", *headers):
        command += ["--header", header]
    result = json.loads(output_of(*command))
    if result["not_2xx"] or result["unanswered"]:
        raise RuntimeError(f"port {port} did not answer every POST with 2xx: {result}")
    return result


def postern(stack, seconds):
    port = stack.state["http_port"]
    headers = [f"Authorization: Bearer {stack.env['POSTERN_ADMIN_KEY']}"]
    load(port, 1, headers)  # warm-up: makes the queue, opens connections

    def turn():
        forget_tasks(stack)
        result = load(port, seconds, headers)
        rows = int(psql(stack, "-c", "SELECT count(*) FROM postern.task"))
        if rows != result["answers"]:
            raise RuntimeError(f"{result['answers']} creates acknowledged, {rows} rows")
        return result["per_second"]

    return turn


def pgbench(stack, seconds):
    def turn():
        forget_tasks(stack)
        command = [stack.postgres.bin / "pgbench", "-n", "-M", "prepared", "-c", CONNECTIONS, "-j", 2]
        command += ["-T", seconds, "-f", HERE / "insert_task.sql", stack.postgres.url()]
        said = output_of(*command)
        return float(re.search(r"^tps = ([\d.]+)", said, re.MULTILINE).group(1))

    return turn


@contextlib.contextmanager
def empty_handlers(seconds):
    """Turns of the bare empty handler, and of the one behind the shipped configuration."""
    with temporary_folder() as folder:
        bare, shipped = free_ports(2)
        fcgi_socket = folder / "fcgi.sock"
        servers = EMPTY_SERVERS.format(bare=bare, shipped=shipped)
        handler = running(BIN / "bench-empty-fcgi", "--listen", fcgi_socket)
        server = running(*nginx.command(folder, fcgi_socket, servers))
        with handler, server:
            wait_until(lambda: answers(bare), "nginx in front of the empty handler", 10)
            key = ["Authorization: Bearer anything"]
            yield (
                lambda: load(bare, seconds)["per_second"],
                lambda: load(shipped, seconds, key)["per_second"],
            )


def answers(port):
    with contextlib.suppress(OSError):
        return get(f"http://127.0.0.1:{port}/")


def run(stack, options):
    with empty_handlers(options.seconds) as (bare, shipped):
        contenders = [
            Contender("Postern", postern(stack, options.seconds)),
            Contender("pgbench, single-row inserts", pgbench(stack, options.seconds), floor=0.7),
            Contender("nginx + empty handler", bare, floor=0.4),
            Contender("the same, nginx as shipped", shipped),
        ]
        return compare("intake: durable creates, one per POST, 64 connections", contenders, options.rounds)
