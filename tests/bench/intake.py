"""Measures durable creates per second: one task per POST through nginx, with key authentication, 64 connections.

Contenders: pgbench, which inserts the same row one at a time into the same table (64 clients); an empty FastCGI handler
behind a bare nginx, which is the ceiling; peers behind the HTTP server of their language. The same handler behind the
shipped configuration, with its authentication, shows nginx's share of the difference. The tasks are due in an hour, so
nobody delivers them.
"""

import contextlib
import json
import re

import cpu
import nginx
import peers
from harness import HERE, forget_tasks, get, output_and_cpu_of, psql, running, temporary_folder, wait_until
from posts import CONNECTIONS, CREATE, Load, creates
from report import Contender, Turn, compare
from stack import BIN, free_ports

TASK = {
    "queue": "bench",
    "webhook_url": "http://127.0.0.1:9/",
    "payload": {"order": 1001, "total": "12.50"},
    "delay": 3600,
}
BODY = json.dumps(TASK, separators=(",", ":"))
JOB = json.dumps({"url": TASK["webhook_url"], "payload": TASK["payload"]}, separators=(",", ":"))

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


def rate_beside(stack, seconds):
    """Creates per second beside what the tables hold."""
    creates(stack, BODY, seconds=1).run()
    meter = cpu.Meter(cpu.stack_groups(stack)).start()
    result = creates(stack, BODY, seconds=seconds).run()
    return Turn(result["per_second"], meter.per_task(result["answers"], load=result["cpu"]))


def postern(stack, seconds):
    creates(stack, BODY, seconds=1).run()  # warm-up: makes the queue, opens connections

    def turn():
        forget_tasks(stack)
        meter = cpu.Meter(cpu.stack_groups(stack)).start()
        result = creates(stack, BODY, seconds=seconds).run()
        used = meter.per_task(result["answers"], load=result["cpu"])
        rows = int(psql(stack, "-c", "SELECT count(*) FROM postern.task"))
        if rows != result["answers"]:
            raise RuntimeError(f"{result['answers']} creates acknowledged, {rows} rows")
        return Turn(result["per_second"], used)

    return turn


def pgbench(stack, seconds):
    def turn():
        forget_tasks(stack)
        command = [stack.postgres.bin / "pgbench", "-n", "-M", "prepared", "-c", CONNECTIONS, "-j", 2]
        command += ["-T", seconds, "-f", HERE / "insert_task.sql", stack.postgres.url()]
        meter = cpu.Meter({"PostgreSQL": stack.programs["postgres"].pid}).start()
        said, took = output_and_cpu_of(*command)
        rate = float(re.search(r"^tps = ([\d.]+)", said, re.MULTILINE).group(1))
        return Turn(rate, meter.per_task(rate * seconds, load=took))

    return turn


@contextlib.contextmanager
def empty_handlers(seconds):
    """Turns of the bare empty handler, and of the one behind the shipped configuration."""
    with temporary_folder() as folder:
        bare, shipped = free_ports(2)
        fcgi_socket = folder / "fcgi.sock"
        servers = EMPTY_SERVERS.format(bare=bare, shipped=shipped)
        with (running(BIN / "bench-empty-fcgi", "--listen", fcgi_socket) as handler,
              running(*nginx.command(folder, fcgi_socket, servers)) as server):
            wait_until(lambda: answers(bare), "nginx in front of the empty handler", 10)

            def turn(port, *headers):
                meter = cpu.Meter({"nginx": server.pid, "handlers": handler.pid}).start()
                result = Load(port, CREATE, BODY, list(headers), {"seconds": seconds}).run()
                return Turn(result["per_second"], meter.per_task(result["answers"], load=result["cpu"]))

            yield lambda: turn(bare), lambda: turn(shipped, "Authorization: Bearer anything")


def answers(port):
    with contextlib.suppress(OSError):
        return get(f"http://127.0.0.1:{port}/")


def run(stack, options):
    seconds = options.seconds or 5

    def peer_load(port, most):
        return Load(port, "/jobs", JOB, [], {"seconds": most or seconds}).run()

    with empty_handlers(seconds) as (bare, shipped):
        contenders = [
            Contender("Postern", postern(stack, seconds)),
            Contender("pgbench, single-row inserts", pgbench(stack, seconds), floor=0.7),
            Contender("nginx + empty handler", bare, floor=0.4),
            Contender("the same, nginx as shipped", shipped),
            *(peers.creating(peer, stack, peer_load) for peer in peers.installed(stack, options, front=True)),
        ]
        title = f"intake: durable creates, one per POST, {CONNECTIONS} connections"
        return compare(options.report, title, contenders, options.rounds)
