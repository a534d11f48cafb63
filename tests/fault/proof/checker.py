"""Joins the ledger, the sink's log and the tables, and says which promise was broken, with examples.

    I1   an acknowledged task has its one row, with the payload that was sent
    I2   a row has an intent, and none was refused; an atomic batch has all of its rows or none
    I3   of a key there is one task; all acknowledgements name it; another body is refused
    I4   every task is over, with a reason unless it is completed; completed: the sink answered 2xx
    I5   no attempt begins before the task is due: by the clock of client and sink, because the table has the time at
         which the claim began, which may wait for a lock and then take what has become due since
    I6   no more attempts than permitted; none is received twice
    I7   no attempt begins after an acknowledged cancel
    I8   what is over does not change
    I10  each attempt has one record, with its outcome; each receipt has its attempt
    I11  a received attempt that counts as lost is a fault's: at most so many as the fault may repeat
    I12  two attempts of a task do not overlap, unless the first was lost
    I13  one webhook-id, and a good signature
    I14  a failed attempt is followed by another after the interval, or Retry-After
    I17  each occurrence of the schedule fired once, or says why not
    I19  a dependent begins after what it waits for
    I20  an answer 5xx says that the service is unavailable and when to try again
"""

import collections
import dataclasses
import hashlib
import json

from harness import uuid_of
from ledger import read
from loadgen import INTERVAL, payload

# Clocks: the database's in milliseconds, and the scheduling of processes that note times.
SLACK = 0.005
# Where a time by the database's clock and a duration by the scheduler's monotonic one are added: on a busy machine a process may
# lie still between its looks at the two.
SLACK_OF_TWO = 0.25
OVER = ("completed", "failed", "cancelled")

# One JSON object for each task, made by the loadgen or by its schedule.
ROWS = """
SELECT json_build_object('id', id, 'queue', queue, 'state', state, 'reason', reason, 'attempt', attempt,
         'most', max_attempts, 'sha', encode(sha256(body), 'hex'), 'key', idempotency_key,
         'created', extract(epoch FROM created_at)::float8, 'attempts', (
           SELECT json_agg(json_build_array((a->>'number')::int, a->>'status', a->>'response_code',
                                            extract(epoch FROM (a->>'executed_at')::timestamptz)::float8,
                                            (a->>'duration_ms')::int / 1000.0) ORDER BY n)
             FROM json_array_elements(attempts) WITH ORDINALITY AS x(a, n)))
  FROM postern.task_all"""
RUNS = """
SELECT json_build_object('nominal', extract(epoch FROM nominal_time)::float8, 'task', task, 'skipped', skipped)
  FROM postern.schedule_run ORDER BY nominal_time"""
# Logs what happens to rows that are over. Partitions are dropped, never emptied, so no DELETE is expected.
WATCH = """
CREATE TABLE IF NOT EXISTS public.changed (id uuid, what text);
GRANT INSERT ON public.changed TO PUBLIC;
CREATE OR REPLACE FUNCTION public.note_change() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.changed VALUES (OLD.id, TG_OP); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER proof AFTER UPDATE OR DELETE ON postern.task_finished
  FOR EACH ROW EXECUTE FUNCTION public.note_change()"""
CHANGED = "SELECT json_build_object('id', id, 'what', what) FROM public.changed"


@dataclasses.dataclass
class Attempt:
    number: int
    status: str
    code: str
    began: float
    took: float


@dataclasses.dataclass
class Receipt:
    task: str
    attempt: int
    path: str
    sha: str
    good: bool  # the signature, and the id within the body
    came: float
    left: float = None  # when it was answered or the connection ended
    status: int = None  # of the answer; 0: none


@dataclasses.dataclass
class Fault:
    kind: str
    at: float
    repeats: int = 0  # how many received attempts it may make lost at most
    end: float = 0  # of one that lasts: a scheduler that goes on sends what it had begun to send


