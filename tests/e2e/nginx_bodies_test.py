#!/usr/bin/python3
"""nginx/ with bodies that somebody sends to use up memory: who may not send one is refused before it is read, and what is
on its way is held on disk and not for long."""

import contextlib
import http.client
import json
import pathlib
import socket
import unittest

from harness import StackTest, wait_until
from harness_nginx import NginxTest

MIB = 1 << 20
CLIENTS = 128
LARGE = 16 * MIB  # what /v1/tasks/batch accepts


def memory(pid):
    """Bytes of private memory of a process and its children."""
    process = pathlib.Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    children = (process / f"task/{pid}/children").read_text().split()
    return int(status["RssAnon"].split()[0]) * 1024 + sum(map(memory, children))


class Upload:
    """A POST whose body is sent in parts, each when the test says so."""

    def __init__(self, port, path, size, key=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        credential = f"Authorization: Bearer {key}\r\n" if key else ""
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{credential}"
                            f"Content-Length: {size}\r\n\r\n".encode())

    def send(self, data):
        """False when the server has closed the connection."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
            return True
        return False

    def reply(self):
        """(status, body as JSON)"""
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        return answer.status, json.loads(answer.read())

    def ends(self):
        """Waits until the server closes the connection."""
        with contextlib.suppress(ConnectionError):
            while self.socket.recv(65536):
                pass

    def close(self):
        self.socket.close()


class Strangers(StackTest):
    """Against the whole stack."""

    def uploads(self, count, key=None):
        started = [Upload(self.stack.state["http_port"], "/v1/tasks/batch", LARGE, key) for _ in range(count)]
        for upload in started:
            self.addCleanup(upload.close)
        return started

    def used(self):
        return [memory(self.stack.programs[name].pid) for name in ("nginx", "fcgi")]

    def refused(self, key, status, reason):
        before = self.used()
        uploads = []
        for _ in range(CLIENTS):  # each at once: nginx lets a client that it has answered go on for 5 s
            uploads += self.uploads(1, key)
            uploads[-1].send(b" " * MIB)
        for upload in uploads:
            told, body = upload.reply()
            self.assertEqual((told, body["error"]["details"]["reason"]), (status, reason))
        for upload in uploads[:8]:  # some go on in spite of that
            for _ in range(15):
                upload.send(b" " * MIB)
        grown = [after - was for was, after in zip(before, self.used())]
        # A connection and a request of nginx have about 20 KiB; a body would have 16 MiB.
        self.assertLess(grown[0], CLIENTS * 128 * 1024, "nginx")
        self.assertLess(grown[1], 16 * MIB, "handlers")
        self.assertEqual(self.client("read").get("/v1/tasks").status, 200)

    def test_without_a_credential_nothing_of_the_body_is_held(self):
        self.refused(None, 401, "credential_missing")

    def test_with_a_key_that_may_only_read_neither(self):
        self.refused(self.stack.state["read_key"], 403, "role_not_allowed")

    def test_a_body_of_each_size_arrives_as_it_was_sent(self):
        for size in (10, 15_000, 17_000, 100_000, 500_000):
            payload = {"text": "x" * size}
            self.receiver.requests.clear()
            task = self.create(payload=payload)
            self.receiver.wait_for(lambda requests: requests)
            self.assertEqual(self.receiver.requests[0].json["payload"], payload)
            self.finished(task)
        whole = [{"queue": "q", "webhook_url": self.receiver.url("/"), "delay": 60, "payload": "x" * 10_000}] * 1000
        self.assertEqual(self.api.post("/v1/tasks/batch", {"tasks": whole}).status, 200)


class Waiting(NginxTest):
    """Against nginx alone."""

    def upload(self, key, path="/v1/tasks/batch", size=LARGE, of=1000):
        upload = Upload(self.http, path, size, key)
        self.addCleanup(upload.close)
        upload.send(b"x" * of)
        return upload

    def wait_for_refusal(self, headers):
        """The uploads may still be on their way to nginx. Twice as many as are let in are sent, because a GET that arrives
        among them takes the place of one."""
        self.assert_error(wait_until(lambda: (reply := self.client().get("/v1/tasks", headers=headers)).status != 200
                                     and reply), 429)


class HalfSent(Waiting):
    places = {"client_body_timeout 10s;": "client_body_timeout 2s;"}

    def memory(self):
        return memory(int((self.nginx / "nginx.pid").read_text()))

    def test_they_cost_little_memory_and_end_soon(self):
        before = self.memory()
        uploads = [self.upload(self.id(), of=MIB) for _ in range(CLIENTS)]
        self.assertLess(self.memory() - before, CLIENTS * 128 * 1024)
        for upload in uploads:
            upload.ends()
        self.assertEqual(self.responder.requests, [])
        self.assertEqual(list((self.nginx / "body").iterdir()), [])

    def test_a_body_is_held_in_memory_or_in_a_file_of_its_own_and_arrives_whole(self):
        for size in (1, 16_383, 16_384, 16_385, 100_000, 512 * 1024):
            self.responder.requests.clear()
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            self.assertEqual(self.api.post("/v1/tasks", body).status, 200)
            self.assertEqual(self.responder.requests[0][1], body)


class Credentials(Waiting):
    places = {"limit_conn postern_credential_connections 512;": "limit_conn postern_credential_connections 8;"}

    def test_a_credential_has_so_many_requests_at_the_same_time_in_all_spellings(self):
        key = f"postern_{'a' * 43}"
        for number in range(16):
            self.upload(key)
        self.wait_for_refusal({"Authorization": f"Bearer {key}"})
        for headers in ({"X-API-Key": key}, {"Authorization": f"bearer   {key}"},
                        {"Authorization": f"Bearer {key}", "X-API-Key": key}):
            self.assert_error(self.client().get("/v1/tasks", headers=headers), 429)
        self.assertEqual(self.client(key=f"{key[:-1]}b").get("/v1/tasks").status, 200)
        self.assertEqual(self.client().get("/healthz").status, 200)

    def test_a_vhost_may_have_no_such_limits(self):
        for number in range(20):
            upload = Upload(self.mounted, "/queue/v1/tasks", 10, self.id())
            self.addCleanup(upload.close)
        self.assertEqual(self.client(self.mounted, key=self.id()).get("/queue/v1/tasks").status, 200)


class Addresses(Waiting):
    places = {"limit_conn postern_address_connections 512;": "limit_conn postern_address_connections 8;"}

    def test_an_address_has_so_many_whatever_the_credential(self):
        for number in range(16):
            self.upload(f"{self.id()}{number}")
        self.wait_for_refusal({"X-API-Key": self.id()})
        other = http.client.HTTPConnection("127.0.0.1", self.http, source_address=("127.0.0.2", 0))
        self.addCleanup(other.close)
        other.request("GET", "/v1/tasks")
        self.assertEqual(other.getresponse().status, 200)


if __name__ == "__main__":
    unittest.main()
