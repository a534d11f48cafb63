"""A FastCGI responder that records nginx's requests, to test nginx/ without the handlers."""

import contextlib
import os
import socket
import struct
import threading

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT = 1, 2, 3, 4, 5, 6


class Responder:
    """Listens on a Unix socket. `answer(params, body)` returns the CGI answer."""

    def __init__(self, path, answer):
        self.path = path
        self.answer = answer
        self.requests = []  # (params, body), without those to the authenticator
        self.auth_requests = []  # params
        self.silent = False
        self.start()

    def start(self):
        self.connections = set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def stop(self):
        """Closes all connections and refuses new ones; start() accepts them again."""
        os.unlink(self.path)
        for end in (self.listener, *self.connections):
            with contextlib.suppress(OSError):  # the peer closed first
                end.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    @contextlib.contextmanager
    def silence(self):
        """Accepts requests and does not answer them."""
        self.silent = True
        yield
        self.silent = False

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        params = body = b""
        with connection, connection.makefile("rb") as stream:
            while len(header := stream.read(8)) == 8:
                _, kind, request_id, length, padding = struct.unpack("!BBHHBx", header)
                content = stream.read(length)
                stream.read(padding)
                if kind == BEGIN:
                    params = body = b""
                elif kind == PARAMS:
                    params += content
                elif kind == STDIN and content:
                    body += content
                elif kind == STDIN:
                    try:
                        self._respond(connection, request_id, decode(params), body)
                    except OSError:  # nginx closed the connection before
                        return

    def _respond(self, connection, request_id, params, body):
        if params.get("POSTERN_SERVICE") == "auth":
            self.auth_requests.append(params)
        else:
            self.requests.append((params, body))
        if self.silent:
            return
        text = self.answer(params, body).encode()
        record = struct.Struct("!BBHHBx")
        connection.sendall(
            record.pack(1, STDOUT, request_id, len(text), 0) + text
            + record.pack(1, STDOUT, request_id, 0, 0)
            + record.pack(1, END, request_id, 8, 0) + bytes(8))


def decode(data):
    """FastCGI name-value pairs as a dict of text."""
    pairs, at = {}, 0
    while at < len(data):
        sizes = []
        for _ in range(2):
            if data[at] < 128:
                sizes.append(data[at])
                at += 1
            else:
                sizes.append(struct.unpack_from("!I", data, at)[0] & 0x7FFFFFFF)
                at += 4
        name, value = data[at:at + sizes[0]], data[at + sizes[0]:at + sum(sizes)]
        pairs[name.decode()] = value.decode("latin-1")
        at += sum(sizes)
    return pairs