@dataclasses.dataclass
class Evidence:
    ledger: list
    sink: list
    rows: list
    runs: list = dataclasses.field(default_factory=list)
    changed: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)


class Checker:
    """`violations`: invariant -> what was found."""

    def __init__(self, evidence):
        self.violations = collections.defaultdict(list)
        self.faults = evidence.faults
        self.changed, self.runs = evidence.changed, evidence.runs
        self.posts = {line["post"]: line for line in evidence.ledger if "post" in line}
        self.outcomes = {line["outcome"]: line for line in evidence.ledger if "outcome" in line}
        self.cancelled = {uuid_of(line["cancelled"]): line for line in evidence.ledger if "cancelled" in line}
        self.cancels = {uuid_of(line["cancel"]) for line in evidence.ledger if "cancel" in line}
        self.rows, self.by_schedule = {}, {}
        for row in evidence.rows:
            row["attempts"] = [Attempt(*each) for each in row["attempts"] or []]
            (self.by_schedule if row["queue"] == "schedule" else self.rows)[row["id"]] = row
        self.receipts = collections.defaultdict(list)  # by task, in order of arrival
        by_number = {}
        for line in evidence.sink:
            if "request" in line:
                task = uuid_of(line["task"])
                receipt = Receipt(task, line["attempt"], line["path"], line["sha"],
                                  line["signed"] and line["inside"] == line["task"], line["t"])
                by_number[line["request"]] = receipt
                self.receipts[task].append(receipt)
            else:
                receipt = by_number[line["answer"]]
                receipt.left, receipt.status = line["t"], line["status"]
        self.acked = {}  # task -> its first post
        for number, outcome in self.outcomes.items():
            for task in map(uuid_of, filter(None, outcome["ids"])):
                self.acked.setdefault(task, self.posts[number])
        # number of the task -> the posts that asked for it, in order
        self.intents = collections.defaultdict(list)
        for post in self.posts.values():
            for number in post["numbers"]:
                self.intents[number].append(post)
        self.number_of = {hashlib.sha256(payload(number).encode()).hexdigest(): number for number in self.intents}
        self.repeats = []  # (receipt, fault or None): received attempts that count as lost

    def broken(self, invariant, text):
        self.violations[invariant].append(text)

    def check(self):
        self.check_acknowledgements()
        self.check_intents()
        self.check_keys()
        for task, row in self.rows.items():
            self.check_end(task, row)
            self.check_attempts(task, row)
        self.check_receipts()
        self.check_repeats()
        self.check_cancels()
        self.check_schedule()
        for change in self.changed:
            self.broken("I8", f"{change['id']}: {change['what']} after its end")
        return self

    def check_acknowledgements(self):
        for number, outcome in self.outcomes.items():
            post = self.posts[number]
            if outcome["status"] >= 500 and not outcome["polite"]:
                self.broken("I20", f"post {number}: {outcome['status']}")
            for name, wanted in zip(outcome["ids"], post["numbers"]):
                if not name:
                    continue
                task = uuid_of(name)
                row = self.rows.get(task)
                if not row:
                    self.broken("I1", f"{task}: acknowledged with {outcome['status']}, and there is no row")
                elif self.number_of.get(row["sha"]) != wanted:
                    self.broken("I1", f"{task}: another payload than that of {wanted}")

    def check_intents(self):
        rows_of = collections.defaultdict(list)
        for task, row in self.rows.items():
            number = self.number_of.get(row["sha"])
            rows_of[number].append(task)
            if number is None:
                self.broken("I2", f"{task}: nobody asked for it")
                continue
            refused = {self.outcomes[post["post"]]["status"] for post in self.intents[number]
                       if post["post"] in self.outcomes}
            if refused and all(400 <= status < 500 for status in refused):
                self.broken("I2", f"{task}: refused with {refused}, and there is a row")
        for number, tasks in rows_of.items():
            if number is not None and len(tasks) > 1:
                self.broken("I3" if self.intents[number][0]["key"] else "I2", f"{number}: {len(tasks)} rows {tasks}")
        for post in self.posts.values():
            made = sum(bool(rows_of[number]) for number in post["numbers"])
            if post["atomic"] and made not in (0, len(post["numbers"])):
                self.broken("I2", f"atomic batch {post['post']}: {made} of {len(post['numbers'])} rows")

    def check_keys(self):
        named = collections.defaultdict(set)
        rows = collections.Counter(row["key"] for row in self.rows.values() if row["key"])
        for number, outcome in self.outcomes.items():
            post = self.posts[number]
            if not post["key"]:
                continue
            named[post["key"]].update(outcome["ids"])
            # The first who asked has a number of his own in the key.
            first = post["numbers"][0] == int(post["key"].split("-")[-1])
            if not first and outcome["status"] in (200, 201):
                self.broken("I3", f"{post['key']}: another body got {outcome['status']}")
        for key, ids in named.items():
            if len(ids) > 1:
                self.broken("I3", f"{key}: acknowledged as {ids}")
        for key, count in rows.items():
            if count > 1:
                self.broken("I3", f"{key}: {count} rows")

    def check_end(self, task, row):
        answered = [each for each in self.receipts[task] if each.status and 200 <= each.status < 300]
        if row["state"] not in OVER:
            self.broken("I4", f"{task}: still {row['state']}")
        elif row["state"] == "failed" and not row["reason"]:
            self.broken("I4", f"{task}: failed without a reason")
        elif row["state"] == "completed" and not any(each.sha == row["sha"] for each in answered):
            self.broken("I4", f"{task}: completed, and the sink never answered 2xx to its payload")
        elif row["state"] == "failed" and row["reason"] == "exhausted" and row["attempt"] < row["most"]:
            self.broken("I4", f"{task}: exhausted after {row['attempt']} of {row['most']} attempts")
        elif row["state"] == "cancelled" and task not in self.cancels:
            self.broken("I4", f"{task}: cancelled by nobody")

    def check_attempts(self, task, row):
        attempts, number = row["attempts"], self.number_of.get(row["sha"])
        if [each.number for each in attempts] != list(range(1, row["attempt"] + 1)):
            self.broken("I10", f"{task}: {row['attempt']} attempts, recorded {[each.number for each in attempts]}")
        if not {each.status for each in attempts} <= {"success", "failed", "lost"}:
            self.broken("I10", f"{task}: {attempts}")
        if row["attempt"] > row["most"]:
            self.broken("I6", f"{task}: {row['attempt']} attempts of {row['most']}")
        if number is None:
            return
        intents = self.intents[number]
        if row["most"] != intents[0]["retries"] + 1:
            self.broken("I6", f"{task}: may have {row['most']} attempts, {intents[0]['retries'] + 1} were asked for")
        for one, next_one in zip(attempts, attempts[1:]):
            if one.status == "lost":
                continue
            wait = int(intents[0]["path"].split("/")[2]) if one.code == "429" else INTERVAL
            if next_one.began < one.began + one.took + wait - SLACK_OF_TWO:
                self.broken("I14", f"{task}: attempt {next_one.number} {next_one.began - one.began - one.took:.3f} s "
                                   f"after the end of the one before, not {wait}")

    def check_receipts(self):
        for task, receipts in self.receipts.items():
            if not receipts:
                continue
            row = self.rows.get(task) or self.by_schedule.get(task)
            if not row:
                self.broken("I2", f"{task}: received, and there is no row")
                continue
            if not all(each.good for each in receipts):
                self.broken("I13", f"{task}: bad signature or id")
            recorded = {each.number: each for each in row["attempts"]}
            for attempt, count in collections.Counter(each.attempt for each in receipts).items():
                if count > 1:
                    self.broken("I6", f"{task}: attempt {attempt} was received {count} times")
                if attempt not in recorded:
                    self.broken("I10", f"{task}: attempt {attempt} was received and is not recorded")
            for one, next_one in zip(receipts, receipts[1:]):
                lost = one.attempt in recorded and recorded[one.attempt].status == "lost"
                if not lost and (one.left is None or one.left > next_one.came):
                    self.broken("I12", f"{task}: attempt {next_one.attempt} came before the end of {one.attempt}")
            if post := self.acked.get(task):
                asked = min(each["t"] for each in self.intents[post["numbers"][0]])
                if receipts[0].came < asked + post["delay"] - SLACK:
                    self.broken("I5", f"{task}: received {receipts[0].came - asked:.3f} s after it was asked for")
                for other in map(uuid_of, post["after"] or []):
                    ends = [each.left for each in self.receipts[other] if each.status == 200]
                    if not ends or min(ends) > receipts[0].came + SLACK:
                        self.broken("I19", f"{task}: received before {other} was answered")

    def check_repeats(self):
        for task, row in {**self.rows, **self.by_schedule}.items():
            lost = {each.number for each in row["attempts"] if each.status == "lost"}
            for receipt, following in zip(self.receipts[task], [*self.receipts[task][1:], None]):
                if receipt.attempt in lost:
                    until = following.came if following else float("inf")
                    self.repeats.append((receipt, self.fault_of(receipt.came, until)))
        for receipt, fault in self.repeats:
            if not fault:
                self.broken("I11", f"{receipt.task}: attempt {receipt.attempt} was received and is lost, by no fault")
        for fault in self.faults:
            count = sum(each is fault for _, each in self.repeats)
            if count > fault.repeats:
                self.broken("I11", f"{fault.kind} made {count} received attempts lost, at most {fault.repeats}")

    def fault_of(self, came, until):
        """The fault that made the attempt lost, which was received at `came`; `until`: when the next one was."""
        # What is noted came a moment after it happened; a request may have been on its way meanwhile.
        possible = [each for each in self.faults
                    if each.repeats and came - 0.5 <= max(each.at, each.end) and each.at <= until]
        return possible[0] if possible else None

    def check_cancels(self):
        for task, line in self.cancelled.items():
            if line["status"] != 200:
                continue
            if task in self.rows and self.rows[task]["state"] != "cancelled":
                self.broken("I7", f"{task}: a cancel was acknowledged, and it is {self.rows[task]['state']}")
            if any(each.came > line["t"] for each in self.receipts[task]):
                self.broken("I7", f"{task}: received after the acknowledged cancel")

    def check_schedule(self):
        tasks = [run["task"] for run in self.runs if run["task"]]
        if sorted(tasks) != sorted(self.by_schedule):
            self.broken("I17", f"{len(tasks)} runs with a task, and {len(self.by_schedule)} tasks")
        for run in self.runs:
            if not run["task"] and not run["skipped"]:
                self.broken("I17", f"the run of {run['nominal']} made no task and says not why")
        # Every second has a run; what came late says so by a run of its own, up to a limit of 100.
        for one, next_one in zip(self.runs, self.runs[1:]):
            if next_one["nominal"] - one["nominal"] != 1:
                self.broken("I17", f"no run between {one['nominal']} and {next_one['nominal']}")

    # --- for people ------------------------------------------------------------------------------

    @property
    def lost(self):
        """Acknowledged tasks that have no row or are not over."""
        return sum(self.rows.get(task, {"state": ""})["state"] not in OVER for task in self.acked)

    def report(self):
        return "\n".join(f"{invariant}: {len(found)} violations, for example\n" +
                         "".join(f"    {each}\n" for each in found[:5])
                         for invariant, found in sorted(self.violations.items()))


def evidence(ledger, sink, psql, faults=()):
    """Reads all of it. `psql` runs a statement and returns lines."""
    def lines(sql):
        return [json.loads(line) for line in psql(sql).split("\n") if line]
    return Evidence(read(ledger), read(sink), lines(ROWS), lines(RUNS), lines(CHANGED), list(faults))
