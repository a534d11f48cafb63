#!/usr/bin/python3
"""nginx/ on a host that has sites: what one line in a vhost gives it, what a prefix gives, and that no other changes."""

import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest
import urllib.parse

from harness import Api, wait_until
from harness_fcgi import Responder

# From tests/support, which harness.py has made importable.
import nginx
from process import Process
from stack import free_ports, make_certificate

# Sites at one port, as they are on a host that gets Postern: `shop`, `queue` and `cached` get it, `other` does not.
SITES = """
    fastcgi_cache_path {folder}/cache keys_zone=pages:1m;
    server {{
        listen 127.0.0.1:{http};
        server_name cached.example;
        # A site that keeps the pages of its own FastCGI programs, whatever these say of it.
        fastcgi_cache pages;
        fastcgi_cache_key $host$request_uri;
        fastcgi_cache_valid any 10m;
        fastcgi_cache_use_stale error timeout updating http_500 http_503;
        fastcgi_ignore_headers X-Accel-Expires Cache-Control Expires Set-Cookie;
        include snippets/postern.conf;
    }}
    server {{
        listen 127.0.0.1:{tls} ssl default_server;
        server_name other.example;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{ return 200 "the other site"; }}
    }}
    server {{
        listen 127.0.0.1:{http} default_server;
        server_name other.example;
        location / {{ return 200 "the other site"; }}
    }}
    server {{
        listen 127.0.0.1:{http};
        server_name shop.example;
        {shop}
        location = /healthz {{ return 200 "the shop's health"; }}
        location ~ ^/(docs|metrics) {{ return 200 "the shop's docs"; }}
        location ~ \\.json$ {{ return 200 "the shop's state"; }}
        location / {{ return 200 "the shop"; }}
    }}
    server {{
        listen 127.0.0.1:{http};
        server_name queue.example;
        {queue}
        location / {{ return 200 "the site with a prefix"; }}
    }}
"""

SNIPPET = "include snippets/postern.conf;"
MOUNTS = "".join(f"location ^~ /{name}/ {{ include postern/location.conf; }}" for name in ("asyncqueue", "taskmq"))
PREFIX = "set $postern_base /queue; include postern/server.conf; location ^~ /queue/ { include postern/location.conf; }"

# What the shop has itself.
OWN = {"/": "the shop", "/healthz": "the shop's health", "/docs": "the shop's docs", "/docs/pages.css": "the shop's docs",
       "/metrics": "the shop's docs", "/readyz": "the shop", "/redoc": "the shop", "/health": "the shop", "/ui/": "the shop",
       "/v2/tasks": "the shop", "/state.json": "the shop's state"}


# Whom the authenticator knows, by the credential.
KNOWN = {}


def answer(params, _body):
    if params.get("POSTERN_SERVICE") == "auth":
        verdict = KNOWN.get(params["POSTERN_AUTHORIZATION"])
        if verdict == "away":
            return "Status: 503\r\nX-Accel-Expires: 0\r\n\r\n"
        if verdict:
            return f"Status: 204\r\nX-Accel-Expires: 0\r\nPostern-Verdict: ok\r\nPostern-Identity: {verdict}\r\n\r\n"
        return "Status: 401\r\nX-Accel-Expires: 0\r\nPostern-Verdict: missing\r\nPostern-Reason: credential_missing\r\n\r\n"
    if params["DOCUMENT_URI"].endswith("/openapi.json"):
        return "Status: 200\r\nContent-Type: application/json\r\n\r\n{}"
    if params["DOCUMENT_URI"] == "/v1/tasks":
        return f"Status: 200\r\n\r\nthe tasks of {params['POSTERN_IDENTITY']}"
    return f"Status: 200\r\n\r\n{params['POSTERN_BASE_PATH']} {params['DOCUMENT_URI']}"


