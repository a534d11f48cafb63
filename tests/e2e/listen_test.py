#!/usr/bin/python3
"""`postern listen`, which shows webhooks as their receiver gets them, and `postern verify`, which checks signatures.

The listener needs no database; only the last class starts a stack.
"""

import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import queue
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from harness import BIN, StackTest

REPO = pathlib.Path(__file__).resolve().parents[2]
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDa1gvfuykAGM="
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}


def postern(*arguments, stdin=b"", **environment):
    """Runs the command; returns its exit code and its output in bytes."""
    return subprocess.run([BIN / "postern", *map(str, arguments)], input=stdin, timeout=30, check=False,
                          capture_output=True, env={**ENVIRONMENT, **environment})


def sign(body, key=KEY, sent=None, id="msg_1"):
    sent = str(int(time.time()) if sent is None else sent)
    digest = hmac.digest(key, f"{id}.{sent}.".encode() + body, hashlib.sha256)
    return {"webhook-id": id, "webhook-timestamp": sent,
            "webhook-signature": "v1," + base64.b64encode(digest).decode()}


def verify(headers, body, *options, secret=SECRET):
    """The exit code and the verdict."""
    done = postern("verify", "--json", "--id", headers["webhook-id"], "--timestamp", headers["webhook-timestamp"],
                   "--signature", headers["webhook-signature"], *options, stdin=body, POSTERN_WEBHOOK_SECRET=secret)
    return done.returncode, json.loads(done.stdout)


