#!/usr/bin/python3
"""Failing receivers: the record of each attempt, and what the retry policy makes of it."""

import datetime
import json
import select
import socket
import subprocess
import threading
import time
import unittest

from harness import BIN, Answer, StackTest, uuid_of

SOON = {"intervals": [0.1]}  # a retry policy for tests that do not check the delay


class Receivers(StackTest):
    # Proxy variables must be ignored: nothing listens at this address.
    settings = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "ALL_PROXY")}

    def fails_once(self, answer, **fields):
        """Runs a task whose first attempt gets `answer` and whose second one a 200; returns the first record."""
        self.receiver.requests.clear()
        self.receiver.on("/hook", answer, 200)
        task = self.finished(self.create(retry_policy=SOON, **fields))
        self.assertEqual((task["status"], task["attempt_count"]), ("completed", 2), task)
        first, second = task["attempts"]
        self.assertEqual((first["status"], second["status"]), ("failed", "success"))
        self.assertEqual(len(self.receiver.requests), 2)
        return first

    def ends(self, status, reason, *answers, **fields):
        """Waits until the task is finished, checks how, and returns it."""
        self.receiver.requests.clear()
        self.receiver.on("/hook", *answers)
        task = self.finished(self.create(**fields))
        self.assertEqual((task["status"], task.get("reason")), (status, reason), task)
        self.assertEqual(len(self.receiver.at("/hook")), task["attempt_count"])
        return task

    def test_a_receiver_that_is_down_and_comes_back(self):
        with socket.socket() as receiver:
            receiver.bind(("127.0.0.1", 0))  # and does not listen
            task = self.create(webhook_url=f"http://127.0.0.1:{receiver.getsockname()[1]}/")
            self.wait_until(lambda: self.get(task)["attempts"])
            receiver.listen()
            connection, _ = receiver.accept()
            with connection:
                self.assertTrue(connection.recv(65536).startswith(b"POST / HTTP/1.1\r\n"))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                task = self.finished(task)
        first, second = task["attempts"]
        self.assertEqual((first["response_code"], first["error"]), (None, "connection refused"))
        self.assertEqual((task["status"], second["status"]), ("completed", "success"))

    def test_an_answer_after_the_timeout(self):
        first = self.fails_once(Answer(until=threading.Event()), timeout=2)
        self.assertEqual((first["response_code"], first["error"]), (None, "no answer within 2 s"))
        self.assertGreaterEqual(first["duration_ms"], 2000)
        self.assertLess(first["duration_ms"], 10_000)

    def test_an_endless_answer_is_cut(self):
        # The status counts; the body is read up to a limit, and less of it is stored.
        task = self.ends("completed", None, Answer(fault="endless"), timeout=20)
        self.assertEqual(len(task["result"]["body"]), 16 * 1024)
        self.assertLess(task["attempts"][0]["duration_ms"], 10_000)
        first = self.fails_once(Answer(503, fault="endless"), timeout=20)
        self.assertEqual(first["error"], "HTTP 503")

    def test_an_answer_shorter_than_its_content_length(self):
        first = self.fails_once(Answer(body=b"12345", fault="short"))
        self.assertEqual((first["response_code"], first["error"]),
                         (None, "the answer ended early: status 200, 5 of 1005 bytes"))

    def test_a_connection_reset(self):
        first = self.fails_once(Answer(fault="reset"))
        self.assertEqual(first["error"], "the connection was reset before an answer came")

    def test_a_redirect_is_not_followed(self):
        first = self.fails_once(Answer(302, headers={"Location": self.receiver.url("/elsewhere")}))
        self.assertEqual((first["response_code"], first["error"]), (302, "HTTP 302"))
        self.assertEqual(self.receiver.at("/elsewhere"), [])

    def test_any_bytes_in_an_answer(self):
        body = b"\x00\xff\xfe\"\\\r\n" + "😀".encode()
        task = self.ends("completed", None, Answer(201, body, {"X-Odd": "\x01 \xe9"}))
        self.assertEqual(task["result"]["response_code"], 201)
        self.assertIn("😀", task["result"]["body"])

    def test_410_ends_the_task(self):
        task = self.ends("failed", "gone", 410)
        self.assertEqual(task["attempt_count"], 1)

    def test_the_receiver_may_forbid_retries(self):
        task = self.ends("failed", "terminated", Answer(500, b"no such user", {"Postern-No-Retry": "1"}))
        self.assertEqual(task["attempt_count"], 1)
        self.assertEqual((task["last_error"], task["result"]["body"]), ("HTTP 500", "no such user"))

    def test_attempts_run_out(self):
        task = self.ends("failed", "exhausted", 500, 404, 301, 503, max_retries=3, retry_policy=SOON)
        self.assertEqual([each["response_code"] for each in task["attempts"]], [500, 404, 301, 503])
        self.assertEqual([each["number"] for each in task["attempts"]], [1, 2, 3, 4])
        self.assertEqual(task["last_error"], "HTTP 503")
        task = self.ends("failed", "exhausted", 500, max_retries=3, retry_policy="none")
        self.assertEqual(task["attempt_count"], 1)

    def test_retry_after_is_honoured(self):
        for answer in (Answer(429, headers={"Retry-After": "2"}), Answer(503, headers={"Retry-After": "1"})):
            self.fails_once(answer)
            first, second = self.receiver.requests
            asked = int(answer.headers["Retry-After"])
            self.assertGreaterEqual(second.time - first.time, asked)
            self.assertLess(second.time - first.time, asked + 10)

    def test_a_row_that_the_database_refuses_does_not_block_others(self):
        # No answer is known that PostgreSQL would refuse, so the test makes it refuse one.
        self.stack.postgres.psql("""
            CREATE FUNCTION postern.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '22021'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON postern.task_finished FOR EACH ROW
              WHEN (NEW.tags @> '{refused}') EXECUTE FUNCTION postern.refuse()""")
        self.addCleanup(self.stack.postgres.psql, "DROP FUNCTION postern.refuse CASCADE")
        release = threading.Event()
        self.addCleanup(release.set)
        self.receiver.on("/hook", Answer(until=release))
        # Four for a lane, which may begin at once.
        tasks = [self.create(queue=f"refused{number // 4}", tags=["refused"] if number % 4 == 0 else [])
                 for number in range(20)]
        self.receiver.wait_for(lambda requests: len(requests) == 20)
        release.set()
        for number, task in enumerate(tasks):
            if number % 4:
                self.assertEqual(self.finished(task)["status"], "completed")

    def test_no_start_after_the_deadline(self):
        deadline = time.time() + 3.6
        task = self.ends("failed", "deadline", 500, max_retries=10, retry_policy="fixed",
                         deadline=datetime.datetime.fromtimestamp(deadline, datetime.UTC).isoformat())
        self.assertIn(task["attempt_count"], (1, 2, 3, 4))
        # By when the last was claimed: a busy machine may take a while to deliver it.
        self.assertEqual(self.stack.postgres.psql(
            "SELECT max((made ->> 'executed_at')::timestamptz) < deadline FROM postern.task_finished, "
            f"json_array_elements(attempts) AS each(made) WHERE id = '{uuid_of(task['id'])}' GROUP BY deadline"), "t")


