"""HTTP clients that others wrote, with one interface.

A client is a program that reads a line for each request, "METHOD URL HEADERS BODY", and prints one for each reply,
"STATUS VERSION HEADERS BODY", or "error TEXT - -". Headers (as lines "Name: value"), bodies and texts are in base64, "-" when
empty; a request's body may be "size:N". So each sends its requests over the connections that it keeps.
"""

import base64
import dataclasses
import email.message
import json
import subprocess
import tempfile

import tools


@dataclasses.dataclass
class Reply:
    status: int  # 0: the client had an error, and `body` is its text
    version: str
    headers: email.message.Message
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status or 'error'} {self.body[:300]!r}"


def encoded(data):
    return base64.b64encode(data).decode() or "-"


def decoded(text):
    return b"" if text == "-" else base64.b64decode(text)


def parsed(lines):
    headers = email.message.Message()
    for line in lines.splitlines():
        name, _, value = line.partition(": ")
        headers[name] = value
    return headers


class Lines:
    """A client that is a program. `command(ca, version)` returns what runs it."""

    def __init__(self, name, version, command, environment=None):
        self.name, self.version, self.command = f"{name}, HTTP/{version}", version, command
        self.environment = environment or (lambda ca: {})

    def ask(self, requests, ca, timeout=200):
        """The replies to requests (method, url, headers, body: bytes, None or a size)."""
        text = ""
        for method, url, headers, body in requests:
            told = encoded("".join(f"{name}: {value}\n" for name, value in headers.items()).encode())
            sent = f"size:{body}" if isinstance(body, int) else encoded(body or b"")
            text += f"{method} {url} {told} {sent}\n"
        replies = []
        for line in tools.run(self.command(str(ca), self.version), text, timeout, env=self.environment(str(ca))):
            status, version, headers, body = line.split(" ")
            if status == "error":
                replies.append(Reply(0, "", parsed(""), decoded(version)))
            else:
                replies.append(Reply(int(status), version, parsed(decoded(headers).decode("latin-1")), decoded(body)))
        if len(replies) != len(requests):
            raise AssertionError(f"{self.name}: {len(replies)} replies to {len(requests)} requests")
        return replies


class Curl:
    """curl, which is on every machine; a process for each request."""

    def __init__(self, version):
        self.name, self.version = f"curl, HTTP/{version}", version

    def ask(self, requests, ca, timeout=200):
        return [self.one(*request, ca, timeout) for request in requests]

    def one(self, method, url, headers, body, ca, timeout):
        with tempfile.TemporaryDirectory() as folder:
            command = ["curl", "-sS", "--cacert", str(ca), "--max-time", "60", "-X", method, "-D", f"{folder}/headers",
                       "-o", f"{folder}/body", "-w", "%{http_code} %{http_version}",
                       {"1.1": "--http1.1", "2": "--http2"}[self.version]]
            for name, value in headers.items():
                command += ["-H", f"{name}: {value}"]
            if body is not None:
                command += ["--data-binary", "@-"]
            sent = b"x" * body if isinstance(body, int) else body
            done = subprocess.run([*command, url], input=sent, capture_output=True, timeout=timeout)
            if done.returncode:
                return Reply(0, "", parsed(""), done.stderr)
            status, version = done.stdout.decode().split()
            with open(f"{folder}/headers", encoding="latin-1") as lines, open(f"{folder}/body", "rb") as content:
                return Reply(int(status), version, parsed(lines.read()), content.read())


def of_python(library):
    return lambda ca, version: tools.python("fetch.py", library, ca, version)


CLIENTS = (
    Curl("1.1"),
    Curl("2"),
    Lines("requests", "1.1", of_python("requests")),
    Lines("httpx", "1.1", of_python("httpx")),
    Lines("httpx", "2", of_python("httpx")),
    Lines("Go", "1.1", lambda ca, version: tools.go("fetch", ca, version)),
    Lines("Go", "2", lambda ca, version: tools.go("fetch", ca, version)),
    Lines("Java", "1.1", lambda ca, version: tools.java("Fetch", ca, version)),
    Lines("Java", "2", lambda ca, version: tools.java("Fetch", ca, version)),
    Lines("Node.js", "1.1", lambda ca, version: tools.node("fetch.mjs", version), lambda ca: {"NODE_EXTRA_CA_CERTS": ca}),
    Lines("Node.js", "2", lambda ca, version: tools.node("fetch.mjs", version), lambda ca: {"NODE_EXTRA_CA_CERTS": ca}),
)
