"""Two cells as databases of one private server, without programs: for what a move does to rows."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "support"))

from postgres import Postgres, scratch_folder  # noqa: E402
from stack import BIN  # noqa: E402

# Tables with rows of a tenant, what of them arrives as it was, and in which order it is compared.
WHOLE = "t.*"
TABLES = {
    "task": WHOLE, "task_finished": WHOLE, "lease": WHOLE, "queue": WHOLE, "endpoint": WHOLE, "schedule": WHOLE,
    "schedule_run": WHOLE, "api_key": WHOLE, "tenant_secret": WHOLE, "idempotency_key": WHOLE, "queue_mark": WHOLE,
    "queue_minute": WHOLE, "endpoint_minute": WHOLE,
    "sequel": "t.task, t.tenant, t.queue, t.key, t.callback, t.past",
}

# A tenant with rows of every kind. {tasks}: how many of each of the kinds of tasks that may be many.
FILL = """
INSERT INTO postern.tenant (name, created_at) VALUES ('acme', '2026-01-01'), ('beside', now());
INSERT INTO postern.tenant_secret (tenant, secret, previous, previous_until)
  VALUES ('acme', 'whsec_YWJj', 'whsec_ZGVm', now() + interval '1 day'), ('beside', 'whsec_YWJj', NULL, NULL);
