#!/usr/bin/python3
"""The programs end at every point where they can be made to, one after the other, under load; no promise is broken.

Wants programs that were built with POSTERN_CRASH_POINTS. They tell the points themselves: what a first run reaches
is what the second run crashes at. See core/base/crash_point.h.
"""

import contextlib
import http.client
import os
import random
import re
import signal
import unittest

from proof import BOUND, Api, Proof

SETTINGS = {"POSTERN_RESCUE_AFTER": "2s"}
# Points that every task passes; the others come once in a while, and are crashed at the first time.
FREQUENT = re.compile(r"^(claim|settle|insert\w*|webhook|reply)\.")
# The second run may not come to a statement that the first one needed once, such as that which makes a queue.
PATIENCE, MISSED = 40, 0.1
# Without these the enumeration itself is broken.
CERTAIN = {
    "scheduler": {"claim.unsent", "claim.sent", "claim.answered", "webhook.unsent", "webhook.sent", "webhook.answered",
                  "settle.unsent", "settle.sent", "settle.answered", "orphans.sent", "orphans.answered"},
    "fcgi": {"COMMIT.unsent", "COMMIT.answered", "reply.unsent", "reply.sent"},
}
LOAD = {"clients": 6, "rate": 60, "calm": True}


def visit(proof):
    """What the load does not do: other changes than creates and cancels. Each may fail."""
    yearly = {"schedule": "0 0 1 1 *", "queue": "visits", "webhook_url": f"{proof.sink.url}/ok"}
    for method, path, body in [
            ("GET", "/readyz", None),
            ("PUT", "/v1/schedules/visit", yearly), ("PATCH", "/v1/schedules/visit", {"priority": 7}),
            ("DELETE", "/v1/schedules/visit", None),
            ("PUT", "/v1/endpoints/visit", {"url": f"{proof.sink.url}/ok"}), ("DELETE", "/v1/endpoints/visit", None),
            ("POST", "/v1/queues", {"name": "visits"}), ("PATCH", "/v1/queues/visits", {"max_retries": 4}),
            ("DELETE", "/v1/queues/visits", None)]:
        api = Api(proof.stack.url, proof.stack.state["admin_key"], timeout=10)
        with contextlib.suppress(OSError, http.client.HTTPException):
            api.request(method, path, body)
        api.close()


class CrashPoints(unittest.TestCase):
    def listed(self, program):
        """The points of the program that the load reaches."""
        with Proof(settings=SETTINGS | {"POSTERN_CRASH_AT": "list"}) as proof:
            proof.load(**LOAD)
            proof.more(300)
            visit(proof)
            proof.kill_scheduler()
            proof.more(100)
            self.assertEqual(proof.finish().report(), "")
            log = (proof.stack.log / f"{program}.log").read_text(errors="replace")
        points = set(re.findall(r"^crash_point (\S+)$", log, re.MULTILINE))
        self.assertLessEqual(CERTAIN[program], points)
        return sorted(points)

    def crash_everywhere(self, program, crash):
        points = self.listed(program)
        with Proof(settings=SETTINGS) as proof:
            dice, missed = random.Random(proof.seed), []
            proof.load(**LOAD)
            for point in points:
                times = dice.randint(1, 20) if FREQUENT.match(point) else 1
                proof.stack.settings["POSTERN_CRASH_AT"] = f"{point}:{times}"
                try:
                    crash(proof, point)
                except AssertionError:
                    missed.append(point)
            del proof.stack.settings["POSTERN_CRASH_AT"]
            proof.stack.start()
            proof.more(100)
            checker = proof.finish()
            crashed = [point for point in points if point not in missed]
            print(f"{program}: crashed at {len(crashed)} points, {len(checker.acked)} tasks acknowledged, "
                  f"{checker.lost} lost, {len(checker.repeats)} received twice\n  {' '.join(crashed)}\n"
                  f"  not reached again: {' '.join(missed)}", flush=True)
            self.assertEqual(checker.report(), "")
            self.assertFalse(CERTAIN[program] & set(missed))
            self.assertLessEqual(len(missed), MISSED * len(points))

    def test_scheduler(self):
        def crash(proof, point):
            scheduler = proof.stack.programs["scheduler"]
            if scheduler.pid:  # at the first point
                proof.note("kill -9", BOUND)
            scheduler.stop(signal.SIGKILL)
            proof.stack._spawn_scheduler()
            proof.wait_until(lambda: not scheduler.pid, PATIENCE, f"the scheduler gets to {point}")
            proof.note(point, BOUND)
            self.assertEqual(scheduler.status, 137, point)

        self.crash_everywhere("scheduler", crash)

    def test_handlers(self):
        def crash(proof, point):
            log = proof.stack.log / "fcgi.log"
            proof.note(point)
            for name in ("socket", "fcgi"):
                proof.stack.programs[name].stop(signal.SIGKILL)
            begun = log.stat().st_size
            proof.stack._start_handlers()

            def crashed():
                visit(proof)
                with open(log, "rb") as file:
                    file.seek(begun)
                    return b"ended with status 137" in file.read()
            proof.wait_until(crashed, PATIENCE, f"the handlers get to {point}")

        self.crash_everywhere("fcgi", crash)


if __name__ == "__main__":
    if "POSTERN_BIN" not in os.environ:
        raise SystemExit("POSTERN_BIN: a build with POSTERN_CRASH_POINTS is wanted, such as build/asan/bin")
    unittest.main()
