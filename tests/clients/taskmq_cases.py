"""Requests to TaskMQ's API, drawn from a seed, and what of the answers is compared."""

import dataclasses
import datetime
import json
import random

import jwt

UTC = datetime.UTC
LATER = "2090-01-01T00:00:00Z"

# What a field of /add-job may be: values that are right, and those that are not, each with what it is.
FIELDS = {
    "payload": ([{"n": 1}, {"a": {"b": [1, None]}, "ä": "😀"}], {"empty": {}, "text": "x", "list": [1], "null": None, "number": 5}),
    "handler": (["dummy", "mail.send"], {"number": 5, "null": None, "object": {}, "empty": ""}),
    "priority": ([0, 10, 20, -3], {"digits": "10", "text": "high", "null": None, "fraction": 1.5, "whole fraction": 2.0, "true": True}),
    "retry_policy": (["fixed", "exponential", "none"], {"unknown": "often", "null": None, "number": 1}),
    "scheduled_for": (["2026-04-01T12:00:00Z", "2026-04-01T12:00:00+02:00", "2026-04-01 12:00:00"],
                      {"far": LATER, "null": None, "text": "tomorrow", "seconds": 1_800_000_000}),
    "interval_seconds": ([60, None], {"zero": 0, "negative": -1, "digits": "60", "text": "often", "fraction": 0.5}),
}
BODIES = {"not JSON": b"{", "empty": b"", "a list": b"[]", "a text": b'"x"', "null": b"null", "a field twice":
          b'{"payload": {}, "payload": {"n": 1}, "handler": "dummy", "handler": "mail.send"}'}
NAMED = {"unknown": 999_999_999, "digits": None, "text": "x", "null": None, "missing": None, "negative": -1, "zero": 0,
         "fraction": 999_999_999.5}


@dataclasses.dataclass
class Case:
    what: str  # where, and then what is unusual about it
    method: str
    path: str
    body: object = None  # bytes, or a value, in which JOB stands for the id of a job
    auth: str = "admin"
    job: int = None  # which of the jobs made so far


JOB = "the job's id"


def cases(seed, count):
    draw = random.Random(seed)
    made = 0
    for _ in range(count):
        case = draw.choice((add_job, add_job, add_job, change, change, change, read, other))(draw, made)
        if draw.random() < 0.12:
            case.auth = draw.choice(("none", "garbage", "expired", "other secret", "worker", "stranger", "no role", "basic", "lower"))
            case.what += f", auth {case.auth}"
        made += case.what == "add-job"
        yield case


def add_job(draw, _):
    if draw.random() < 0.15:
        what = draw.choice(sorted(BODIES))
        return Case(f"add-job, body {what}", "POST", "/add-job", BODIES[what])
    body = {"payload": draw.choice(FIELDS["payload"][0]), "handler": draw.choice(FIELDS["handler"][0])}
    for name in ("priority", "retry_policy", "scheduled_for", "interval_seconds"):
        if draw.random() < 0.4:
            body[name] = draw.choice(FIELDS[name][0])
    what = "add-job"
    if draw.random() < 0.6:
        name = draw.choice(sorted(FIELDS))
        if name in ("payload", "handler") and draw.random() < 0.3:
            del body[name]
            what += f", {name} missing"
        else:
            kind = draw.choice(sorted(FIELDS[name][1]))
            body[name] = FIELDS[name][1][kind]
            what += f", {name} {kind}"
    elif draw.random() < 0.2:
        body["nobody"] = 1
    return Case(what, "POST", "/add-job", body)


def change(draw, made):
    verb = draw.choice(("cancel", "retry"))
    if made and draw.random() < 0.7:
        return Case(verb, "POST", f"/{verb}", {"job_id": JOB}, job=draw.randrange(made))
    kind = draw.choice(sorted(NAMED))
    if kind == "digits":
        body = {"job_id": "999999999"}
    else:
        body = {} if kind == "missing" else {"job_id": NAMED[kind]}
    return Case(f"{verb}, job_id {kind}", "POST", f"/{verb}", body)


def read(draw, made):
    if made and draw.random() < 0.7:
        return Case("job", "GET", f"/job/{JOB}", job=draw.randrange(made))
    what, path = draw.choice((("unknown", "999999999"), ("text", "x"), ("negative", "-1"), ("fraction", "1.5")))
    return Case(f"job, id {what}", "GET", f"/job/{path}")


def other(draw, _):
    what, method, path = draw.choice((("health", "GET", "/health"), ("metrics", "GET", "/monitor/metrics"),
                                      ("no such path", "GET", "/nothing"), ("wrong method", "PUT", "/add-job"),
                                      ("wrong method", "GET", "/cancel"), ("login", "POST", "/login")))
    return Case(what, method, path, {} if method == "POST" else None)


def authorization(auth, secret):
    """The header's value for a case's `auth`, or None."""
    end = datetime.datetime.now(UTC) + datetime.timedelta(hours=-1 if auth == "expired" else 1)
    claims = {"sub": "someone", "role": auth if auth in ("worker", "stranger") else "admin", "exp": end}
    if auth == "no role":
        del claims["role"]
    token = jwt.encode(claims, secret if auth != "other secret" else "x" * 40, algorithm="HS256")
    return {"none": None, "garbage": "Bearer garbage", "basic": "Basic YTpi", "lower": f"bearer {token}"}.get(
        auth, f"Bearer {token}")


def shape(value):
    """The kinds of all members, without their values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def view(reply):
    """What of a reply is compared."""
    seen = {"status": reply.status, "media": reply.headers.get_content_type(),
            "challenge": "WWW-Authenticate" in reply.headers, "methods": reply.headers.get("Allow")}
    try:
        body = json.loads(reply.body)
    except ValueError:
        return seen
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, list):  # of a mistake: where, not in which words
        seen |= {"loc": sorted(str(each["loc"][:2]) for each in detail), "members": sorted(detail[0])}
    elif detail is not None:
        seen["detail"] = detail
    else:
        seen["shape"] = shape(body)
        seen["word"] = body.get("status") if isinstance(body, dict) else None
    return seen
