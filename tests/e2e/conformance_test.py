#!/usr/bin/python3
"""The common functions of all dialects, tested in each: at its own mount and at the mount of all dialects."""

import unittest
import uuid

from harness import StackTest
from speakers import SPEAKERS

NOBODY = {
    "native": "task_01h455vb4pex5vsknk084sn02q",
    "asyncqueue": "01890a5d-ac96-774b-bcce-b302099a8057",
    "taskmq": 999_999_999,
    "asyncjobs": "24YUZFAAAAAAAAAAAAAAAAAAAAA",
}


class Conformance:
    """The cases; a class below for each dialect and mount runs them."""

    def setUp(self):
        super().setUp()
        self.speaker = self.speaker_type(self, self.mount)

    def test_creates_a_task_that_its_location_leads_to(self):
        reply = self.speaker.try_create(later=True)
        self.assertEqual(reply.status, self.speaker.created_status, reply.body)
        there = self.api.get(reply.headers["Location"].removeprefix(self.stack.url))
        self.assertEqual(there.status, 200, there.body)
        self.speaker.check_task(there.json)

    def test_shows_a_task_as_it_was_made(self):
        task = self.speaker.create(later=True)
        reply = self.speaker.try_get(task)
        self.speaker.check_task(reply.json)
        self.assertEqual(self.speaker.status(task), self.speaker.words["pending"])

    def test_lists_a_task(self):
        self.assertIn(self.speaker.create(later=True), self.speaker.listed())

    def test_cancels_only_waiting_tasks(self):
        task = self.speaker.create(later=True)
        self.assertEqual(self.speaker.try_cancel(task).status, 200)
        self.assertEqual(self.speaker.status(task), self.speaker.words["cancelled"])
        again = self.speaker.try_cancel(task)
        self.assertEqual(again.status, 409, again.body)
        self.speaker.message_in(again.json)

    def test_retries_a_failed_task(self):
        self.receiver.on("/hook", 500, 200)
        task = self.speaker.create(once=True)
        self.speaker.wait_for(task, "failed")
        self.assertEqual(self.speaker.try_retry(task).status, 200)
        self.speaker.wait_for(task, "completed")
        self.assertEqual(len(self.receiver.at("/hook")), 2)

    def test_makes_one_task_for_an_idempotency_key(self):
        key = {"Idempotency-Key": uuid.uuid4().hex}
        first = self.speaker.try_create(later=True, headers=key)
        again = self.speaker.try_create(later=True, headers=key)
        self.assertEqual(again.status, 200, again.body)
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        self.assertEqual(self.speaker.id_in(again.json), self.speaker.id_in(first.json))
        other = self.speaker.try_create("/other", later=True, headers=key)
        self.assertEqual(other.status, self.speaker.conflicting_replay, other.body)

    def test_calls_the_receiver_in_its_own_form(self):
        task = self.speaker.create()
        self.speaker.wait_for(task, "completed")
        (request,) = self.receiver.at("/hook")
        self.speaker.check_webhook(request, task)
        self.assertTrue(request.headers["webhook-signature"])

    def test_reports_an_unknown_task(self):
        for ask in (self.speaker.try_get, self.speaker.try_cancel, self.speaker.try_retry):
            reply = ask(NOBODY[self.speaker.name])
            self.assertEqual(reply.status, 404, reply.body)
            self.speaker.message_in(reply.json)

    def test_names_the_field_that_is_wrong(self):
        fields, status, field = self.speaker.bad_field
        reply = self.speaker.try_create(**fields)
        self.assertEqual(reply.status, status, reply.body)
        self.assertIn(field, self.speaker.message_in(reply.json))

    def test_refuses_requests_without_a_key(self):
        self.speaker.api = self.client()
        reply = self.speaker.try_get(NOBODY[self.speaker.name])
        self.assertEqual(reply.status, 401, reply.body)
        if self.mount:
            self.speaker.message_in(reply.json)


for _type in SPEAKERS:
    for _mount in (f"/{_type.name}", "") if _type.name != "native" else ("",):
        _name = f"{_type.__name__}{'AtItsMount' if _mount else 'Among All'.replace(' ', '')}"
        globals()[_name] = type(_name, (Conformance, StackTest), {"speaker_type": _type, "mount": _mount})


if __name__ == "__main__":
    unittest.main()
