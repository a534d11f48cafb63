"""What stands in line before another tenant: the intake's first line."""

import collections
import json

from attack import again_and_again, clients

TASKS = 1_000
BODY = 15_500  # bytes; a batch of them is as large as a body may be


def large_batches(ground):
    """Clients that send batches of large tasks, one after the other. The tasks are due tomorrow: it is about the way in."""
    task = {"queue": "large", "webhook_url": ground.receiver, "delay": 86400, "payload": {"x": "x" * BODY}}
    batch = json.dumps({"tasks": [task] * ground.size(TASKS, TASKS // 4)}).encode()
    return clients(ground.size(8, 3), ground.seconds, _batches, ground, batch)


def _batches(seen, until, number, ground, batch):
    def send(api, _):
        reply = api.post("/v1/tasks/batch", batch)
        if reply.status == 200:
            seen.update(_task(result) for result in reply.json["results"])
        return reply

    again_and_again(seen, until, number, ground, "admin", send)


def _task(result):
    return "task " + (result["status"] if "error" not in result else result["error"]["details"]["reason"])


def taken_or_put_off(_pair, seen):
    assert seen["task created"] > 0, f"none of the attacker's tasks is made: {seen}"
    fair = {"200", "503 bodies_in_flight", "503 database_slow", "task created", "task database_slow"}
    others = collections.Counter({answer: count for answer, count in seen.items() if answer not in fair and answer[:3] != "429"})
    assert not others, f"neither made nor a clear error: {others}"
