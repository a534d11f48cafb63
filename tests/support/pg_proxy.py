"""A proxy on PostgreSQL's socket that breaks a connection at a chosen point of the protocol.

By chance it would take thousands of tries to break one between a commit and its answer.
"""

import contextlib
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from stack import Stack  # noqa: E402

READY = b"Z\x00\x00\x00\x05"  # ReadyForQuery, the end of a statement's answer; a byte with the state follows


class Proxy:
    """Forwards all bytes. Once after `arm`, it breaks the connection on which a message with `marker` is sent:

    swallow    before the message reaches PostgreSQL
    cut        after PostgreSQL has answered it, and the client has not seen the answer
    cut early  as soon as PostgreSQL has got it, answered or not
    stall      not at all, but the answer comes three seconds later
    """

    def __init__(self, path, server):
        self.server = str(server)
        self.fault = self.marker = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fault, marker):
        self.fault, self.marker = fault, marker

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        cut, stalled = threading.Event(), threading.Event()  # the server's bytes are dropped, or held back once
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(self.server)
            back = threading.Thread(target=self._run, daemon=True,
                                    args=[self._from_server, client, server, cut, stalled])
            back.start()
            self._run(self._from_client, client, server, cut, stalled)
            back.join()

    def _run(self, pump, *ends_and_faults):
        with contextlib.suppress(OSError):  # either side may close first
            pump(*ends_and_faults)
        for end in ends_and_faults[:2]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _from_client(self, client, server, cut, stalled):
        while data := client.recv(65536):
            fault = None
            if self.marker and self.marker in data:
                self.marker, fault = None, self.fault
                if fault == "swallow":
                    return
                (stalled if fault == "stall" else cut).set()
            server.sendall(data)
            if fault == "cut early":
                return

    def _from_server(self, client, server, cut, stalled):
        while data := server.recv(65536):
            if stalled.is_set():
                stalled.clear()
                time.sleep(3)
            if not cut.is_set():
                client.sendall(data)
            elif data[:-1].endswith(READY):
                return


class ProxiedStack(Stack):
    """A stack whose handlers connect through the proxy; all other programs connect directly."""

    proxy = None

    def start(self):
        if not self.proxy:
            folder = self.dir / "proxy"
            folder.mkdir(parents=True)
            self.proxy = Proxy(folder / ".s.PGSQL.5432", self.postgres.folder / ".s.PGSQL.5432")
        super().start()

    def _environment(self, role):
        environment = super()._environment(role)
        if role == "postern_api":
            environment["POSTERN_DATABASE"] = f"host={self.dir}/proxy dbname=postern user={role}"
        return environment
