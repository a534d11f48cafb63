"""nginx/ with the real nginx in front of a FastCGI responder that records the requests."""

import http.client
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import AS_SHIPPED, AT_ONCE, Api, Reply, wait_until
from harness_fcgi import Responder

# From tests/support, which harness.py has made importable.
import leaks
import nginx
from process import Process
from stack import free_ports, make_certificate

OTHER_SERVERS = """
    server {{
        listen 127.0.0.1:{mounted};
        set $postern_base /queue;
        set $postern_tenant acme;
        set $postern_connection_limit off;
        include postern/server.conf;
        location ^~ /queue/ {{ include postern/location.conf; }}
        location / {{ return 200 "the site"; }}
    }}
    server {{
        listen 127.0.0.1:{limited};
        set $postern_rate_limit on;
        include postern/site.conf;
    }}
    server {{
        listen 127.0.0.1:{beside};
        include postern/server.conf;
        include postern/taskmq-root.conf;
        location / {{ return 200 "the site"; }}
    }}
"""

# Code and reason of each error that nginx itself answers.
ERRORS = {
    400: ("invalid_argument", "bad_request"),
    403: ("forbidden", "address_not_allowed"),
    404: ("not_found", "no_such_path"),
    405: ("invalid_argument", "method_not_allowed"),
    413: ("payload_too_large", "body_too_large"),
    414: ("invalid_argument", "uri_too_long"),
    415: ("invalid_argument", "content_encoding_unsupported"),
    429: ("rate_limited", "too_many_requests"),
    431: ("invalid_argument", "headers_too_long"),
    501: ("invalid_argument", "transfer_encoding_unknown"),
    502: ("unavailable", "handler_unreachable"),
    503: ("unavailable", "handler_unavailable"),
    504: ("unavailable", "handler_timeout"),
}


class NginxTest(unittest.TestCase):
    """nginx in front of a responder, and a client whose key is not in nginx's cache."""

    places = {}  # what else to replace in nginx's configuration (nginx.command)

    # What the authenticator answers for a verdict: status, reason, message.
    refusals = {
        "missing": (401, "credential_missing", r'"Give a \"key\"."'),
        "invalid": (401, "credential_invalid", '"It is unknown."'),
        "forbidden": (403, "role_not_allowed", r'"The role \"read\" may not."'),
        "unavailable": (503, "authenticator_unavailable", '"Try again."'),
    }

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.http, cls.tls, cls.mounted, cls.limited, cls.beside = free_ports(5)
        cls.certificate, key = make_certificate(cls.folder)
        servers, places = nginx.ready_vhost(cls.http, cls.tls, cls.certificate, key)
        servers += OTHER_SERVERS.format(mounted=cls.mounted, limited=cls.limited, beside=cls.beside)
        places.update({
            "127.0.0.0/8 1;": "127.0.0.1 1;",  # so that 127.0.0.2 may not read the metrics
            "fastcgi_read_timeout 40s;": "fastcgi_read_timeout 3s;",
            # So that a burst is used up however slow the machine is.
            "rate=100r/s": "rate=1r/s",
            "rate=1000r/s": "rate=1r/s",
            AS_SHIPPED: AT_ONCE,
            **cls.places,
        })
        cls.responder = Responder(str(cls.folder / "fcgi.sock"), lambda *request: cls.answer(*request))
        cls.addClassCleanup(cls.responder.stop)
        cls.nginx = cls.folder / "nginx"
        cls.leaks = leaks.Watch(cls.nginx)
        command = nginx.command(cls.nginx, cls.folder / "fcgi.sock", servers, places)
        process = Process(cls.folder / "nginx.pid", cls.nginx)
        process.spawn(command, cwd=cls.nginx, stdin=subprocess.DEVNULL)
        cls.addClassCleanup(process.stop, signal.SIGTERM)
        with socket.socket() as probe:
            wait_until(lambda: probe.connect_ex(("127.0.0.1", cls.limited)) == 0)

    def setUp(self):
        cls = type(self)
        cls.verdict, cls.kept_for, cls.replies = "ok", 5, {}
        self.addCleanup(self.leaks.check)
        self.responder.requests.clear()
        self.responder.auth_requests.clear()
        self.api = self.client(key=self.id())

    @classmethod
    def answer(cls, params, _body):
        if params.get("POSTERN_SERVICE") == "auth":
            status, reason, message = cls.refusals.get(cls.verdict, (204, "", ""))
            return (f"Status: {status}\r\nX-Accel-Expires: {cls.kept_for}\r\nPostern-Verdict: {cls.verdict}\r\n"
                    "Postern-Identity: somebody\r\nPostern-Role: admin\r\nPostern-Tenant: theirs\r\n"
                    f"Postern-Reason: {reason}\r\nPostern-Message: {message}\r\n\r\n")
        return cls.replies.get(params["DOCUMENT_URI"], "Status: 200\r\n\r\nfrom the handler")

    def client(self, port=None, **options):
        api = Api(f"http://127.0.0.1:{port or self.http}", **options)
        self.addCleanup(api.close)
        return api

    def params(self):
        """The parameters of the only request that reached the handler."""
        [(params, _)] = self.responder.requests
        return params

    def raw(self, text):
        """The reply to raw bytes, for requests that http.client does not send."""
        with socket.create_connection(("127.0.0.1", self.http), timeout=10) as connection:
            connection.sendall(text.replace("\n", "\r\n").encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return Reply(answer.status, answer.headers, answer.read())

    def assert_error(self, reply, status):
        code, reason = ERRORS[status]
        self.assertEqual(reply.status, status)
        self.assertEqual(reply.headers["Content-Type"], "application/json; charset=utf-8")
        error = reply.json["error"]
        self.assertEqual((error["code"], error["details"]), (code, {"reason": reason}))
        self.assertTrue(error["message"])
        self.assertEqual("Retry-After" in reply.headers, status in (429, 502, 503, 504))
        self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
