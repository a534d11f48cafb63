#!/usr/bin/python3
"""nginx/ with the real nginx: HTTPS and HTTP/2."""

import contextlib
import socket
import ssl
import struct
import subprocess
import unittest
import warnings

from harness import Api
from harness_nginx import NginxTest


class Tls(NginxTest):
    def connect(self, name, version=None):
        trust = ssl.create_default_context(cafile=self.certificate)
        if version:
            trust.set_ciphers("ALL:@SECLEVEL=0")  # otherwise the client itself would refuse old versions
            with warnings.catch_warnings(action="ignore"):
                trust.minimum_version = trust.maximum_version = version
        with contextlib.ExitStack() as undo:
            plain = undo.enter_context(socket.create_connection(("127.0.0.1", self.tls), timeout=10))
            connection = trust.wrap_socket(plain, server_hostname=name)
            undo.pop_all()
        return connection

    def test_https_with_hsts(self):
        api = Api(f"https://localhost:{self.tls}", self.id(), self.certificate)
        self.addCleanup(api.close)
        for path, status in (("/v1/tasks", 200), ("/nothing", 404)):
            reply = api.get(path)
            self.assertEqual(reply.status, status)
            self.assertEqual(reply.headers["Strict-Transport-Security"], "max-age=31536000")
            self.assertEqual(reply.headers["Cache-Control"], "no-store")
        self.assertNotIn("Strict-Transport-Security", self.api.get("/v1/tasks").headers)

    def test_http_2(self):
        said = subprocess.run(
            ["curl", "-sS", "--http2", "--cacert", self.certificate, "-w", " %{http_version} %{http_code}",
             "-d", "abc", f"https://localhost:{self.tls}/v1/tasks"], capture_output=True, text=True)
        self.assertEqual(said.stdout, "from the handler 2 200", said.stderr)

    def test_http_2_with_a_credential_of_8_kib(self):
        said = subprocess.run(
            ["curl", "-sS", "--http2", "--cacert", self.certificate, "-w", " %{http_version} %{http_code}",
             "-H", f"Authorization: Bearer {'Z' * 8192}",  # a letter that HTTP/2 does not compress
             f"https://localhost:{self.tls}/v1/tasks"], capture_output=True, text=True)
        self.assertEqual(said.stdout, "from the handler 2 200", said.stderr)

    def test_http_2_without_an_identity_and_with_a_large_body(self):
        type(self).verdict = "missing"
        body = self.folder / "body"
        body.write_bytes(bytes(4 << 20))
        said = subprocess.run(
            ["curl", "-sS", "--http2", "--cacert", self.certificate, "-w", " %{http_version} %{http_code}",
             "--data-binary", f"@{body}", f"https://localhost:{self.tls}/v1/tasks/batch"], capture_output=True, text=True)
        self.assertIn('"credential_missing"', said.stdout, said.stderr)
        self.assertTrue(said.stdout.endswith(" 2 401"), said.stdout)
        self.assertEqual(self.responder.requests, [])

    def test_http_2_lets_a_client_send_a_mebibyte_before_it_looks_at_an_answer(self):
        """Clients that do so would wait for ever when nginx has refused their body (tests/clients/http_test.py)."""
        trust = ssl.create_default_context(cafile=self.certificate)
        trust.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", self.tls), timeout=10) as plain, \
                trust.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            with connection.makefile("rb") as stream:
                head = stream.read(9)
                self.assertEqual(head[3], 4)  # SETTINGS
                settings = dict(struct.iter_unpack("!HI", stream.read(int.from_bytes(head[:3], "big"))))
        self.assertEqual(settings[4], 1 << 20)  # SETTINGS_INITIAL_WINDOW_SIZE

    def test_old_versions_are_refused(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.assertRaisesRegex(ssl.SSLError, "ALERT_PROTOCOL_VERSION"):
                self.connect("localhost", version)

    def test_another_name_is_refused(self):
        with self.assertRaisesRegex(ssl.SSLError, "UNRECOGNIZED_NAME"):
            self.connect("elsewhere.example")
        with self.connect("localhost") as connection:
            connection.sendall(b"GET /v1/tasks HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
            self.assertEqual(connection.recv(1), b"")

    def test_plain_http_at_the_tls_port(self):
        self.assert_error(self.client(self.tls).get("/v1/tasks"), 400)


if __name__ == "__main__":
    unittest.main()
