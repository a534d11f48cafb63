#!/usr/bin/python3
"""Webhooks of all dialects, as the scheduler delivers them, verified by Standard Webhooks' own libraries.

A verifier reads lines of five fields in base64, separated by spaces: secret, webhook-id, webhook-timestamp,
webhook-signature, body. It prints "ok" for each, or the library's complaint.
"""

import base64

import tools
from harness import StackTest
from speakers import SPEAKERS

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
MOUNTS = {"native": "", "asyncqueue": "/asyncqueue", "taskmq": "/taskmq", "asyncjobs": "/asyncjobs"}
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


class Libraries(StackTest):
    """A test for each library; all read the same webhooks."""

    maxDiff = None
    cases = None  # (what it is, secret, headers, body, whether it is to be accepted)

    @classmethod
    def tearDownClass(cls):
        cls.cases = None

    def setUp(self):
        super().setUp()
        if self.cases is None:
            type(self).cases = self.deliver()

    def webhooks(self):
        """(dialect, request) for a task of each dialect."""
        for speak in SPEAKERS:
            path = f"/{speak.name}"
            seen = len(self.receiver.at(path))
            speak(self, MOUNTS[speak.name]).create(path)
            self.receiver.wait_for(lambda _: len(self.receiver.at(path)) > seen)
            yield speak.name, self.receiver.at(path)[-1]

    def texts(self):
        """Webhooks whose body is not ASCII, not JSON, or empty."""
        for number, fields in enumerate(({"payload": {"to": "ä\u0000😀"}}, {"body": "not JSON: é\r\n"}, {"body": ""},
                                         {"method": "GET"})):
            path = f"/text{number}"
            self.create(webhook_url=self.receiver.url(path), **fields)
            yield f"text {number}", self.receiver.wait_for(lambda _: self.receiver.at(path)) and self.receiver.at(path)[0]

    def deliver(self):
        secret = self.stack.postern("secret", "show")["secret"]
        cases = []
        for what, request in [*self.webhooks(), *self.texts()]:
            self.receiver.wait_for(lambda requests: requests)
            headers, body = request.headers, request.body
            later = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}
            other = {**headers, "webhook-id": headers["webhook-id"] + "x"}
            long_ago = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 600)}
            cases += [
                (f"{what}", secret, headers, body, True),
                (f"{what}, body changed", secret, headers, body + b".", False),
                (f"{what}, another time", secret, later, body, False),
                (f"{what}, another id", secret, other, body, False),
                (f"{what}, long ago", secret, long_ago, body, False),
                (f"{what}, another secret", OTHER_SECRET, headers, body, False),
            ]
        new = self.stack.postern("secret", "rotate", "--overlap", "1h")["secret"]
        for what, request in self.webhooks():
            for whose, key in (("new", new), ("old", secret)):
                cases += [
                    (f"{what} in a rotation, {whose} secret", key, request.headers, request.body, True),
                    (f"{what} in a rotation, {whose} secret, body changed", key, request.headers, request.body + b" ", False),
                ]
        newest = self.stack.postern("secret", "rotate", "--force")["secret"]
        for what, request in self.webhooks():
            cases += [(f"{what} after it, {whose} secret", key, request.headers, request.body, good)
                      for whose, key, good in (("newest", newest, True), ("new", new, True), ("old", secret, False))]
        return cases

    def judge(self, command):
        lines = []
        for _, secret, headers, body, _ in self.cases:
            fields = [secret.encode(), *(headers[name].encode() for name in HEADERS), body]
            lines.append(" ".join(base64.b64encode(field).decode() for field in fields))
        said = tools.run(command, "\n".join(lines) + "\n")
        self.assertEqual(len(said), len(self.cases))
        wrong = [(what, verdict) for (what, *_, good), verdict in zip(self.cases, said, strict=True)
                 if (verdict == "ok") != good]
        self.assertEqual(wrong, [])
        self.assertGreater(len({verdict for verdict in said}), 1, said)

    def test_python(self):
        self.judge(tools.python("verify.py"))

    def test_javascript(self):
        self.judge(tools.node("verify.cjs"))

    def test_go(self):
        self.judge(tools.go("verify"))

    def test_java(self):
        self.judge(tools.java("Verify"))


if __name__ == "__main__":
    tools.main()
