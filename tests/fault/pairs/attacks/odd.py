"""What no code expects: odd rows, odd times, odd settings, odd names."""

import collections
import re
import socket
import struct
import subprocess
import time

from attack import answer_of, clients, sql
from harness import BIN, Answer, Receiver
from jwt_test import token

# --- rows ----------------------------------------------------------------------------------------

TASK = "INSERT INTO postern.task (id, state, tenant, queue, {}) SELECT postern.new_task_id(), 'ready', 'attacker', 'odd', {}"
LEASE = """WITH t AS (INSERT INTO postern.task (id, state, lane, tenant, queue, url)
                      SELECT postern.new_task_id(), 'ready', 1, 'attacker', 'odd', '{url}' RETURNING id)
           INSERT INTO postern.lease (task, lease, instance, claimed_at, until, deferred, tenant, queue)
           SELECT id, gen_random_uuid(), gen_random_uuid(), {times}, 'attacker', 'odd' FROM t"""
SCHEDULE = """INSERT INTO postern.schedule (tenant, name, queue, {}) SELECT 'attacker', 'odd-' || {}, 'odd', {}"""


def _rows(url):
    """Statements of a row each, all of which the schema may refuse."""
    number = 0
    for columns, values in (
            ("url, attempt, max_attempts", f"'{url}', 2147483647, 2147483647"),
            ("url, attempt, attempt_base, max_attempts", f"'{url}', 2147483647, 2147483647, 2147483647"),
            ("url, attempts", f"'{url}', '[1, {{}}, null, \"x\"]'"),
            ("url, attempts", f"'{url}', '{{}}'"),
            ("url, headers", f"'{url}', 'no JSON'"),
            ("url, headers", f"'{url}', '{{\"Host\": 7}}'"),
            ("url, retry_policy", f"'{url}', '{{\"intervals\":'"),
            ("url, extra, dialect", f"'{url}', '[', 'asyncjobs'"),
            ("url, extra, dialect", f"'{url}', '[', 'asyncqueue'"),
            ("url, extra, dialect", f"'{url}', '[', 'taskmq'"),
            ("url, tags", f"'{url}', ARRAY[NULL, '']"),
            ("url, method", f"'{url}', E'GET /\\r\\n\\r\\n'"),
            ("url, traceparent", f"'{url}', E'x\\r\\ny: z'"),
            ("url, timeout_ms, repeat_seconds", f"'{url}', 1000, 9223372036854775807"),
            ("url, hold_seconds", f"'{url}', 9223372036854775807"),
            ("url, run_at", f"'{url}', '-infinity'"),
            ("url, run_at, claimed_at", f"'{url}', now(), 'infinity'"),
            ("url, deadline", f"'{url}', 'infinity'"),
            ("url, created_at", f"'{url}', '-infinity'"),
            ("url", "'http://'"),
            ("url", "''"),
            ("endpoint", "'no such endpoint'")):
        yield TASK.format(columns, values)
    for times in ("'-infinity', '-infinity', true", "'infinity', '-infinity', true", "'-infinity', '-infinity', false",
                  "now(), 'infinity', false", "NULL, now(), true"):
        yield LEASE.format(url=url, times=times)
    good = '{"webhook_url": "%s"}' % url
    for columns, values in (
            ("spec, task, next_at", f"'@every 1s', '{{', now()"),
            ("spec, task, next_at", f"'no cron', '{good}', now()"),
            ("spec, task, next_at", f"'', '{good}', now()"),
            ("spec, task, next_at, timezone", f"'0 8 * * *', '{good}', now(), 'Nowhere/Land'"),
            ("spec, task, next_at, interval_seconds", f"'@every 1s', '{good}', now(), -1"),
            ("spec, task, next_at, interval_seconds", f"'@every 1s', '{good}', now(), 9223372036854775807"),
            ("spec, task, next_at", f"'@every 1s', '{good}', '-infinity'"),
            ("spec, task, next_at", f"'@every 1s', '{good}', 'infinity'"),
            ("spec, task, next_at, misfire_window", f"'@every 1s', '{good}', now(), '178000000 years'"),
            ("spec, task, next_at, jitter", f"'@every 1s', '{good}', now(), '178000000 years'")):
        number += 1
        yield SCHEDULE.format(columns, number, values)
    yield "INSERT INTO postern.endpoint (tenant, name, url, headers) VALUES ('attacker', 'odd', 'no URL', 'no JSON')"
    yield "INSERT INTO postern.queue (tenant, name, retry_policy) VALUES ('attacker', 'odd-2', '{\"intervals\":')"
    yield "INSERT INTO postern.queue (tenant, name, max_age) VALUES ('attacker', 'odd-3', '178000000 years')"
    yield "INSERT INTO postern.sequel (task, tenant, queue, key, callback) VALUES (gen_random_uuid(), 'nobody', 'odd', 'k', true)"


