"""When a difference that differences.py names is permitted, between TaskMQ's answer and Postern's."""

import dataclasses
import re
import typing

PACKAGE, DOCUMENTATION = "the package", "the documentation"


@dataclasses.dataclass(frozen=True)
class Permit:
    against: tuple  # the servers that differ so
    aspects: tuple  # of taskmq_cases.view
    when: typing.Callable  # (case, their view, our view) -> whether it is this one


def becomes(*pairs, of=""):
    """Whether the statuses are one of these pairs, in a case whose `what` matches `of` from its beginning."""
    return lambda case, theirs, ours: (theirs["status"], ours["status"]) in pairs and re.match(of, case.what) is not None


def stays(status, of=""):
    return becomes((status, status), of=of)


OUT_OF_RANGE = r"add-job, (handler empty|interval_seconds (zero|negative)|scheduled_for far)"

# The first one that permits a difference counts.
PERMITS = {
    "credential first": Permit((PACKAGE, DOCUMENTATION), ("status",), becomes((422, 401), (422, 403), (405, 401), (405, 403))),
    "any job": Permit((PACKAGE,), ("status",), becomes((200, 409), of="cancel|retry")),
    "given twice": Permit((PACKAGE, DOCUMENTATION), ("status",), becomes((200, 422), of="add-job, body a field twice")),
    "login": Permit((PACKAGE,), ("status",), becomes((500, 404), of="login")),
    "no role": Permit((PACKAGE,), ("status",), becomes((500, 403), of=".*, auth no role")),
    "ranges": Permit((PACKAGE, DOCUMENTATION), ("status",), becomes((200, 422), of=OUT_OF_RANGE)),
    "empty payload": Permit((PACKAGE,), ("status",), becomes((400, 200), of="add-job, payload empty")),
    "checked": Permit((PACKAGE,), ("status",), becomes((200, 422), (400, 422), (404, 422), of="add-job, |cancel, |retry, ")),
    "answer of add-job": Permit((PACKAGE,), ("shape",), stays(200, of="add-job")),
    "words": Permit((PACKAGE,), ("detail", "challenge"), lambda *given: stays(401)(*given) or stays(403)(*given)),
    "members of a mistake": Permit((PACKAGE,), ("members",), stays(422)),
    "ctx": Permit((DOCUMENTATION,), ("members",), stays(422, of="add-job, ")),
    "job as shown": Permit((PACKAGE,), ("shape",), stays(200, of="job")),
    "id that is no number": Permit((PACKAGE,), ("status",), becomes((422, 404), of="job, id (text|fraction)")),
    "path of the metrics": Permit((PACKAGE,), ("status",), becomes((307, 200), of="metrics")),
    "kinds": Permit((DOCUMENTATION,), ("status",), becomes((422, 200), (422, 404), of=".*(number|fraction)")),
    "health": Permit((DOCUMENTATION,), ("shape",), stays(200, of="health")),
}
