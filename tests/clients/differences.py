"""Where Postern differs from the APIs whose clients it serves, and why: the one list of it.

docs/migrating.md has these tables, written by `tests/check/differences.py --write`; `./dev check` fails when they differ.
What has a name besides is what tests/clients/taskmq_test.py permits when it compares Postern's answers with those of other
servers, and it fails when a named difference is seen no longer.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Difference:
    deviation: str  # as it stands in the table, in Markdown
    why: str
    name: str = ""


TASKS = (
    Difference("ids are `task_` and 26 characters of a TypeID",
               "sortable, and the same task in three other spellings"),
    Difference("`X-AsyncQueue-Signature` is not sent",
               "its key was the API key, which Postern does not keep; `webhook-signature` is sent"),
    Difference("`offset` goes up to 10,000; use `cursor` beyond that",
               "a page far down has to read everything above it"),
)

ASYNCQUEUE = (
    Difference("at `https://HOST` errors that concern none of their tasks (401, lists, malformed JSON, an "
               "unknown path) are objects, `{\"error\":{\"code\",\"message\",\"details\"}}`; at "
               "`https://HOST/asyncqueue` all are texts",
               "four dialects share that path"),
    Difference("at `https://HOST` lists have `count` and `next_cursor` besides, `limit` over 100 is 400, "
               "`status=pending` includes what is delayed, and a task of another dialect has that one's shape",
               "the same"),
    Difference("another team's task is 404, not 403",
               "nobody else learns whether it exists"),
    Difference("a task of another dialect that goes to an endpoint shows the endpoint's name as `targetUrl`",
               "the endpoint's URL may change until an attempt begins"),
    Difference("a redirect is not followed; 3xx completes the task",
               "a redirect would escape the egress policy"),
    Difference("header values that begin with `tok_`, `provider` and `pollConfig` are refused (400)",
               "there is no vault and no AI polling"),
    Difference("`X-RateLimit-*` is sent only where a quota is set",
               "there are no paid plans"),
    Difference("Standard Webhooks and `Postern-*` headers are sent too",
               "all dialects share one engine"),
    Difference("the completion webhook is a task of its own, with one attempt",
               "it is visible in lists and metrics"),
)

TASKMQ = (
    Difference("a handler is a URL that gets `{\"job_id\",\"handler\",\"payload\",\"attempt\"}`, not a Python function",
               "Postern runs no code of yours"),
    Difference("a job that failed for good stays where it was (`GET /job/{id}`, `FAILED`)",
               "there is no separate dead-letter table"),
    Difference("cancelling what is not pending, retrying what is not failed: 409",
               "upstream changes any job, also one that runs", "any job"),
    Difference("a mistake may have a `ctx` (`given` and `permitted`, `limit_value`, where JSON breaks off), that of "
               "`value_error.jsondecode` without `doc`, and it counts bytes",
               "the documentation's example shows none, and its library adds it; a body need not be text", "ctx"),
    Difference("the secret must be given",
               "upstream falls back to a default that everybody knows"),
    Difference("a field given twice is 422",
               "upstream takes the last value, and a signature or a proxy may have seen the first", "given twice"),
    Difference("no `POST /login`",
               "nginx's sign-on, keys and JWTs take its place", "login"),
    Difference("`handler` and an object as `payload` are required, every field is of its kind, and 422 says what is not so",
               "as documented; upstream takes any body with a payload, says 400 without one, and finds no job `null`", "checked"),
    Difference("`{}` is a payload",
               "upstream takes it for none (400)", "empty payload"),
    Difference("a handler has 1 to 128 bytes, an interval is 1 s at least, a time is ten years ahead at most (422)",
               "what is beyond can only be a mistake; upstream and the documentation have no bounds", "ranges"),
    Difference("numbers may come as texts and texts as numbers, and a fraction is cut to a whole number",
               "as pydantic 1 had it, with which the API was documented; later FastAPI says 422 to some of it", "kinds"),
    Difference("the answer to `/add-job` is `status` and `job_id`",
               "as documented; upstream adds `payload` and `priority`", "answer of add-job"),
    Difference("`GET /job/{id}` shows `payload` as it was sent, and `handler`, `retry_policy` and `interval_seconds` besides",
               "upstream shows Python's `str()` of the payload", "job as shown"),
    Difference("`GET /job/x`, whose id is no number, is 404",
               "no such job; upstream says 422", "id that is no number"),
    Difference("without a valid credential the answer is 401 or 403, whatever else is wrong with the request",
               "nginx asks who it is before it reads a body; FastAPI first says 405 or that the body is not JSON",
               "credential first"),
    Difference("401 is `Invalid or missing token` with `WWW-Authenticate`, 403 `Insufficient permissions`",
               "as documented; upstream has other words, and the header only sometimes", "words"),
    Difference("a token without `role` is 403",
               "upstream fails with 500", "no role"),
    Difference("a mistake in a 422 has `loc`, `msg`, `type` and sometimes `ctx`, with pydantic 1's words",
               "as documented; upstream's words are those of the pydantic that is installed, with `input` and others",
               "members of a mistake"),
    Difference("`/health` also says `worker`",
               "as upstream does, of the scheduler; the documentation shows `status` alone", "health"),
    Difference("`/monitor/metrics` answers itself",
               "as documented; upstream redirects to `/monitor/metrics/`", "path of the metrics"),
    Difference("`TASKMQ_BACKEND`, `TASKMQ_REDIS_URL` have no effect",
               "everything is in PostgreSQL"),
)

ASYNCJOBS = (
    Difference("a handler is a URL. It gets the task as JSON with `AJ-Content-Type` and `AJ-Handler-Deadline`, "
               "and may answer with `AJ-Error` or `AJ-Terminate`",
               "it takes the place of the request and reply over NATS"),
    Difference("a task goes to the `queue` it names",
               "upstream ignores it and takes the server's"),
    Difference("a retry gives a fresh budget of tries",
               "upstream keeps the used-up budget, so the task expires at once"),
    Difference("a retried task waits for its dependencies again, and is `unreachable` again when one of them "
               "did not complete: retry that one first",
               "upstream runs it without a look at them"),
    Difference("`dependency_results` are shown where one task is read, not in lists",
               "they may be a megabyte"),
    Difference("`payload` keeps the bytes that were sent",
               "upstream sorts the keys and passes numbers through floating point"),
    Difference("a task's `state` and its other filters may be empty in a query: then they are none; an empty "
               "`limit` or `created_since` is 400",
               "as upstream"),
    Difference("a schedule may have more fields (`timezone`, `misfire`, `priority` and others), and they are "
               "shown",
               "they are the engine's"),
    Difference("a task that used its last try is `expired` at once",
               "upstream says `retry` until it is looked at again"),
    Difference("a dependent of an `unreachable` task is `unreachable` too",
               "upstream lets it wait for ever"),
    Difference("retrying an `active` task is 409",
               "two handlers would run it at once"),
    Difference("entries that are purged or whose queue is deleted are `queue_error`, and can be retried",
               "upstream leaves them `new` with nothing behind them"),
    Difference("a schedule's payload arrives as it was given",
               "upstream encodes it twice"),
    Difference("deleting a schedule that is not there is 404",
               "as its own document says"),
    Difference("404 and 405 have the error envelope",
               "upstream answers in plain text"),
    Difference("over 512 KiB is 413",
               "as its own document says"),
    Difference("lists are filtered, then cut to `limit`, oldest first",
               "upstream cuts first, so a page may be short"),
    Difference("cron is read in UTC unless it names a zone",
               "upstream takes the server's zone"),
    Difference("a retry of a task that no handler was ever called for makes it `new`, not `retry`",
               "Postern tells the two apart by the attempts that were made"),
    Difference("a dependency that is not an id (such as 27 characters that hold no UUID) is 400 "
               "`dependency_invalid`",
               "ids are kept as UUIDs; a well-formed id that is not there makes the task `unreachable`"),
    Difference("`max_tries` is 1 to 1000 of a task, 1 to 101 of a schedule, 1 to 10,000 of a queue; a queue's "
               "`max_age` and `max_runtime` are 1 s at least, or 0, and `max_runtime` 24 h at most; "
               "`signature` 1 KiB at most",
               "upstream has no bounds here"),
    Difference("`Idempotency-Key` is printable ASCII without comma; an empty one counts as none",
               "from 1.23 on nginx joins a repeated header with a comma, before it hands over the first; an "
               "empty one it hands over as none"),
    Difference("a new schedule has a `Location`, a replay `Idempotency-Replayed: true`",
               "as everywhere in Postern"),
    Difference("`signature` is kept and shown, not checked",
               "it covers fields that the server makes, which no client can know in advance"),
)

# By the heading of the section of docs/migrating.md.
TABLES = {
    'AsyncQueue "Tasks" (snake_case)': TASKS,
    "AsyncQueue REST (camelCase)": ASYNCQUEUE,
    "TaskMQ": TASKMQ,
    "asyncjobs": ASYNCJOBS,
}
