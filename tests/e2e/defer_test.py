#!/usr/bin/python3
"""Deferred attempts: a receiver answers 202 with Postern-Defer, and reports the end later at the given URLs."""

import signal
import unittest
import urllib.parse

from harness import Answer, StackTest


def later(seconds):
    return Answer(202, headers={"Postern-Defer": str(seconds)})


class Deferred(StackTest):
    settings = {"POSTERN_RESCUE_AFTER": "2s"}

    def take(self, seconds=60, **fields):
        """A task with a deferred attempt, and a function that reports its end."""
        self.receiver.on("/hook", later(seconds), 200)
        task = self.create(retry_policy="fixed", **fields)
        self.wait_until(lambda: self.get(task).get("deferred"), 30, "the task is deferred")
        return task, self.teller(self.receiver.at("/hook")[-1])

    def teller(self, request):
        url = urllib.parse.urlsplit(request.headers["Postern-Complete-Url"])
        nobody = self.client()  # without a key

        def tell(what="complete", body=None):
            path = url.path.removesuffix("/complete") + f"/{what}?{url.query}"
            return nobody.post(path, body)

        return tell

    def test_is_complete_when_the_receiver_says_so(self):
        task, tell = self.take()
        self.assertEqual(self.get(task)["status"], "active")
        self.assertEqual(tell(body={"rows": 7}).json, {"status": "completed"})
        done = self.get(task)
        self.assertEqual((done["status"], done["result"]["body"]), ("completed", '{"rows": 7}'))
        self.assertEqual([attempt["status"] for attempt in done["attempts"]], ["success"])
        self.assertEqual(tell().status, 409)

    def test_a_failure_is_retried(self):
        task, tell = self.take()
        self.assertEqual(tell("fail", {"error": "no luck"}).json, {"status": "pending"})
        done = self.finished(task)
        self.assertEqual(done["status"], "completed")
        self.assertEqual([attempt["status"] for attempt in done["attempts"]], ["failed", "success"])
        self.assertEqual(done["attempts"][0]["error"], "no luck")
        self.assertEqual(tell().status, 403)  # the token of the first attempt

    def test_a_failure_may_forbid_retries(self):
        task, tell = self.take(on_failure_url=self.receiver.url("/failed"))
        self.assertEqual(tell("fail", {"retry": False}).json, {"status": "failed"})
        self.assertEqual(self.get(task)["reason"], "terminated")
        self.receiver.wait_for(lambda _: self.receiver.at("/failed"))

    def test_a_timeout_fails_the_attempt_and_a_heartbeat_extends_it(self):
        other, beat = self.take(seconds=4)
        self.assertEqual(beat("heartbeat", {"seconds": 60}).status, 200)
        task, tell = self.take(seconds=4)  # whose time is over later than the other's would have been
        done = self.finished(task, 90)
        self.assertEqual([attempt["status"] for attempt in done["attempts"]], ["failed", "success"])
        self.assertEqual(tell().status, 403)
        self.assertEqual(self.get(other)["status"], "active")
        self.assertEqual(beat().status, 200)

    def test_outlives_its_scheduler(self):
        task, tell = self.take()
        self.stack.programs["scheduler"].stop(signal.SIGKILL)
        self.stack.start()
        probe = self.create(webhook_url=self.receiver.url("/probe"))
        self.assertEqual(self.finished(probe, 30)["status"], "completed")
        self.assertEqual(self.get(task)["status"], "active")
        self.assertEqual(tell().status, 200)
        self.assertEqual(self.get(task)["attempt_count"], 1)

    def test_only_the_token_gives_access(self):
        task, tell = self.take()
        path = f"/v1/tasks/{task['id']}/complete"
        for client in (self.client(), self.api):
            for query in ("", "?token=", f"?token={'0' * 64}"):
                self.assertEqual(client.post(path + query).status, 403)
        self.assertEqual(tell().status, 200)


if __name__ == "__main__":
    unittest.main()