def odd_rows(ground):
    seen = collections.Counter()
    for statement in _rows(ground.receiver):
        said = sql(ground, statement + "; NOTIFY postern_ready", ground.owner)
        seen["refused by the schema" if "ERROR" in said else "stored"] += 1
    time.sleep(ground.seconds)
    return seen


def set_aside_and_shown(pair, _seen):
    """Nothing of it is due for ever, and what is there can be read."""
    waits = "SELECT count(*) FROM postern.task WHERE tenant = 'attacker' AND state = 'ready'"
    pair.wait_until(lambda: pair.sql(waits) == "0", 60, "no odd task is ready for ever")
    leases = "SELECT count(*) FROM postern.lease WHERE tenant = 'attacker' AND claimed_at < now() - interval '1 hour'"
    assert pair.sql(leases) == "0", "an odd lease is held for ever"
    api = pair.api()
    for path in ("/v1/tasks?limit=100", "/v1/schedules", "/v1/endpoints", "/v1/queues", "/v1/stats",
                 *(f"/v1/schedules/odd-{n}" for n in range(1, 11)), "/v1/endpoints/odd", "/v1/queues/odd-2"):
        reply = api.get(path)
        assert reply.status in (200, 404), f"GET {path}: {answer_of(reply)}"
    for line in pair.sql("SELECT id FROM postern.task_all WHERE tenant = 'attacker'").splitlines():
        reply = api.get(f"/v1/tasks/{line}")
        assert reply.status == 200, f"an odd task cannot be read: {answer_of(reply)}"
    api.close()


# --- times ---------------------------------------------------------------------------------------


def odd_times(ground):
    seen = collections.Counter()
    for option in ("run_at => '-infinity'", "run_at => 'infinity'", "run_at => '294276-12-31'", "run_at => '4713-01-01 BC'",
                   "deadline => 'infinity'", "deadline => '-infinity'", "deadline => '294276-12-31'",
                   "delay => '-178000000 years'", "delay => '178000000 years'", "timeout => '178000000 years'"):
        said = sql(ground, f"SELECT postern.enqueue('odd', '{ground.receiver}', '{{}}', {option})")
        seen["refused" if "ERROR" in said else f"taken: {option}"] += 1
    api = ground.api()
    for field, value in (("run_at", "infinity"), ("run_at", "9999-12-31T23:59:59Z"), ("run_at", "294276-12-31T00:00:00Z"), ("deadline", "-infinity"), ("delay", 1e300)):
        reply = api.post("/v1/tasks", {"queue": "odd", "webhook_url": ground.receiver, field: value})
        seen["refused" if reply.status == 400 else f"taken: {field} {value}"] += 1
    api.close()
    time.sleep(ground.seconds)
    return seen


def all_refused(_pair, seen):
    assert set(seen) <= {"refused"}, ", ".join(set(seen) - {"refused"})


# --- sizes ---------------------------------------------------------------------------------------


def large_tasks(ground):
    """In a queue each, because a lane begins with few at a time, to a receiver that lets them be kept in memory."""
    said = sql(ground, f"SELECT count(postern.enqueue('large-' || n, '{ground.hanging}', convert_to(repeat('x', 8 << 20), 'UTF8'), "
                       "'text/plain')) FROM generate_series(1, 75) n")
    time.sleep(ground.seconds)
    return collections.Counter({f"enqueued {said}": 1})


def all_taken(_pair, seen):
    assert set(seen) == {"enqueued 75"}, f"{seen}"


# --- a setting of the database -------------------------------------------------------------------


def serializable(pair):
    pair.sql("ALTER DATABASE postern SET default_transaction_isolation = 'serializable'")
    pair.stack.stop()
    pair.stack.start()


def make_and_cancel(ground):
    return clients(8, ground.seconds, _cancels, ground)


def _cancels(seen, until, _, ground):
    api = ground.api()
    while time.monotonic() < until:
        made = api.post("/v1/tasks", {"queue": "odd", "webhook_url": ground.receiver, "delay": 3600})
        seen[answer_of(made)] += 1
        if made.status == 201:
            seen[answer_of(api.post(f"/v1/tasks/{made.json['id']}/cancel"))] += 1
    api.close()


def works_and_doctor_tells(pair, seen):
    assert set(seen) == {"200", "201"}, f"{seen}"
    said = subprocess.run([BIN / "postern", "doctor"], env=pair.stack._environment("postgres"), capture_output=True, text=True)
    assert "isolation" in said.stdout + said.stderr, "doctor does not mention the isolation level"


# --- addresses, names, tokens, records -----------------------------------------------------------

PORTS = (22, 25, 53, 5432, 6379, 11211)