class Egress(StackTest):
    settings = {"POSTERN_EGRESS_ALLOW": ""}  # the default

    def test_denied_addresses_get_no_packet(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            hosts = ("127.0.0.1", "127.0.0.2", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
                     "[::]", "[64:ff9b::127.0.0.1]")
            tasks = [self.create(webhook_url=f"http://{host}:{port}/") for host in hosts]
            for task in tasks:
                for attempts in (1, 2):
                    over = self.finished(task)
                    self.assertEqual((over["status"], over["reason"], over["attempt_count"]),
                                     ("failed", "egress_denied", attempts), over)
                    if attempts == 1:  # a manual retry is denied, too
                        self.assertEqual(self.api.post(f"/v1/tasks/{task['id']}/retry").status, 200)
                        self.wait_until(lambda: self.get(task)["attempt_count"] == 2)
            self.assertEqual(select.select([listener], [], [], 0)[0], [])


class ClosedPorts(StackTest):
    settings = {"POSTERN_EGRESS_PORTS_ALLOW": "17, 4045"}

    def test_are_refused_at_every_door_although_the_address_is_allowed(self):
        for port in (22, 25, 5432, 6379, 11211):
            url = f"http://127.0.0.1:{port}/"
            self.assertEqual(self.api.request("PUT", "/v1/endpoints/closed", {"url": url}).status // 100, 2)
            for task in (self.create(webhook_url=url), self.create(webhook_url=None, endpoint="closed"),
                         self.create(webhook_url=f"http://[::ffff:127.0.0.1]:{port}/")):
                over = self.finished(task)
                self.assertEqual((over["status"], over["reason"], over["attempt_count"]), ("failed", "egress_denied", 1))
                self.assertEqual(over["last_error"], "port not allowed by the egress policy")
        caller = self.create(on_complete_url="http://127.0.0.1:22/")
        self.assertEqual(self.finished(caller)["status"], "completed")
        self.wait_until(lambda: "egress_denied" in self.stack.postgres.psql(
            "SELECT reason FROM postern.task_finished WHERE url = 'http://127.0.0.1:22/'"
            f" AND encode(body, 'escape') LIKE '%{caller['id']}%'"), 30, "the callback is refused")
        allowed = self.finished(self.create(webhook_url="http://127.0.0.1:4045/", max_retries=0))
        self.assertEqual(allowed["reason"], "exhausted")  # it was tried

    def test_the_doctor_names_endpoints_that_have_one(self):
        def egress():
            rows = json.loads(subprocess.run([BIN / "postern", "doctor", "--json"], capture_output=True, text=True,
                                             env=self.stack._environment("postgres")).stdout)
            return next(row for row in rows if row["check"] == "egress")
        for name, url in (("mail", "http://127.0.0.1:25/"), ("npp", "http://127.0.0.1:4045/"),
                          ("web", "http://127.0.0.1:8080/"), ("closed", "http://127.0.0.1/")):
            self.assertEqual(self.api.request("PUT", f"/v1/endpoints/{name}", {"url": url}).status // 100, 2)
        self.wait_until(lambda: "npp" not in egress()["finding"], 30, "the scheduler has told what it allows")
        found = egress()
        self.assertEqual((found["verdict"], found["finding"]), ("WRONG", "closed: default/mail (25, smtp)"))
        self.assertEqual(self.api.delete("/v1/endpoints/mail").status // 100, 2)
        self.assertEqual(egress()["verdict"], "ok")


if __name__ == "__main__":
    unittest.main()