class Listening:
    """A running `postern listen` on a free port; `lines` is its output so far."""

    def __init__(self, test, *options, **environment):
        self.process = subprocess.Popen(
            [BIN / "postern", "listen", "--bind", "127.0.0.1:0", *options], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**ENVIRONMENT, **environment})
        test.addCleanup(self._end)
        first = self.process.stderr.readline().decode()
        self.port = int(re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", first)[1])
        self._lines = queue.Queue()
        self._readers = [
            threading.Thread(target=lambda: [self._lines.put(line) for line in self.process.stdout]),
            threading.Thread(target=self.process.stderr.read)]
        for reader in self._readers:
            reader.start()

    def line(self):
        return self._lines.get(timeout=30)

    def request(self):
        return json.loads(self.line())

    def client(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def post(self, path="/", body=b"", headers=()):
        client = self.client()
        client.request("POST", path, body, dict(headers))
        answer = client.getresponse()
        answer.text = answer.read()
        client.close()
        return answer

    def raw(self, data):
        """The whole answer to these bytes, until the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def ended(self):
        """Waits for the end of the program and returns its exit code."""
        return self.process.wait(timeout=30)

    def _end(self):
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


class Options(unittest.TestCase):
    def test_a_wrong_argument_is_named(self):
        right = ("--id", "a", "--timestamp", "1", "--signature", "v1,a", "--secret", SECRET)
        for option, *arguments in (
                ("--bind", "listen", "--bind", "8081"), ("--bind", "listen", "--bind", "host.example:80"),
                ("--bind", "listen", "--bind", "127.0.0.1:65536"), ("--bind", "listen", "--bind", "127.0.0.1:"),
                ("--unsafe-bind", "listen", "--bind", "0.0.0.0:0"), ("--unsafe-bind", "listen", "--bind", "[::]:0"),
                ("--status", "listen", "--status", ""), ("--status", "listen", "--status", "199"),
                ("--status", "listen", "--status", "200,"), ("--status", "listen", "--status", "ok"),
                ("--header", "listen", "--header", "Retry-After"), ("--header", "listen", "--header", ": 1"),
                ("--header", "listen", "--header", "A: 1\r\nB: 2"), ("--header", "listen", "--header", "a b: 1"),
                ("--header", "listen", "--header", "content-length: 1"),
                ("--delay", "listen", "--delay", "-1s"), ("--delay", "listen", "--delay", "soon"),
                ("--max", "listen", "--max", "0"), ("--max", "listen", "--max", "many"),
                ("--secret", "listen", "--secret", "whsec_short"),
                ("--secret-file", "listen", "--secret-file", "/none"), ("--loud", "listen", "--loud"),
                ("--id", "verify", *right[2:]), ("--timestamp", "verify", *right[:2], *right[4:]),
                ("--signature", "verify", *right[:4], *right[6:]), ("--secret", "verify", *right[:6]),
                ("--secret-file", "verify", *right[:6], "--secret-file", "/tmp"),
                ("--body-file", "verify", *right, "--body-file", "/none"),
                ("--body-file", "verify", *right, "--body-file", "/tmp"),
                ("--tolerance", "verify", *right, "--tolerance", "5 minutes")):
            with self.subTest(arguments=arguments):
                done = postern(*arguments)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(option, done.stderr.decode())
                self.assertEqual(done.stdout, b"")

    def test_an_address_in_use(self):
        listening = Listening(self)
        done = postern("listen", "--bind", f"127.0.0.1:{listening.port}")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{listening.port}: Address already in use", done.stderr.decode())


class Verify(unittest.TestCase):
    def test_accepts_the_secret_from_every_source(self):
        body = b'{"a": 1}\n\x00\xff'
        headers = sign(body)
        with tempfile.NamedTemporaryFile() as secret, tempfile.NamedTemporaryFile() as text:
            secret.write(f"{SECRET}\nanother line".encode())
            secret.flush()
            text.write(body)
            text.flush()
            self.assertEqual(verify(headers, body)[0], 0)
            self.assertEqual(verify(headers, b"", "--body-file", text.name)[0], 0)
            self.assertEqual(verify(headers, body, "--secret-file", secret.name, secret="wrong")[0], 0)
            self.assertEqual(verify(headers, body, "--secret", SECRET, secret="wrong")[0], 0)

    def test_names_the_part_that_is_wrong(self):
        now = int(time.time())
        for reason, headers, options in (
                ("timestamp_too_old", sign(b"a", sent=now - 1000), ()),
                ("timestamp_too_old", sign(b"a", sent=now - 1000), ("--tolerance", "10m")),
                ("timestamp_too_new", sign(b"a", sent=now + 1000), ()),
                ("timestamp_invalid", sign(b"a", sent="now"), ()),
                ("signature_missing", {**sign(b"a"), "webhook-signature": "v2,abc"}, ()),
                ("signature_mismatch", {**sign(b"a"), "webhook-id": "msg_2"}, ()),
                ("secret_invalid", sign(b"a"), ("--secret", SECRET.removeprefix("whsec_")))):
            code, verdict = verify(headers, b"a", *options)
            self.assertEqual((code, verdict["valid"], verdict["reason"]), (1, False, reason), verdict)
        for tolerance in ("20m", "0"):
            self.assertEqual(verify(sign(b"a", sent=now - 1000), b"a", "--tolerance", tolerance)[0], 0)
        self.assertRegex(verify(sign(b"a", sent=now - 1000), b"a")[1]["message"], r" 10\d\d s old, and 300 s")

    def test_names_the_usual_mistake(self):
        spaced, compact = b'{"a": "\xc3\xa4", "b": [1, 2.0]}', b'{"a":"\xc3\xa4","b":[1,2.0]}'
        for mistake, signed, body, key in (
                ("newline_lost", b"a\n", b"a", KEY), ("newline_added", b"a", b"a\n", KEY),
                ("line_ends_changed", b"a\r\nb", b"a\nb", KEY),
                ("json_reserialized", spaced, compact, KEY), ("json_reserialized", compact, spaced, KEY),
                ("json_reserialized", compact, json.dumps(json.loads(spaced), indent=2).encode(), KEY),
                ("secret_as_text", b"a", b"a", SECRET.removeprefix("whsec_").encode()),
                ("secret_with_prefix", b"a", b"a", SECRET.encode()),
                (None, b"a", b"b", KEY)):
            code, verdict = verify(sign(signed, key), body)
            self.assertEqual((code, verdict["reason"], verdict["mistake"]), (1, "signature_mismatch", mistake))
            self.assertTrue(verdict["advice"])

    def test_prints_text_for_people(self):
        headers = sign(b"a")
        for body, code, beginning in ((b"a", 0, "valid: "), (b"a\n", 1, "INVALID: ")):
            done = postern("verify", "--id", "msg_1", "--timestamp", headers["webhook-timestamp"],
                           "--signature", headers["webhook-signature"], stdin=body, POSTERN_WEBHOOK_SECRET=SECRET)
            self.assertEqual(done.returncode, code)
            self.assertTrue(done.stdout.decode().startswith(beginning), done.stdout)


class Listen(unittest.TestCase):
    def test_gives_the_requested_answers_in_turn(self):
        listening = Listening(self, "--status", "500,204,200", "--header", "Retry-After: 5", "--header",
                              "Postern-No-Retry: 1", "--body", "text", "--max", "4")
        answers = [listening.post() for _ in range(4)]
        self.assertEqual([(answer.status, answer.text) for answer in answers],
                         [(500, b"text"), (204, b""), (200, b"text"), (200, b"text")])
        self.assertEqual([(answer.headers["Retry-After"], answer.headers["Postern-No-Retry"]) for answer in answers],
                         4 * [("5", "1")])
        self.assertIsNone(answers[1].headers["Content-Length"])
        self.assertEqual(listening.ended(), 0)

    def test_a_connection_is_kept(self):
        listening = Listening(self, "--json")
        client = listening.client()
        self.addCleanup(client.close)
        for method in ("POST", "GET", "HEAD", "PUT", "DELETE", "X-OWN"):
            client.request(method, "/a?b=c", b"body" if method == "POST" else None)
            before = client.sock
            answer = client.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b""))
            self.assertIs(client.sock, before)
            request = listening.request()
            self.assertEqual((request["method"], request["path"]), (method, "/a?b=c"))
            self.assertIsNone(request["verdict"])

    def test_expect_100_continue_is_answered(self):
        listening = Listening(self)
        with socket.create_connection(("127.0.0.1", listening.port), timeout=30) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
            self.assertEqual(connection.recv(65536), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b"a")
            self.assertEqual(connection.recv(12), b"HTTP/1.1 200")

    def test_answers_many_connections_at_once(self):
        listening = Listening(self, "--delay", "1s", "--json", "--max", "200")
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(lambda i: listening.post(f"/{i}").status, range(200)))
        self.assertEqual(answers, 200 * [200])
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assertEqual({listening.request()["path"] for _ in range(200)}, {f"/{i}" for i in range(200)})
        self.assertEqual(listening.ended(), 0)

    def test_shows_whether_the_signature_is_valid(self):
        listening = Listening(self, "--json", POSTERN_WEBHOOK_SECRET=SECRET)
        for body, signed, expected in ((b"a", b"a", (True, None)), (b"a", b"a\n", (False, "newline_lost")),
                                       (b"\xff", b"\xff", (True, None))):
            listening.post("/", body, sign(signed))
            request = listening.request()
            self.assertEqual((request["verdict"]["valid"], request["verdict"]["mistake"]), expected)
            self.assertEqual(request.get("body", "").encode() or base64.b64decode(request["body_base64"]), body)
        listening.post()
        self.assertEqual(listening.request()["verdict"]["reason"], "id_missing")

    def test_malformed_http_is_refused_without_a_crash(self):
        listening = Listening(self, "--json")
        for data, status in (
                (b"", None), (b"GET / HT", None), (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc", None),
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400), (b"garbage\r\n\r\n", 400),
                (random.Random(1).randbytes(1_000_000), 400), (b"\r\n" * 100_000, 400),
                (b"GET / HTTP/1.1\r\nA: " + 100_000 * b"a" + b"\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n: b\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nContent-Length: 16777217\r\n\r\n", 413),
                (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400),
                (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1000001\r\n" + bytes(0x1000001), 413)):
            with self.subTest(data=data[:60]):
                answer = listening.raw(data)
                self.assertEqual(answer[:12], f"HTTP/1.1 {status}".encode() if status else b"")
        body = bytes(16 * 1024 * 1024)
        self.assertEqual(listening.post("/alive", body).status, 200)
        request = listening.request()
        self.assertEqual((request["path"], len(request["body"])), ("/alive", len(body)))

    def test_prints_no_terminal_control_sequences(self):
        steering = b"\x1b]0;title\x07\x1b[2J\r\x7f\xc2\x9b31m\xe2\x80\xae\xff"
        for options in ((), ("--json",)):
            listening = Listening(self, *options, "--max", "1", POSTERN_WEBHOOK_SECRET=SECRET)
            listening.raw(b"POST /\xc2\x9b HTTP/1.1\r\nX-Own: a\xc2\x9bb\xe2\x80\xae\xff\r\nwebhook-id: \xc2\x9b\r\n"
                          b"Content-Length: %d\r\n\r\n" % (2 * len(steering) + 1) + steering + b"\n" + steering)
            self.assertEqual(listening.ended(), 0)
            printed = b""
            while not printed.endswith(b"}\n" if options else b"\n\n"):
                printed += listening.line()
            self.assertNotRegex(printed, rb"[\x00-\x09\x0b-\x1f\x7f\xff]|\xc2[\x80-\x9f]|\xe2\x80\xae")

    def test_the_headers_that_matter_come_first(self):
        listening = Listening(self, "--max", "1", POSTERN_WEBHOOK_SECRET=SECRET)
        listening.post("/hook", b"one\ntwo", {"A": "b", "Postern-Attempt": "1", **sign(b"one\ntwo")})
        printed = "".join(listening.line().decode() for _ in range(12))
        self.assertRegex(printed, r"(?s)POST /hook.*signature valid: .*webhook-id: msg_1\n.*"
                                  r"Postern-Attempt: 1\n.*A: b\n.*  \| one\n  \| two\n")

    def test_a_signal_ends_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            listening = Listening(self, "--delay", "1h", "--json")
            with socket.create_connection(("127.0.0.1", listening.port), timeout=30) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
                listening.request()
                listening.process.send_signal(number)
                self.assertEqual(listening.ended(), 0)


class Webhook(StackTest):
    """The webhook of a real task, received by `postern listen`."""

    def setUp(self):
        super().setUp()
        self.secret = self.stack.postern("secret", "show")["secret"]
        self.listening = Listening(self, "--json", "--status", "503,200", POSTERN_WEBHOOK_SECRET=self.secret)
        self.url = f"http://127.0.0.1:{self.listening.port}/hook"

    def test_is_retried_and_verified(self):
        task = self.create(webhook_url=self.url, payload={"to": "ä"}, headers={"X-Own": "yes"}, retry_policy="fixed")
        for attempt in ("1", "2"):
            request = self.listening.request()
            headers = request["headers"]
            self.assertEqual((headers["postern-attempt"], headers["x-own"]), (attempt, "yes"))
            self.assertEqual(json.loads(request["body"])["payload"], {"to": "ä"})
            self.assertTrue(request["verdict"]["valid"], request)
            self.assertEqual(verify(headers, request["body"].encode(), secret=self.secret)[0], 0)
            parsed = json.loads(request["body"])
            for again in (json.dumps(parsed), json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))):
                self.assertEqual(verify(headers, again.encode(), secret=self.secret)[1]["mistake"],
                                 "json_reserialized")
        self.assertEqual(self.finished(task)["status"], "completed")

    def test_the_documented_receivers_verify_it(self):
        self.create(webhook_url=self.url, payload={"to": "ä"})
        request = self.listening.request()
        headers, body = request["headers"], request["body"]
        stale = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
        rotated = {**headers, "webhook-signature": "v1,b3RoZXI= " + headers["webhook-signature"]}
        old = sign(body.encode(), base64.b64decode(self.secret.removeprefix("whsec_")), sent=1)
        cases = [(self.secret, headers, body), (self.secret, rotated, body), (SECRET, headers, body),
                 (self.secret, headers, body + "\n"), (self.secret, stale, body), (self.secret, old, body)]
        page = (REPO / "docs/receivers.md").read_text()
        for language, command, call in (
                ("python", ["/usr/bin/python3", "-c"],
                 "import json, sys\n"
                 "print(json.dumps([verify(s, h, b.encode()) for s, h, b in json.loads(sys.argv[1])]))"),
                ("js", ["node", "-e"],
                 "const cases = JSON.parse(process.argv[1]);\n"
                 "console.log(JSON.stringify(cases.map(([s, h, b]) => verify(s, h, Buffer.from(b)))));")):
            code = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]
            done = subprocess.run([*command, f"{code}\n{call}", json.dumps(cases)], capture_output=True, text=True,
                                  check=True)
            self.assertEqual(json.loads(done.stdout), [True, True, False, False, False, False], language)


if __name__ == "__main__":
    unittest.main()
