#!/usr/bin/python3
"""Client certificates, keys in a map and an external sign-on where there are two cells: tenants.map says who is where."""

import contextlib
import http.server
import shutil
import signal
import ssl
import subprocess
import threading
import unittest

from pair import CellsTest, cells_command, wait_until

from auth_variants_test import MtlsStack
from harness import Api
from process import Process
from stack import BIN, free_ports, write_private


class Variants(CellsTest):
    """One pair of cells, and for each variant an nginx of its own in front of both."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home, cls.away = "home", "away"
        if not hasattr(cls.stack, "variants"):
            cls.stack.postern("tenant", "create", "--name", cls.home)
            cls.stack.b.postern("tenant", "create", "--name", cls.away)
            cls.stack.variants = True

    def nginx(self, auth, at_http, in_server="", places=None, name="variant"):
        """The TLS address of an nginx with another file in the place of auth.conf."""
        folder, [port] = self.a.dir / name, free_ports(1)
        folder.mkdir()
        self.addCleanup(shutil.rmtree, folder)
        servers = f"""    include postern/{at_http};
            server {{
                listen 127.0.0.1:{port} ssl;
                ssl_certificate {self.a.certificate};
                ssl_certificate_key {self.a.certificate.with_suffix(".key")};
                {in_server}
                include postern/site.conf;
            }}"""
        command = cells_command(folder, self.a.run / "fcgi.sock", self.b.run / "fcgi.sock", servers, places,
                                {self.away: "b"}, auth=auth)
        process = Process(folder / "nginx.pid", folder)
        process.spawn(command, cwd=folder, stdin=subprocess.DEVNULL)
        self.addCleanup(process.stop, signal.SIGTERM)
        url = f"https://localhost:{port}"
        wait_until(lambda: self.answers(url))
        return url

    def answers(self, url):
        with contextlib.closing(Api(url, None, self.a.certificate)) as api, contextlib.suppress(OSError):
            return api.get("/healthz").status

    def assert_each_to_its_cell(self, ask):
        """`ask` posts a task as somebody of that tenant."""
        for tenant, cell, other in ((self.home, self.a, self.b), (self.away, self.b, self.a)):
            before = self.count(cell, tenant)
            reply = ask(tenant)
            self.assertEqual(reply.status, 201, reply.body)
            self.assertEqual((self.count(cell, tenant), self.count(other, tenant)), (before + 1, 0))

    def test_certificates(self):
        for name, issuer in (("ca", None), (self.home, "ca"), (self.away, "ca")):
            MtlsStack.certificate_of(self.a, name, issuer)
        subjects = self.a.dir / "subjects.map"
        write_private(subjects, "".join(f'"CN={name}" "{name} admin {name}";\n' for name in (self.home, self.away)))
        url = self.nginx("auth-mtls.conf", "mtls.conf", f"""ssl_client_certificate {self.a.dir}/ca.pem;
                ssl_verify_client optional;""", {"/etc/nginx/postern/subjects.map": subjects})

        def ask(tenant, **headers):
            api = Api(url, None, self.a.certificate)
            self.addCleanup(api.close)
            context = ssl.create_default_context(cafile=self.a.certificate)
            context.load_cert_chain(self.a.dir / f"{tenant}.pem", self.a.dir / f"{tenant}.key")
            api.connection._context = context
            return api.post("/v1/tasks", self.task(), headers=headers)

        self.assert_each_to_its_cell(ask)
        # A label in a header leads nobody to another cell, where the name of a tenant may be somebody else's.
        self.b.postern("tenant", "create", "--name", self.home)
        for label in ("a", "b", "zz"):
            for headers in ({"X-API-Key": f"postern_{label}_x"}, {"Authorization": f"Bearer postern_{label}_x"}):
                self.assert_each_to_its_cell(lambda tenant: ask(tenant, **headers))
        # A tenant that has left a cell which tenants.map still names is led on.
        self.a.postern("tenant", "create", "--name", self.away)
        self.b.place("moved", self.away, to=self.a)
        self.addCleanup(self.b.place, "here", self.away)
        wait_until(lambda: ask(self.away).status == 201 and self.count(self.a, self.away) > 0)

    def test_keys_in_a_map(self):
        keys = {self.home: self.a.key("--tenant", self.home), self.away: self.b.key("--tenant", self.away)}
        file = self.a.dir / "keys.map"
        lines = []
        for cell, tenant in ((self.a, self.home), (self.b, self.away)):
            subprocess.run([BIN / "postern", "key", "export-nginx", "--file", file], input=keys[tenant], text=True, check=True,
                           stdout=subprocess.DEVNULL, env=cell._environment("postgres"))
            lines.append(file.read_text())
        write_private(file, "".join(lines))
        url = self.nginx("auth-map.conf", "keys.conf", places={"/etc/nginx/postern/keys.map": file})

        def ask(tenant):
            return self.at(url, keys[tenant]).post("/v1/tasks", self.task())

        for tenant, cell in ((self.home, self.a), (self.away, self.b)):
            before = self.count(cell, tenant)
            self.assertEqual(ask(tenant).status, 201)
            self.assertEqual(self.count(cell, tenant), before + 1)

    def test_a_sign_on(self):
        class SignOn(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(204)
                self.send_header("X-Auth-Request-User", "ann")
                self.send_header("X-Auth-Request-Groups", f"postern-admins,tenant-{self.headers['X-Who']}")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SignOn)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = self.nginx("auth-sso.conf", "sso.conf", f"""location = /_postern/sso {{
                    internal;
                    if ($postern_open) {{ return 204; }}
                    proxy_pass http://127.0.0.1:{server.server_port};
                    proxy_pass_request_body off;
                    proxy_set_header Content-Length "";
                }}""")
        for tenant, cell in ((self.home, self.a), (self.away, self.b)):
            before = self.count(cell, tenant)
            reply = self.at(url).post("/v1/tasks", self.task(), headers={"X-Who": tenant, "X-API-Key": "postern_a_x"})
            self.assertEqual(reply.status, 201, reply.body)
            self.assertEqual(self.count(cell, tenant), before + 1)


if __name__ == "__main__":
    unittest.main()
