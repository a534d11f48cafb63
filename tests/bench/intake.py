"""Durable creates per second: one task per POST through nginx, key authentication on, 64 connections.

Beside it, in turns: pgbench inserting the same row one at a time into the same table (64 clients), and an
empty FastCGI handler behind the same nginx settings, which is the ceiling. The tasks are due in an hour,
so the scheduler leaves them alone.
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

# Postern's upstream, as shipped, and nothing around it.
EMPTY_SERVER = """
    server {{
        listen 127.0.0.1:{port};
        set $postern_identity "";  # the shipped log format asks for it
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
"""


def load(port, seconds, headers=()):
    """Posts TASK as fast as 64 connections can; returns answers per second."""
    command = [BIN / "bench-load", "--port", port, "--path", "/v1/tasks", "--seconds", seconds]
    command += ["--connections", CONNECTIONS, "--body", json.dumps(TASK)]
    for header in ("Content-Type: application/json", *headers):
        command += ["--header", header]
    result = json.loads(output_of(*command))
    if result["not_2xx"] or result["unanswered"]:
        raise RuntimeError(f"port {port} did not answer every POST with 2xx: {result}")
    return result


def postern(stack, seconds):
    port = stack.state["http_port"]
    headers = [f"Authorization: Bearer {stack.env['POSTERN_ADMIN_KEY']}"]
    load(port, 1, headers)  # the queue is made, connections are open

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
def empty_handler(seconds):
    with temporary_folder() as folder:
        (port,) = free_ports(1)
        fcgi_socket = folder / "fcgi.sock"
        handler = running(BIN / "bench-empty-fcgi", "--listen", fcgi_socket)
        server = running(*nginx.command(folder, fcgi_socket, EMPTY_SERVER.format(port=port)))
        with handler, server:
            wait_until(lambda: answers(port), "nginx in front of the empty handler", 10)
            yield lambda: load(port, seconds)["per_second"]


def answers(port):
    with contextlib.suppress(OSError):
        return get(f"http://127.0.0.1:{port}/")


def run(stack, options):
    with empty_handler(options.seconds) as empty:
        contenders = [
            Contender("Postern", postern(stack, options.seconds)),
            Contender("pgbench, single-row inserts", pgbench(stack, options.seconds), floor=0.7),
            Contender("nginx + empty handler", empty, floor=0.4),
        ]
        return compare("intake: durable creates, one per POST, 64 connections", contenders, options.rounds)
