#!/usr/bin/python3
"""Tasks of all dialects in one database: each client sees its own shapes, and ids work everywhere."""

import unittest

from harness import StackTest, uuid_of
from speakers import SPEAKERS, AsyncJobs, AsyncQueue, Native, TaskMq

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# For each dialect, a member that a task has only there.
MARKS = {"native": "attempt_count", "asyncqueue": "retryCount", "taskmq": "retries", "asyncjobs": "state"}


class Mixed(StackTest):
    def setUp(self):
        super().setUp()
        self.speakers = {kind.name: kind(self, "" if kind is Native else f"/{kind.name}")
                         for kind in SPEAKERS}

    def assert_shape(self, name, task):
        self.assertEqual([dialect for dialect, mark in MARKS.items() if mark in task], [name], task)

    def uuid(self, name, task):
        """The task's UUID, from the spelling of any dialect."""
        if name == "native":
            return uuid_of(task)
        if name == "asyncqueue":
            return task
        if name == "taskmq" and isinstance(task, str):
            return task  # a task of another dialect has no number
        if name == "taskmq":
            return self.stack.postgres.psql(f"SELECT id FROM postern.task_all WHERE job_id = {task}")
        number = 0
        for digit in task:
            number = 62 * number + BASE62.index(digit)
        text = f"{number & (1 << 128) - 1:032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def test_each_mount_shows_every_task_in_its_own_shape(self):
        made = {name: speaker.create(later=True) for name, speaker in self.speakers.items()}
        for maker, task in made.items():
            spelled = self.uuid(maker, task)
            for name, speaker in self.speakers.items():
                if name == "native":
                    continue  # its mount is that of all dialects
                with self.subTest(f"a task of {maker} in {name}"):
                    reply = speaker.try_get(spelled)
                    self.assertEqual(reply.status, 200, reply.body)
                    shown = reply.json["task"] if name == "asyncqueue" else reply.json
                    self.assert_shape(name, shown)
                    self.assertEqual(self.uuid(name, shown["id"]), spelled)
                    self.assertIn(speaker.status_in(reply.json), ("delayed", "pending", "PENDING", "new"))

    def test_v1_shows_each_task_in_its_own_dialect(self):
        for name, speaker in self.speakers.items():
            task = speaker.create(later=True)
            for spelling in (task, self.uuid(name, task)):
                reply = self.api.get(f"/v1/tasks/{spelling}")
                self.assertEqual(reply.status, 200, reply.body)
                self.assertEqual(speaker.id_in({**reply.json, "job_id": reply.json.get("id")}), task)

    def test_v1_shows_every_task_in_the_native_shape_to_who_asks_for_it(self):
        native = {"Postern-Dialect": "native"}
        made = {self.uuid(name, speaker.create(later=True)) for name, speaker in self.speakers.items()}
        for task in made:
            self.assert_shape("native", self.api.get(f"/v1/tasks/{task}", headers=native).json)
        listed = self.api.get("/v1/tasks?limit=100", headers=native).json["tasks"]
        for each in listed:
            self.assert_shape("native", each)
        self.assertLessEqual(made, {uuid_of(each["id"]) for each in listed})
        refused = self.api.post(f"/v1/tasks/{made.pop()}/retry", headers=native)
        self.assertEqual((refused.status, refused.json["error"]["code"]), (409, "conflict"))
        # A mount speaks its dialect whatever is asked for; other words ask for nothing.
        for path, header in (("/asyncqueue/v1/tasks", "native"), ("/v1/tasks", "asyncjobs"), ("/v1/tasks", "native x")):
            with_header = self.api.get(path, headers={"Postern-Dialect": header}).json
            self.assertEqual(with_header, self.api.get(path).json)

    def test_a_list_of_all_shows_each_task_in_its_own_shape(self):
        made = {name: speaker.create(later=True) for name, speaker in self.speakers.items()}
        reply = self.api.get("/v1/tasks?limit=100")
        self.assertLessEqual({"tasks", "count", "pagination"}, set(reply.json))
        listed = {task["id"]: task for task in reply.json["tasks"]}
        for name, task in made.items():
            self.assert_shape(name, listed[task])

    def test_a_task_can_be_cancelled_by_every_dialect(self):
        for maker, canceller in (("native", "asyncqueue"), ("asyncqueue", "taskmq"),
                                 ("taskmq", "asyncjobs"), ("asyncjobs", "asyncqueue")):
            with self.subTest(f"{canceller} cancels a task of {maker}"):
                task = self.speakers[maker].create(later=True)
                spelled = self.uuid(maker, task)
                if canceller == "taskmq":  # its bodies accept only numbers
                    reply = self.api.post(f"/v1/tasks/{spelled}/cancel")
                else:
                    reply = self.speakers[canceller].try_cancel(spelled)
                self.assertEqual(reply.status, 200, reply.body)
                self.assertEqual(self.speakers[maker].status(task),
                                 self.speakers[maker].words["cancelled"])

    def test_a_webhook_has_the_dialect_of_its_task(self):
        for name, speaker in self.speakers.items():
            self.receiver.requests.clear()
            task = speaker.create()
            speaker.wait_for(task, "completed")
            (request,) = self.receiver.at("/hook")
            speaker.check_webhook(request, task)

    def test_an_idempotency_key_makes_one_task_in_all_dialects(self):
        headers = {"Idempotency-Key": "one-for-all"}
        first = Native(self).try_create(later=True, headers=headers).json["id"]
        for kind in (AsyncQueue, AsyncJobs):
            again = kind(self).try_create(later=True, headers=headers)
            self.assertEqual(again.status, 200, again.body)
            self.assertEqual(again.json["id"], first)

    def test_two_kinds_of_target_are_refused_by_name(self):
        for body in ({"targetUrl": "http://a.test/", "webhook_url": "http://a.test/", "queue": "q"},
                     {"type": "email", "webhook_url": "http://a.test/"},
                     {"type": "email", "targetUrl": "http://a.test/"}):
            reply = self.api.post("/v1/tasks", body)
            self.assertEqual(reply.status, 400, reply.body)
            for key in set(body) - {"queue"}:
                self.assertIn(key, reply.json["error"]["message"])

    def test_an_unknown_id_is_answered_in_the_dialect_of_its_spelling(self):
        for spelling, kind in (("task_01h455vb4pex5vsknk084sn02q", Native), ("x", Native),
                               ("01890a5d-ac96-774b-bcce-b302099a8057", AsyncQueue),
                               ("999999999", TaskMq), ("24YUZFAAAAAAAAAAAAAAAAAAAAA", AsyncJobs)):
            for ask in (Native(self).try_get, Native(self).try_cancel):
                reply = ask(spelling)
                self.assertEqual(reply.status, 404, reply.body)
                self.speakers[kind.name].message_in(reply.json)


if __name__ == "__main__":
    unittest.main()
