"""An HTTP server on loopback that records every request and gives the answers set for a path.

    receiver = Receiver()
    receiver.on("/hook", 500, 500, 200)         # in this order; the last one stays
    receiver.on("/slow", Answer(delay=2))
    receiver.wait_for(lambda requests: len(requests) == 3, timeout=10)
"""

import dataclasses
import http.server
import json
import socket
import struct
import threading
import time

import leaks


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    delay: float = 0  # seconds
    until: threading.Event = None  # answers when it is set; never if it is not
    fault: str = None  # "reset", "short" (less than its Content-Length) or "endless"


@dataclasses.dataclass
class Request:
    time: float  # of the monotonic clock, when the body had arrived
    method: str
    path: str
    headers: object  # http.client.HTTPMessage: like a dict with keys in any case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Receiver:
    """Answers 200 with an empty body until `on` says otherwise."""

    def __init__(self, on_request=None, port=0, address="127.0.0.1"):
        self.address = address
        self.requests = []
        self._answers = {}
        self._on_request = on_request
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._server = _Server((address, port), _Handler)
        self._server.receiver = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True,
                         kwargs={"poll_interval": 0.05}).start()

    def url(self, path="/"):
        return f"http://{self.address}:{self.port}{path}"

    def on(self, path, *answers):
        """Sets the answers of `path` (a number is a status), used in turn; the last one stays."""
        with self._changed:
            self._answers[path] = [a if isinstance(a, Answer) else Answer(a) for a in answers]

    def at(self, path):
        """The requests for `path` so far."""
        with self._changed:
            return [request for request in self.requests if request.path == path]

    def wait_for(self, predicate, timeout=30):
        """Waits until predicate(requests) is true and returns the requests."""
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self.requests), timeout):
                came = ", ".join(f"{r.method} {r.path}" for r in self.requests[-20:])
                raise AssertionError(
                    f"not within {timeout} s; {len(self.requests)} requests came, last: {came}")
            return list(self.requests)

    def close(self):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _record(self, request):
        leaks.learn_url(request.headers.get("Postern-Complete-Url", ""))
        with self._changed:
            self.requests.append(request)
            answers = self._answers.get(request.path, [Answer()])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self._changed.notify_all()
        if self._on_request:
            self._on_request(request)
        return answer

    def _wait(self, answer):
        """False when the receiver was closed in the meantime."""
        if answer.delay and self._closing.wait(answer.delay):
            return False
        while answer.until and not answer.until.wait(0.05):
            if self._closing.is_set():
                return False
        return True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass  # a client that closed its connection; tests only need the recorded requests


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = receiver._record(
            Request(time.monotonic(), self.command, self.path, self.headers, body))
        if not receiver._wait(answer):
            self.close_connection = True
        elif answer.fault == "reset":
            # Closing with a linger time of 0 sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        else:
            self.send(answer)

    def send(self, answer):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) + (1000 if answer.fault == "short" else 0)
        if answer.fault != "endless" and answer.status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection |= answer.fault is not None
        while answer.fault == "endless" and not self.server.receiver._closing.is_set():
            self.wfile.write(bytes(65536))  # until the client closes the connection and this fails

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def log_message(self, *arguments):
        pass
