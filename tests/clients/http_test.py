#!/usr/bin/python3
"""The API over TLS by HTTP clients that others wrote, over HTTP/1.1 and HTTP/2: each gets each answer, at the mount of
each dialect in that dialect's form."""

import json

import tools
from harness import StackTest
from harness_nginx import NginxTest
from http_clients import CLIENTS
from speakers import SPEAKERS

MOUNTS = {"native": "", "asyncqueue": "/asyncqueue", "taskmq": "/taskmq", "asyncjobs": "/asyncjobs"}
NOBODY = {"native": "task_01h455vb4pex5vsknk084sn02q", "asyncqueue": "01890a5d-ac96-774b-bcce-b302099a8057",
          "taskmq": "999999999", "asyncjobs": "24YUZFAAAAAAAAAAAAAAAAAAAAA"}
KIB = 1024
TOO_LARGE = 600 * KIB  # of a body for one task
MOST_UNREAD = 1000 * KIB  # what http2_body_preread_size in nginx/tls.conf lets a client send in any case


def for_each_client(test_case):
    """Adds test_NAME for each client to the class, which runs check(client)."""
    for client in CLIENTS:
        def test(self, client=client):
            self.check(client)
        setattr(test_case, f"test_{client.name.replace(', HTTP/', '_').replace('.', '_').lower()}", test)
    return test_case


@for_each_client
class Answers(StackTest):
    def check(self, client):
        self.client_program = client
        speakers = [speak(self, MOUNTS[speak.name]) for speak in SPEAKERS]
        large = {"queue": "large", "webhook_url": self.receiver.url("/"), "delay": 3600, "payload": {"text": 400 * KIB * "x"}}
        batch = {"tasks": [{**large, "payload": {"text": 4000 * "x"}}] * 500}
        asked = [("POST", "/v1/tasks", large, {}), ("POST", "/v1/tasks/batch", batch, {})]
        asked += [("POST", self.path_of(speaker), speaker.creation("/hook", True, False), {}) for speaker in speakers]
        whole, many, *made = self.ask(asked)
        for speaker, reply in zip(speakers, made, strict=True):
            self.assertEqual(reply.status, speaker.created_status, f"{speaker.name}: {reply}")
            self.assertTrue(reply.headers["Location"], speaker.name)
        self.assertEqual((whole.status, many.status), (201, 200), f"{whole} {many}")
        self.assertEqual(whole.json["payload"], large["payload"])
        cases = [case for speaker, reply in zip(speakers, made, strict=True) for case in self.cases(speaker, reply)]
        replies = self.ask([case[:4] for case in cases])
        for (method, path, _, headers, status, look), reply in zip(cases, replies, strict=True):
            with self.subTest(f"{method} {path} {headers}"):
                self.assertEqual(reply.status, status, reply)
                self.assertEqual(reply.headers.get_content_type(), "application/json")
                self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(reply.headers["Strict-Transport-Security"], "max-age=31536000")
                look(reply.json)

    @staticmethod
    def path_of(speaker):
        return f"{speaker.mount}/add-job" if speaker.name == "taskmq" else speaker.tasks

    def cases(self, speaker, made):
        """(method, path, body, headers, status, what looks at the answer) at the speaker's mount."""
        creates, creation = self.path_of(speaker), speaker.creation("/hook", True, False)
        task = speaker.id_in(made.json)
        one = f"{speaker.mount}/job/" if speaker.name == "taskmq" else f"{creates}/"
        fields, status, _ = speaker.bad_field
        is_error = speaker.message_in
        yield "GET", f"{one}{task}", None, {}, 200, speaker.check_task
        if speaker.name != "taskmq":
            few = "?queue=PAUSED&limit=1000" if speaker.name == "asyncjobs" else ""  # it lists the oldest first
            yield "GET", creates + few, None, {}, 200, lambda body: self.assertIn(task, map(speaker.id_of, body["tasks"]))
        yield "POST", creates, creation | fields, {}, status, is_error
        yield "POST", creates, b"{", {}, status, is_error
        yield "GET", f"{one}{NOBODY[speaker.name]}", None, {}, 404, is_error
        yield "GET", f"{speaker.mount}/v1/nothing/here", None, {}, 404, is_error
        yield "PUT", creates, creation, {}, 405, is_error
        yield "POST", creates, TOO_LARGE, {}, 413, is_error
        yield "POST", creates, creation, {"Content-Encoding": "gzip"}, 415, is_error
        for body in (creation, 500 * KIB):
            yield "POST", creates, body, {"Authorization": "Bearer postern_wrong"}, 401, is_error
        yield "GET", f"{one}{task}", None, {"Authorization": "Bearer postern_wrong"}, 401, is_error

    def ask(self, asked):
        requests = []
        for method, path, body, headers in asked:
            told = {"Authorization": f"Bearer {self.stack.state['admin_key']}", "Content-Type": "application/json"}
            requests.append((method, self.stack.tls_url + path, told | headers,
                             json.dumps(body).encode() if isinstance(body, (dict, list)) else body))
        replies = self.client_program.ask(requests, self.stack.certificate)
        self.assertEqual({reply.version for reply in replies if reply.status}, {self.client_program.version})
        return replies


@for_each_client
class Refusals(NginxTest):
    """A body that nginx does not read must not keep its sender from the answer. Some clients (httpx, Java's) send all of it
    before they look at an answer; over HTTP/2 they can only if nginx has let them beforehand."""

    def check(self, client):
        url = f"https://localhost:{self.tls}/v1/tasks"
        known, unknown = {"Authorization": f"Bearer {self.id()}"}, {"Authorization": f"Bearer {self.id()}-unknown"}
        asked = [("POST", url, known, size) for size in (512 * KIB + 1, TOO_LARGE, MOST_UNREAD)]
        asked += [("POST", f"https://localhost:{self.tls}/nothing", known, 500 * KIB), ("POST", f"{url}?", {**known, "Content-Encoding": "gzip"}, 500 * KIB),
                  ("GET", url, known, None)]
        replies = client.ask(asked, self.certificate)
        self.assertEqual([reply.status for reply in replies], [413, 413, 413, 404, 415, 200], list(map(str, replies)))
        for reply in replies[:5]:
            self.assertEqual(reply.json["error"]["code"][:7], {413: "payload", 404: "not_fou"}.get(reply.status, "invalid"))
        type(self).verdict = "missing"
        replies = client.ask([("POST", f"{url}/batch", unknown, size) for size in (500 * KIB, MOST_UNREAD)],
                             self.certificate)
        self.assertEqual([reply.status for reply in replies], [401, 401], list(map(str, replies)))
        self.assertEqual(replies[0].json["error"]["details"]["reason"], "credential_missing")


if __name__ == "__main__":
    tools.main()