class Sites(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.responder = Responder(str(cls.folder / "fcgi.sock"), answer)
        cls.addClassCleanup(cls.responder.stop)
        # The pages as far as they are in the repository.
        cls.pages = cls.folder / "pages"
        shutil.copytree(nginx.SHIPPED / "docs", cls.pages)
        cls.http, cls.tls, cls.plain = free_ports(3)
        cls.certificate, cls.key = make_certificate(cls.folder)
        cls.start(SNIPPET + MOUNTS, PREFIX)

    @classmethod
    def command(cls, folder, shop, queue):
        sites = SITES.format(folder=cls.folder, http=cls.http, tls=cls.tls, certificate=cls.certificate, key=cls.key, shop=shop, queue=queue)
        vhost, places = nginx.ready_vhost(cls.plain, cls.tls, cls.certificate, cls.key)
        vhost = vhost.replace("include postern/default-server.conf;", "")
        return nginx.command(folder, cls.folder / "fcgi.sock", vhost + sites,
                             {**places, "/usr/share/postern/docs": cls.pages, "/usr/share/postern/ui": nginx.SHIPPED / "ui",
                              "127.0.0.0/8 1;": "127.0.0.1 1;"})

    @classmethod
    def start(cls, shop, queue):
        folder = cls.folder / "nginx"
        process = Process(cls.folder / "nginx.pid", folder)
        process.spawn(cls.command(folder, shop, queue), cwd=folder, stdin=subprocess.DEVNULL)
        cls.addClassCleanup(process.stop, signal.SIGTERM)
        with socket.socket() as probe:
            wait_until(lambda: probe.connect_ex(("127.0.0.1", cls.http)) == 0)

    def get(self, site, path, method="GET", headers=None, **options):
        api = Api(f"http://127.0.0.1:{self.http}")
        self.addCleanup(api.close)
        return api.request(method, path, headers={"Host": f"{site}.example", **(headers or {})}, **options)

    def text(self, site, path):
        reply = self.get(site, path)
        self.assertEqual(reply.status, 200, (site, path, reply.body))
        return reply.body.decode()

    def assert_refused(self, reply, status):
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (status, "application/json; charset=utf-8"))

    def test_one_line_gives_a_site_the_api_and_takes_nothing_else(self):
        for path, text in OWN.items():
            self.assertEqual(self.text("shop", path), text, path)
        self.assertEqual(self.text("shop", "/v1/signals/7"), " /v1/signals/7")
        self.assert_refused(self.get("shop", "/v1/tasks"), 401)
        self.assert_refused(self.get("shop", "/v1/healthz/"), 401)

    def test_one_line_gives_health_metrics_and_pages_below_v1(self):
        for name in ("healthz", "readyz", "metrics"):
            self.assertEqual(self.text("shop", f"/v1/{name}"), f" /{name}")
        self.assert_pages("shop", "/v1/")
        self.assert_dashboard("shop", "/v1/")

    def test_a_mount_of_a_dialect_leads_to_the_pages(self):
        for mount in ("asyncqueue", "taskmq"):
            for page in ("docs", "redoc"):
                reply = self.get("shop", f"/{mount}/{page}")
                self.assertEqual(reply.status, 302)
                self.assertEqual(urllib.parse.urljoin(f"/{mount}/{page}", reply.headers["Location"]),
                                 f"/v1/{page}?dialect={mount}")
        self.assertEqual(self.text("shop", "/taskmq/healthz"), "/taskmq /healthz")

    def test_a_mount_leads_to_the_dashboard(self):
        for site, path, target in (("shop", "/taskmq/", "/v1/ui/"), ("shop", "/taskmq/ui", "/v1/ui/"), ("shop", "/asyncqueue/ui/", "/v1/ui/"),
                                   ("queue", "/queue/", "/queue/v1/ui/"), ("queue", "/queue/ui", "/queue/v1/ui/"),
                                   ("queue", "/queue/ui/", "/queue/v1/ui/"), ("queue", "/queue/taskmq/ui/", "/queue/v1/ui/")):
            reply = self.get(site, path)
            self.assertEqual(reply.status, 302, path)
            self.assertEqual(urllib.parse.urljoin(path, reply.headers["Location"]), target, path)

    def test_the_ready_vhost_leads_to_the_dashboard(self):
        api = Api(f"http://127.0.0.1:{self.plain}")
        self.addCleanup(api.close)
        for path in ("/", "/ui"):
            reply = api.get(path)
            self.assertEqual((reply.status, urllib.parse.urljoin(path, reply.headers["Location"])), (302, "/ui/"))
        self.assertIn(b"js/main.js", api.get("/ui/").body)
        self.assertIn(b"js/main.js", api.get("/v1/ui/").body)
        # A browser would take what follows "//" for a host, in a redirect and in what is relative to such an address.
        for path in ("//evil.example/v1/ui", "//evil.example/v1/ui/", "//evil.example/v1/ui/index.html", "//evil.example/v1/ui/js",
                     "/v1/ui//index.html"):
            self.assertEqual(api.get(path).status, 400, path)

    def test_a_queue_may_be_called_as_the_dashboard(self):
        KNOWN["Bearer ui"] = "anybody"
        for path in ("/v1/queues/ui", "/v1/queues/ui/stats", "/v1/tasks/ui/ui"):
            self.assertEqual(self.get("shop", path, headers={"Authorization": "Bearer ui"}).body.decode(), f" {path}")

    def test_a_prefix_has_all_of_it(self):
        self.assertEqual(self.text("queue", "/queue/v1/signals/7"), "/queue /v1/signals/7")
        for below in ("/queue/", "/queue/v1/"):
            for name in ("healthz", "readyz", "metrics"):
                self.assertEqual(self.text("queue", f"{below}{name}"), f"/queue /{name}")
        self.assert_pages("queue", "/queue/v1/")
        self.assert_dashboard("queue", "/queue/v1/")
        for page in ("docs", "redoc"):
            reply = self.get("queue", f"/queue/{page}")
            self.assertEqual(urllib.parse.urljoin(f"/queue/{page}", reply.headers["Location"]), f"/queue/v1/{page}")
            reply = self.get("queue", f"/queue/taskmq/{page}")
            self.assertEqual(urllib.parse.urljoin(f"/queue/taskmq/{page}", reply.headers["Location"]),
                             f"/queue/v1/{page}?dialect=taskmq")
        for path in ("/", "/v1/tasks", "/healthz", "/docs", "/v1/docs"):
            self.assertEqual(self.text("queue", path), "the site with a prefix")

    def test_who_may_not_read_the_metrics_may_not_below_v1(self):
        with socket.create_connection(("127.0.0.1", self.http), 10, source_address=("127.0.0.2", 0)) as connection:
            connection.sendall(b"GET /v1/metrics HTTP/1.0\r\nHost: shop.example\r\n\r\n")
            self.assertIn(b" 403 ", connection.makefile("rb").readline())

    def assert_dashboard(self, site, below):
        reply = self.get(site, f"{below}ui")
        self.assertEqual((reply.status, urllib.parse.urljoin(f"{below}ui", reply.headers["Location"])), (302, f"{below}ui/"))
        for path, file, kind in (("", "index.html", "text/html"), ("index.html", "index.html", "text/html"),
                                 ("js/api.js", "js/api.js", "text/javascript"), ("style.css", "style.css", "text/css")):
            reply = self.get(site, f"{below}ui/{path}")
            self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, f"{kind}; charset=utf-8"), path)
            self.assertEqual(reply.body, (nginx.SHIPPED / "ui" / file).read_bytes())
            policy = reply.headers["Content-Security-Policy"]
            self.assertTrue(policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
        for path in ("js/nothing.js", "js", "js/", "%2e%2e/ui.conf", "js/%2e%2e/%2e%2e/ui.conf", "..%2fui.conf"):
            self.assertIn(self.get(site, f"{below}ui/{path}").status, (400, 401, 403, 404), path)
        self.assert_refused(self.get(site, f"{below}ui/index.html", "DELETE"), 405)

    def assert_pages(self, site, below):
        for page, own in (("docs", "swagger.js"), ("redoc", "redoc.js")):
            reply = self.get(site, f"{below}{page}")
            self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
            self.assertIn("default-src 'none'", reply.headers["Content-Security-Policy"])
            self.assertEqual("unsafe-inline" in reply.headers["Content-Security-Policy"], page == "redoc")
            self.assertIn(f'src="docs/{own}"', reply.body.decode())
            for file, kind in ((own, "text/javascript; charset=utf-8"), ("documents.json", "application/json")):
                reply = self.get(site, f"{below}docs/{file}")
                self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, kind), file)
                self.assertEqual(reply.body, (nginx.SHIPPED / "docs/assets" / file).read_bytes())
        self.assert_refused(self.get(site, f"{below}docs/nothing.js"), 404)
        self.assert_refused(self.get(site, f"{below}docs", "DELETE"), 405)

    @unittest.skipUnless(shutil.which("node"), "node is missing")
    def test_the_pages_find_the_documents_wherever_they_are(self):
        """Runs the pages' own script, without a browser: of the sites' own pages none is taken for a document."""
        for page, expected in (
                ("http://shop.example/v1/docs/", ["/v1/openapi.json", "/asyncqueue/v1/openapi.json", "/taskmq/openapi.json"]),
                ("http://queue.example/queue/v1/docs/", ["/queue/v1/openapi.json", "/queue/asyncqueue/v1/openapi.json",
                                                         "/queue/taskmq/openapi.json", "/queue/asyncjobs/v1/openapi.json"])):
            script = (nginx.SHIPPED / "docs/assets/documents.js").read_text()
            script = script.replace("import.meta.url", f'"{page}documents.js"')
            # fetch() lets nobody set Host, and nobody resolves these names.
            script = f"""
                import http from "node:http";
                const location = {{ search: "" }};
                const fetch = (url, options = {{}}) => new Promise((done) => http.request(
                    {{ host: "127.0.0.1", port: {self.http}, path: new URL(url).pathname, method: options.method ?? "GET",
                       headers: {{ Host: new URL(url).host }} }},
                    async (reply) => {{
                      let text = "";
                      for await (const part of reply) text += part;
                      done({{ ok: reply.statusCode === 200, json: () => JSON.parse(text),
                              headers: {{ get: (name) => reply.headers[name.toLowerCase()] ?? null }} }});
                    }}).end());
                {script}
                console.log(documents.map((each) => new URL(each.url).pathname).join(" "));"""
            said = subprocess.run(["node", "--input-type=module", "-"], input=script, capture_output=True, text=True, timeout=60)
            self.assertEqual(said.stdout.split(), expected, said.stderr)

    def test_a_site_that_caches_its_pages_caches_neither_answers_nor_verdicts(self):
        def tasks_of(who):
            return self.get("cached", "/v1/tasks", headers={"Authorization": f"Bearer {who}"})

        KNOWN.update({"Bearer ann": "ann", "Bearer bob": "bob"})
        self.addCleanup(KNOWN.clear)
        self.assertEqual([tasks_of(who).body for who in ("ann", "bob")], [b"the tasks of ann", b"the tasks of bob"])
        # The authenticator's answers are kept as long as they say: these not at all.
        KNOWN["Bearer bob"] = "away"
        self.assertEqual(tasks_of("bob").status, 503)
        KNOWN["Bearer bob"] = "bob"
        self.assertEqual(tasks_of("bob").body, b"the tasks of bob")
        KNOWN.clear()
        self.assertEqual([tasks_of(who).status for who in ("ann", "bob")], [401, 401])

    def test_no_other_site_changes(self):
        for path in ("/", "/v1/tasks", "/v1/docs", "/healthz", "/_postern/auth", "/queue/v1/tasks"):
            self.assertEqual(self.text("other", path), "the other site", path)
        self.assertEqual(self.text("nobody", "/v1/tasks"), "the other site")

    def test_the_ready_vhost_takes_no_default_server(self):
        """Whoever asks the TLS port for a name that nobody has, or for none, gets the site that was the default before."""
        trust = ssl.create_default_context(cafile=self.certificate)
        trust.check_hostname = False
        for name, said in (("elsewhere.example", b"the other site"), (None, b"the other site"), ("localhost", b"/healthz")):
            with socket.create_connection(("127.0.0.1", self.tls), 10) as plain, \
                    trust.wrap_socket(plain, server_hostname=name) as connection:
                host = name or "127.0.0.1"
                connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                self.assertIn(said, connection.makefile("rb").read(), name)