def webhooks_to_the_host(ground):
    """To ports of other services on an address that is allowed, and to addresses of this host that are not."""
    api, seen = ground.api(), collections.Counter()
    urls = [f"http://127.0.0.1:{port}/" for port in PORTS]
    urls += [f"http://{own}:{port}/" for own in _own_addresses() for port in (ground.port, 8080)]
    made = []
    for url in urls:
        reply = api.post("/v1/tasks", {"queue": "host", "webhook_url": url, "max_retries": 0, "retry_policy": "none"})
        if reply.status == 201:
            made.append((url, reply.json["id"]))
        else:
            seen[answer_of(reply)] += 1
    for url, task in made:
        over = api.get(f"/v1/tasks/{task}?wait=10").json
        over = api.get(f"/v1/tasks/{task}?wait=10").json if over["status"] == "active" else over
        reason = over.get("reason") or over["status"]
        seen[reason if reason == "egress_denied" else f"{url.split('/')[2]}: {reason}"] += 1
    api.close()
    return seen


def _own_addresses():
    """127.0.0.2, and the one that packets to elsewhere would leave from, if there is a way; none is sent."""
    found = ["127.0.0.2"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    return found


def all_denied(_pair, seen):
    others = {answer for answer in seen if answer not in ("egress_denied", "400 port_denied", "400 url_invalid")}
    assert not others, ", ".join(sorted(others))


def odd_names(ground):
    api, nobody, seen = ground.api(), ground.api("nobody"), collections.Counter()
    for role in ("admin ", " admin", "Admin", "admin\n", "admin\x00", "worker,admin"):
        reply = nobody.get("/v1/tasks", headers={"Authorization": f"Bearer {token(ground.jwt_secret, role=role)}"})
        seen["refused" if reply.status in (401, 403) else f"role {role!r}: {reply.status}"] += 1
    for name in ("Webhook_Signature", "webhook_id", "Content_Length", "Transfer_Encoding", "Postern_Attempt"):
        reply = api.post("/v1/tasks", {"queue": "odd", "webhook_url": ground.receiver, "headers": {name: "1"}})
        seen["refused" if reply.status == 400 else f"header {name}: {reply.status}"] += 1
    for policy in ('{"intervals":', '{"intervals": []}', '{"intervals": ["x"]}', "nonsense", "[]"):
        said = sql(ground, f"SELECT postern.enqueue('odd', '{ground.receiver}', '{{}}', retry_policy => '{policy}')")
        seen["refused" if "ERROR" in said else f"policy {policy}: taken"] += 1
    for client in (api, nobody):
        client.close()
    return seen


def endless_records(ground):
    """Who may write to the handlers' socket says that the name or the value of a parameter has 2 GiB."""
    begin = struct.pack(">BBHHBx", 1, 1, 1, 8, 0) + struct.pack(">HB5x", 1, 0)
    most = 0x7FFFFFFF
    seen = collections.Counter()
    for name, value in ((most, most), (most, 0), (0, most), (most - 2, 0), (0, most - 2), (most - 16, 1), (1 << 30, 1 << 30)):
        params = struct.pack(">II", 1 << 31 | name, 1 << 31 | value) + b"x" * 16
        record = struct.pack(">BBHHBx", 1, 4, 1, len(params), 0) + params
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(ground.fcgi)
            connection.sendall(begin + record)
            try:
                seen["answered" if connection.recv(1000) else "closed"] += 1
            except TimeoutError:
                seen["none"] += 1
            except ConnectionError:
                seen["closed"] += 1
    return seen


def nobody_ended(_pair, _seen):
    """The pair looks at that."""


def use_tokens(ground):
    """Signals and deferred attempts, as they should be and so that nginx has something to complain about."""
    receiver, api, nobody, seen = Receiver(), ground.api(), ground.api("nobody"), collections.Counter()
    receiver.on("/later", Answer(202, headers={"Postern-Defer": "60"}))
    made = api.post("/asyncqueue/v1/tasks", {"targetUrl": receiver.url("/hook"), "callbackUrl": receiver.url("/hook"),
                                             "waitForSignal": True, "maxWaitTime": 3600})
    api.post("/v1/tasks", {"queue": "later", "webhook_url": receiver.url("/later")})
    receiver.wait_for(lambda requests: any(request.path == "/later" for request in requests))
    told = receiver.at("/later")[0].headers["Postern-Complete-Url"].split("/v1/", 1)[1]
    too_large = b"x" * (1 << 20)
    for path in (f"/v1/{told}", f"/v1/signals/{made.json['signalToken']}"):
        for body in (too_large, {}):
            try:
                seen[answer_of(nobody.post(path, body))] += 1
            except OSError:  # nginx answers before it has read the body, and closes
                seen["413"] += 1
    receiver.close()
    return seen


# A token in a path or a query; what stands for a masked one is shorter.
TOKEN = re.compile(r"(?:signals/|token=)[A-Za-z0-9_-]{16,}")


def no_log_has_one(pair, seen):
    assert sum(seen.values()) == 4, f"{seen}"
    found, said = [], 0
    for log in (*pair.stack.log.iterdir(), *(pair.stack.dir / "nginx").glob("*.log")):
        text = log.read_text(errors="replace")
        said += text.count("/complete")
        found += [log.name] * bool(TOKEN.search(text))
    assert not found, f"a token is in {', '.join(found)}"
    assert said, "no log mentions the requests: this shows nothing"