INSERT INTO postern.queue (tenant, name, paused, max_entries, rate_count, rate_period, rate_burst, rate_tokens, rate_at)
  VALUES ('acme', 'q', false, 100000000, 10, '1 minute', 5, 3.25, now()), ('acme', 'p', true, NULL, NULL, NULL, NULL, NULL, NULL),
         ('beside', 'q', false, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO postern.endpoint (tenant, name, url, headers, secret, previous, previous_until, rate_count, rate_period, rate_tokens,
                              rate_at)
  VALUES ('acme', 'hook', 'http://receiver.test/', '{{"a":"it''s \\\\ \\" odd"}}', 'whsec_YWJj', '', now() + interval '1 hour', 5,
          '1 hour', 2.5, now());
INSERT INTO postern.api_key (hash, name, role, tenant, last_used_at, expires_at, revoked_at)
  VALUES (sha256('one'), 'one', 'admin', 'acme', now(), NULL, NULL), (sha256('two'), 'two', 'read', 'acme', NULL, now(), now()),
         (sha256('beside'), 'one', 'admin', 'beside', NULL, NULL, NULL);
INSERT INTO postern.schedule (tenant, name, spec, queue, task, next_at, last_at)
  VALUES ('acme', 'daily', '0 8 * * *', 'q', '{{"url":"http://receiver.test/"}}', now() + interval '1 day', now());
INSERT INTO postern.schedule_run (tenant, schedule, nominal_time, task, skipped)
  SELECT 'acme', 'daily', now() - n * interval '1 day', gen_random_uuid(), CASE WHEN n = 3 THEN 'overlap' END
    FROM generate_series(1, 10) n;
INSERT INTO postern.task (id, state, tenant, queue, lane, url, run_at, body, content_type, headers, tags, extra, idempotency_key,
                          job_id, dialect, attempts, attempt, priority)
  SELECT postern.new_task_id(), CASE n % 2 WHEN 0 THEN 'ready' ELSE 'delayed' END, CASE n % 10 WHEN 9 THEN 'beside' ELSE 'acme' END,
         CASE n % 3 WHEN 0 THEN 'p' ELSE 'q' END, n % 7, 'http://receiver.test/' || n,
         now() + n % 2 * interval '7 days', decode(md5(n::text), 'hex') || '\\x00ff'::bytea, 'application/octet-stream',
         '{{"x":"\\u00e9"}}', ARRAY['a', 'b,c', NULL, '"'], '{{}}', 'key ' || n, nextval('postern.job_id'), 'taskmq',
         '[{{"number":1}}]', 1, 50
    FROM generate_series(1, {tasks}) n;
INSERT INTO postern.idempotency_key (tenant, key, task, request_hash, expires_at)
  SELECT tenant, idempotency_key || '''\\ {{}} ",', id, sha256(id::text::bytea), now() + interval '1 hour' FROM postern.task;
-- One in a chain behind a key, one that waits for two others, one of the SQL door, one under way and one deferred.
INSERT INTO postern.task (id, state, tenant, queue, lane, url, key, key_seq)
  SELECT postern.new_task_id(), CASE n WHEN 1 THEN 'ready' ELSE 'blocked' END, 'acme', 'q', 1, 'http://receiver.test/key', 'k',
         nextval('postern.key_seq') FROM generate_series(1, 20) n;
INSERT INTO postern.task (id, state, tenant, queue, lane, url, dependencies)
  SELECT postern.new_task_id(), 'blocked', 'acme', 'q', 1, 'http://receiver.test/waits',
         ARRAY(SELECT id FROM postern.task WHERE tenant = 'acme' AND key IS NULL ORDER BY id LIMIT 2);
INSERT INTO postern.dependency (task, depends_on)
  SELECT id, unnest(dependencies) FROM postern.task WHERE dependencies IS NOT NULL;
INSERT INTO postern.task (id, state, tenant, queue, url)
  VALUES (postern.new_task_id(), 'ready', 'acme', 'q', 'http://receiver.test/door');
INSERT INTO postern.lease (task, lease, instance, until, deferred, tenant, queue, resolved)
  SELECT id, gen_random_uuid(), CASE WHEN n = 1 THEN gen_random_uuid() END, now() + interval '1 hour', n > 1, 'acme', 'q', 'hook'
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM postern.task WHERE tenant = 'acme' AND state = 'ready') t WHERE n <= 4;
SELECT postern.make_partitions('short', 3), postern.make_partitions('standard', 3);
INSERT INTO postern.task_finished (id, state, tenant, queue, lane, url, run_at, created_at, updated_at, finished_at, retention, attempts, attempt,
                                   reason, result_code, result_body, body, job_id, dependencies)
  SELECT postern.new_task_id(), CASE n % 3 WHEN 0 THEN 'completed' WHEN 1 THEN 'failed' ELSE 'cancelled' END,
         CASE n % 10 WHEN 9 THEN 'beside' ELSE 'acme' END, 'q', 1, 'http://receiver.test/', now(), now(), now(),
         now() - n % 10 * interval '1 day', CASE n % 4 WHEN 0 THEN 'short' ELSE 'standard' END, '[]', 1,
         CASE n % 3 WHEN 1 THEN 'unreachable' ELSE '' END, 200, '\\x0001', 'x', nextval('postern.job_id'),
         CASE n % 3 WHEN 1 THEN ARRAY[gen_random_uuid(), gen_random_uuid()] END
    FROM generate_series(1, {tasks}) n;
INSERT INTO postern.dependency (task, depends_on)
  SELECT id, unnest(dependencies) FROM postern.task_finished WHERE reason = 'unreachable';
INSERT INTO postern.sequel (task, tenant, queue, key, callback)
  SELECT id, 'acme', 'q', 'k', n % 2 = 0 FROM (SELECT id, row_number() OVER () AS n FROM postern.task WHERE key = 'k') t;
INSERT INTO postern.counter (instance, tenant, queue, name, value)
  SELECT gen_random_uuid(), t, 'q', c, v FROM (VALUES ('acme', 'created', 70), ('acme', 'created', 30), ('acme', 'finished_failed', 5),
                                                      ('beside', 'created', 3)) n(t, c, v);
INSERT INTO postern.queue_mark VALUES ('acme', 'q', 90, 1, 4, 0, 7, 2);
INSERT INTO postern.queue_minute (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed)
  SELECT date_trunc('minute', now()) - n * interval '1 minute', t, 'q', n, 0, 0, 0, 0, 0
    FROM generate_series(0, 30) n, unnest(ARRAY['acme', 'beside']) t;
INSERT INTO postern.endpoint_minute
  SELECT 'acme', e, date_trunc('minute', now()) - n * interval '1 minute', gen_random_uuid(), n, 0, '{{1,2}}'
    FROM generate_series(0, 30) n, unnest(ARRAY['hook', '/all']) e;
"""

# What {event} does to {table} waits.
HELD = """
  CREATE FUNCTION public.held_up() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN coalesce(NEW, OLD); END $$;
  CREATE TRIGGER held_up BEFORE {event} ON postern.{table} FOR EACH ROW EXECUTE FUNCTION public.held_up()"""


class Writer(threading.Thread):
    """A client that inserts tasks in whichever cell the tenant is, and remembers what was acknowledged. Of every fourth it changes
    the start, every fifth it ends."""

    def __init__(self, test):
        super().__init__()
        self.test, self.over, self.acknowledged, self.errors = test, threading.Event(), [], set()
        self.longest = 0.0  # seconds between two that were acknowledged

    def run(self):
        number, last = 0, time.monotonic()
        while not self.over.is_set():
            number += 1
            for cell in "ab":
                if self.write(cell, number):
                    self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()
                    break
            time.sleep(0.005)

    def write(self, cell, number):
        sql = (f"INSERT INTO postern.task (id, state, tenant, queue, lane, url) SELECT postern.new_task_id(), 'ready', name, 'w', 1,"
               f" 'http://receiver.test/{number}' FROM postern.tenant WHERE name = 'acme' AND state IN ('here', 'draining') RETURNING id")
        told = self.ask(cell, sql)
        if not told:
            return False
        self.acknowledged.append(told)
        if number % 4 == 0:
            self.ask(cell, f"UPDATE postern.task SET run_at = now() + interval '1 day', state = 'delayed' WHERE id = '{self.acknowledged[-1]}'")
        if number % 5 == 0:
            self.ask(cell, f"SELECT postern.cancel_task('acme', '{self.acknowledged[-1]}', '2020-01-01', gen_random_uuid())")
        return True

    def ask(self, cell, sql):
        done = subprocess.run([self.test.postgres.bin / "psql", "-XAtq", "-v", "VERBOSITY=sqlstate", "-c", sql,
                               self.test.postgres.url(database=cell)], capture_output=True, text=True, check=False)
        if done.returncode:
            # A tenant on its way, or a server that is away.
            if "connection to server" not in done.stderr and "server closed" not in done.stderr:
                self.errors.add(done.stderr.split()[1])
            return None
        return done.stdout.strip()

    def end(self):
        self.over.set()
        self.join()


class TwoDatabases(unittest.TestCase):
    settings = ""  # more lines of both cells' settings

    @classmethod
    def setUpClass(cls):
        scratch = scratch_folder()
        cls.folder = pathlib.Path(scratch.name)
        cls.addClassCleanup(scratch.cleanup)
        cls.postgres = Postgres(cls.folder / "pg", cls.folder / "postgres.pid", cls.folder / "postgres.log")
        cls.postgres.start()
        cls.addClassCleanup(cls.postgres.stop, 3)

    def setUp(self):
        (self.folder / "cells").mkdir(exist_ok=True)
        for label in "ab":
            self.sql("postgres", f"DROP DATABASE IF EXISTS {label} WITH (FORCE)")
            self.sql("postgres", f"CREATE DATABASE {label}")
            (self.folder / "cells" / f"{label}.conf").write_text(
                f"database = {self.postgres.url('postern_operator', label)}\ncell = {label}\n"
                f"public_url = https://{label}.test\n{self.settings}")
            subprocess.run([BIN / "postern", "migrate", "--database", self.postgres.url(database=label)], check=True,
                           stdout=subprocess.DEVNULL)
            self.beat(label)

    def beat(self, cell, label=None, program="postern-scheduler", name="one"):
        """As if such a program of the cell were up."""
        self.sql(cell, "INSERT INTO postern.instance (id, program, name, version, beat_at, gauges) VALUES (gen_random_uuid(),"
                       f" '{program}', '{name}', '1', now() + interval '1 day', jsonb_build_object('cell', '{cell if label is None else label}'))")

    def server_of(self, cell):
        return self.postgres

    def sql(self, cell, statement):
        return self.server_of(cell).psql(statement, cell)

    def fill(self, tasks=60):
        self.sql("a", FILL.format(tasks=tasks))

    def config(self, cell):
        """The file of settings that the command of the cell is called with."""
        return self.folder / "cells" / f"{cell}.conf"

    def start(self, *arguments, cell="a", env=None):
        """The operator's command in a cell, under way."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        return subprocess.Popen(
            [BIN / "postern", "--config", self.config(cell), *arguments], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**clean, "TZ": "UTC", **(env or {})})

    def postern(self, *arguments, cell="a", code=0):
        """Its JSON."""
        command = self.start("--json", *arguments, cell=cell)
        out, err = command.communicate(timeout=1200)
        self.assertEqual(command.returncode, code, out + err)
        return json.loads(out) if out else None

    def move(self, to="b", cell="a", *options, code=0):
        return self.postern("tenant", "move", "acme", "--to", to, "--cells", str(self.folder / "cells"), *options,
                            cell=cell, code=code)

    def rows(self, cell, tenant="acme"):
        """What there is of a tenant: the rows of each table as texts, without what a move makes anew."""
        found = {}
        for table, columns in TABLES.items():
            found[table] = sorted(self.sql(
                cell, f"SELECT (SELECT r FROM (SELECT {columns}) r)::text FROM postern.{table} t"
                      f" WHERE tenant = '{tenant}'").splitlines())
        found["dependency"] = sorted(self.sql(
            cell, "SELECT d::text FROM postern.dependency d WHERE EXISTS (SELECT FROM postern.task_all t"
                  f" WHERE t.id = d.task AND t.tenant = '{tenant}')").splitlines())
        found["counter"] = sorted(self.sql(
            cell, "SELECT queue, name, sum(value) FROM postern.counter"
                  f" WHERE tenant = '{tenant}' GROUP BY 1, 2").splitlines())
        return found

    def state(self, cell):
        return self.sql(cell, "SELECT state FROM postern.tenant WHERE name = 'acme'")

    def assert_all_there(self, before, cell):
        after = self.rows(cell)
        for table, rows in before.items():
            self.assertEqual(after[table], rows, table)

    def assert_nothing(self, cell):
        left = self.rows(cell)
        self.assertEqual({table for table, rows in left.items() if rows} - {"api_key", "tenant_secret"}, set())
        self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move_change"), "0")

    # --- a move that stands still --------------------------------------------------------------------

    def until(self, ready, seconds=60):
        deadline = time.monotonic() + seconds
        while not ready():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    @contextlib.contextmanager
    def held(self, cell, table, event="INSERT"):
        """Whoever writes such a row waits."""
        self.sql(cell, HELD.format(table=table, event=event))
        with self.locked(cell):
            yield

    @contextlib.contextmanager
    def held_again(self, cell, table):
        self.sql(cell, "DROP FUNCTION public.held_up CASCADE")
        with self.held(cell, table):
            yield

    @contextlib.contextmanager
    def locked(self, cell, key="42"):
        holder = subprocess.Popen([self.server_of(cell).bin / "psql", "-XAtq", self.server_of(cell).url(database=cell)], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            holder.stdin.write(f"SELECT pg_advisory_lock({key});\n\\echo locked\n")
            holder.stdin.flush()
            while holder.stdout.readline() != "locked\n":
                pass
            yield holder
        finally:
            holder.kill()
            holder.communicate()

    def waits(self, cell):
        """Somebody waits for what is held."""
        return self.sql(cell, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 42") != "0"

    def command(self, *options, pause="5m"):
        moving = self.start("--json", "tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"),
                            "--pause", pause, *options)
        self.addCleanup(moving.communicate)
        self.addCleanup(moving.kill)
        return moving

    def kill_when_held(self, cell, moving, meanwhile=None):
        self.until(lambda: self.waits(cell) or moving.poll() is not None)
        self.assertIsNone(moving.returncode, moving.stderr.read() if moving.returncode is not None else "")
        if meanwhile:
            meanwhile()
        moving.kill()
        moving.communicate()
        self.sql(cell, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 42")
        self.wait_for_sessions()

    def wait_for_sessions(self):
        """Until those of a killed command are over."""
        for each in "ab":
            self.until(lambda each=each: self.sql(
                each, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postern'") == "0")

    def finish(self, moving):
        out, err = moving.communicate(timeout=200)
        self.assertEqual(moving.returncode, 0, out + err)
        return err
