#!/usr/bin/python3
"""What the log says of tasks: a line for each that failed for good, a number where there are many, and at `debug` one for
each attempt; of a target its host alone."""

import re
import unittest

from harness import Answer, StackTest

FAILED = (r"<4>\S+ task failed task={task} tenant=default queue={queue} host={host} attempts={attempts} "
          r"reason={reason} status={status}\n")


class Failures(StackTest):
    settings = {"POSTERN_LOG_LEVEL": "debug"}

    def log(self, program="scheduler"):
        return (self.stack.log / f"{program}.log").read_text()

    def await_failure(self, program="scheduler", **told):
        line = FAILED.format(**told)
        self.wait_until(lambda: re.search(line, self.log(program)), what=line)

    def host(self):
        return re.escape(self.receiver.url("/").split("/")[2])

    def test_a_task_that_failed_for_good_has_one_line(self):
        self.receiver.on("/hook", 500, 503)
        task = self.create(queue="told", max_retries=1, retry_policy={"intervals": [0]})
        self.await_failure(task=task["id"], queue="told", host=self.host(), attempts=2, reason="exhausted", status=503)
        self.receiver.on("/gone", 410)
        gone = self.create(queue="told", webhook_url=self.receiver.url("/gone"))
        self.await_failure(task=gone["id"], queue="told", host=self.host(), attempts=1, reason="gone", status=410)
        self.assertEqual(self.log().count("task failed task=" + task["id"]), 1)
        # And each attempt has one at this level.
        attempts = re.findall(rf"<7>\S+ attempt ended task={task['id']} tenant=default queue=told host={self.host()} "
                              r"attempt=(\d) outcome=failed status=(\d+) ms=\d+ then=(\w+)\n", self.log())
        self.assertEqual(attempts, [("1", "500", "delayed"), ("2", "503", "failed")])

    def test_a_task_that_was_never_sent_has_one_too(self):
        task = self.create(queue="unheard", webhook_url="http://127.0.0.1:1/", max_retries=0)
        self.await_failure(task=task["id"], queue="unheard", host="127.0.0.1:1", attempts=1,
                           reason="egress_denied", status="-")

    def test_a_receiver_that_tells_the_failure_later(self):
        self.receiver.on("/hook", Answer(202, headers={"Postern-Defer": "60"}))
        task = self.create(queue="later")
        self.wait_until(lambda: self.get(task).get("deferred"), what="the task is deferred")
        url = self.receiver.at("/hook")[0].headers["Postern-Complete-Url"].replace("/complete", "/fail")
        path = url[url.index("/v1/"):]
        self.assertEqual(self.client().post(path, {"error": "no", "retry": False}).json, {"status": "failed"})
        self.await_failure("fcgi", task=task["id"], queue="later", host=self.host(), attempts=1, reason="terminated", status=202)

    def test_nothing_of_a_target_but_its_host_is_told(self):
        self.receiver.on("/path-in-no-log?query-in-no-log=1", 500)
        task = self.create(webhook_url=self.receiver.url("/path-in-no-log?query-in-no-log=1"), max_retries=0,
                           payload={"x": "payload-in-no-log"}, headers={"X-A": "header-in-no-log"})
        self.await_failure(task=task["id"], queue="default", host=self.host(), attempts=1, reason="exhausted", status=500)
        for program in ("scheduler", "fcgi"):
            self.assertNotIn("in-no-log", self.log(program))

    def test_where_many_fail_their_number_is_told(self):
        self.receiver.on("/many", *[410] * 300)
        tasks = [{"queue": "many", "webhook_url": self.receiver.url("/many")} for _ in range(300)]
        self.assertEqual(self.api.post("/v1/tasks/batch", {"tasks": tasks}).status, 200)
        told = lambda: (len(re.findall(r" task failed task=\S+ tenant=default queue=many ", self.log())),
                        [int(more) for more in re.findall(r"<4>\S+ tasks failed tenant=default queue=many more=(\d+) seconds=10\n",
                                                          self.log())])
        lines, numbers = self.wait_until(lambda: (now := told())[0] + sum(now[1]) == 300 and now, 40, "all are told of")
        self.assertTrue(numbers)
        self.assertLessEqual(lines, 20 * (len(numbers) + 1))


if __name__ == "__main__":
    unittest.main()