class FilesOfTheAdministrator(unittest.TestCase):
    """What docs/ has administrators change stands in files that no other one depends on: an upgrade replaces the others."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        [self.port] = free_ports(1)

    def start(self, servers, **mine):
        """nginx with these files in place of the shipped ones."""
        folder = self.folder / "nginx"
        command = nginx.command(folder, self.folder / "fcgi.sock", servers)
        for name, text in mine.items():
            (folder / "postern" / f"{name}.conf").write_text(text)
        process = Process(self.folder / "nginx.pid", folder)
        process.spawn(command, cwd=folder, stdin=subprocess.DEVNULL)
        self.addCleanup(process.stop, signal.SIGTERM)
        with socket.socket() as probe:
            wait_until(lambda: probe.connect_ex(("127.0.0.1", self.port)) == 0)

    def metrics(self, address):
        """The status for who comes from there."""
        with socket.create_connection(("127.0.0.1", self.port), 10, source_address=(address, 0)) as connection:
            connection.sendall(b"GET /v1/metrics HTTP/1.0\r\n\r\n")
            return int(connection.makefile("rb").readline().split()[1])

    def test_where_the_handlers_are_and_who_reads_the_metrics(self):
        responder = Responder(str(self.folder / "elsewhere.sock"), answer)
        self.addCleanup(responder.stop)
        self.start(f"server {{ listen 127.0.0.1:{self.port}; {SNIPPET} }}", monitors="127.0.0.2 1;\n",
                   upstream=f"zone postern 64k;\nserver unix:{self.folder}/elsewhere.sock max_fails=1 fail_timeout=2s;\n")
        self.assertEqual([self.metrics(address) for address in ("127.0.0.1", "127.0.0.2")], [403, 200])

    def test_a_definition_that_is_read_later_takes_the_place_of_one_of_http_conf(self):
        self.start("geo $postern_connection_limit { default on; 127.0.0.1 off; }"
                   f'server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 "$postern_connections_of_address"; }} }}')
        api = Api(f"http://127.0.0.1:{self.port}")
        self.addCleanup(api.close)
        self.assertEqual(api.get("/").body, b"")


if __name__ == "__main__":
    unittest.main()
