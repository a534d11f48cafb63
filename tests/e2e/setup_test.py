"""`postern setup` on a host that has nginx with two sites, and PostgreSQL: a folder stands for the host's root."""

import hashlib
import os
import pathlib
import subprocess
import unittest

from harness import BIN, Api, scratch_folder, wait_until
from nginx import SHIPPED, accepting
from process import Process
from roles_test import Cluster, bare
from stack import free_ports, make_certificate

REPO = pathlib.Path(__file__).resolve().parents[2]

NGINX = """\
daemon off;
{user}
pid {root}/run/nginx.pid;
error_log {root}/log/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {root}/run/body; fastcgi_temp_path {root}/run/fastcgi; proxy_temp_path {root}/run/proxy;
    uwsgi_temp_path {root}/run/uwsgi; scgi_temp_path {root}/run/scgi;
    include {root}/etc/nginx/conf.d/*.conf;
    include {root}/etc/nginx/sites-enabled/*;
}}
"""

# As people have them: a redirect of the same name, comments and braces in texts.
APP = """\
server {{
    listen 127.0.0.1:{port};
    server_name app.example www.app.example;
    return 301 https://$host$request_uri; # }} is no end
}}

server {{
    listen 127.0.0.1:{tls} ssl;
    server_name app.example; # server {{ of the application }}
    ssl_certificate {root}/certificate.pem;
    ssl_certificate_key {root}/certificate.key;
    location / {{ default_type text/plain; return 200 "the {{application}}"; }}
    location ~ "^/x{{2}}$" {{ return 204; }}
}}
"""
OTHER = """\
server {{ listen 127.0.0.1:{port}; server_name other.example; location / {{ default_type text/plain; return 200 other; }} }}
"""
SNIPPET = """\
include postern/server.conf;
location ^~ /v1/ { include postern/location.conf; }
"""


class Host:
    """A folder with /etc/nginx, as a package would leave it, and a PostgreSQL."""

    def __init__(self, test):
        self.cluster = Cluster(test)
        folder = scratch_folder()
        test.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.root.chmod(0o755)
        self.port, self.tls = sorted(free_ports(2))
        self.socket = self.root / "run/fcgi.sock"
        for name in ("run", "log", "etc/postern", "etc/nginx/conf.d", "etc/nginx/sites-available",
                     "etc/nginx/sites-enabled", "etc/nginx/snippets", "etc/nginx/postern"):
            (self.root / name).mkdir(parents=True)
        make_certificate(self.root)
        nginx = self.root / "etc/nginx"
        values = {"root": self.root, "port": self.port, "tls": self.tls,
                  "user": "user root;" if os.geteuid() == 0 else ""}
        (nginx / "nginx.conf").write_text(NGINX.format(**values))
        for name, text in (("app", APP), ("other", OTHER)):
            (nginx / "sites-available" / name).write_text(text.format(**values))
            (nginx / "sites-enabled" / name).symlink_to(f"../sites-available/{name}")
        for file in SHIPPED.glob("*.conf"):
            text = file.read_text().replace("/run/postern/fcgi.sock", str(self.socket))
            (nginx / "postern" / file.name).write_text(text.replace("/run/postern-nginx", str(self.root / "run/auth")))
        shipped = SHIPPED / "snippet.conf"
        (nginx / "snippets/postern.conf").write_text(shipped.read_text() if shipped.exists() else SNIPPET)

    def setup(self, *arguments, code=0, database=None, **environment):
        done = subprocess.run([BIN / "postern", "setup", "--root", self.root, *arguments,
                               "--database", database or self.cluster.url()],
                              capture_output=True, text=True, check=False, env=bare(**environment))
        said = done.stdout + done.stderr
        if done.returncode != code:
            raise AssertionError(f"postern setup {arguments}: exit {done.returncode}\n{said}")
        return said

    def files(self):
        """What stands in /etc: every file's mode, text or target."""
        out = {}
        for path in sorted((self.root / "etc").rglob("*")):
            text = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
            out[str(path.relative_to(self.root))] = (oct(path.lstat().st_mode), text)
        return out

    def catalog(self):
        """What PostgreSQL has: databases with their rights, roles, and a digest of Postern's tables."""
        cluster = self.cluster.sql("SELECT datname, datacl FROM pg_database ORDER BY 1; SELECT rolname, rolpassword FROM "
                                   "pg_authid ORDER BY 1; SELECT setrole, setconfig FROM pg_db_role_setting ORDER BY 1",
                                   database="postgres")
        inside = self.cluster.sql("SELECT name, applied_at FROM postern.applied ORDER BY 1; SELECT name FROM postern.api_key",
                                  database="postern")
        return cluster, hashlib.sha256(inside.encode()).hexdigest()

    def start_nginx(self, test):
        process = Process(self.root / "run/nginx-test.pid", self.root / "run")
        test.addCleanup(process.stop, 15)
        with open(self.root / "log/nginx", "ab") as log:
            process.spawn(["/usr/sbin/nginx", "-c", self.root / "etc/nginx/nginx.conf"], cwd=self.root / "run",
                          stdout=log, stderr=log)
        wait_until(lambda: (self.root / "run/nginx.pid").exists() and (self.root / "run/nginx.pid").read_text().strip())
        return process

    def workers(self):
        """The processes of nginx that accept connections."""
        return accepting((self.root / "run/nginx.pid").read_text().strip())

    def start(self, test, name, command, **settings):
        process = Process(self.root / f"run/{name}.pid")
        test.addCleanup(process.stop, 15, 40)  # the holder of the socket ends its handler
        role = "postern_api" if name == "fcgi" else "postern_scheduler"
        with open(self.root / f"log/{name}", "ab") as log:
            process.spawn(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                          env=bare(POSTERN_DATABASE=self.cluster.url(role), **settings))
        return process

    def get(self, host, path, tls=False):
        api = Api(f"https://localhost:{self.tls}" if tls else f"http://127.0.0.1:{self.port}",
                  ca=str(self.root / "certificate.pem"))
        try:
            answer = api.get(path, headers={"Host": host})
            return answer.status, answer.body.decode()
        finally:
            api.close()


class Setup(unittest.TestCase):
    def setUp(self):
        self.host = Host(self)
        self.host.cluster.sql("DROP DATABASE postern", database="postgres")

    def test_a_dry_run_says_all_and_changes_nothing(self):
        before = self.host.files(), self.host.catalog()
        said = self.host.setup("--vhost", "app.example", "--dry-run")
        self.assertEqual((self.host.files(), self.host.catalog()), before)
        self.assertEqual(said.count("would do"), 8, said)
        self.assertIn("+    include snippets/postern.conf;", said)
        undo = self.host.setup("--vhost", "app.example", "--undo")
        self.assertEqual((self.host.files(), self.host.catalog()), before)
        self.assertEqual(undo.count("undo "), 9, undo)

    def test_everything_once_and_then_nothing(self):
        before = self.host.files()
        said = self.host.setup("--vhost", "app.example")
        self.assertNotIn("FAILED", said)
        self.assertIn("systemd does not run here; it would be: systemctl enable --now", said)
        self.assertRegex(said, r"(?m)^did +key +made first: postern_[0-9A-Za-z]{43} ")
        after = self.host.files()
        # What was there is as it was, but for the one line.
        app = "etc/nginx/sites-available/app"
        changed = {name for name in before if after.get(name) != before[name]}
        self.assertEqual(changed, {app})
        self.assertEqual([line for line in after[app][1].splitlines() if line not in before[app][1].splitlines()],
                         ["    include snippets/postern.conf;"])
        [backup] = [name for name in after if name.startswith("etc/postern/backup/")]
        self.assertEqual(after[backup][1], before[app][1])
        self.assertEqual(set(after) - set(before), {"etc/nginx/conf.d/postern.conf", "etc/postern/postern.conf", backup,
                                                    "etc/postern/backup"})
        conf = after["etc/postern/postern.conf"][1]
        self.assertIn("public_url = https://app.example\n", conf)
        self.assertNotIn("user", conf)
        self.assertEqual(after["etc/postern/postern.conf"][0][-3:], "644")
        self.assertEqual(self.host.cluster.sql("SELECT pg_get_userbyid(datdba), datacl::text LIKE '%{=%' FROM pg_database "
                                               "WHERE datname = 'postern'"), "postern_migrator|f")
        # A second run finds it all, and shows no key again.
        catalog = self.host.catalog()
        again = self.host.setup("--vhost", "app.example")
        self.assertEqual((self.host.files(), self.host.catalog()), (after, catalog))
        self.assertNotIn("\ndid ", "\n" + again)
        self.assertNotIn("postern_", again.split("key ")[1].split("\n")[0])

        # The sites answer as before, the one with the line has the API besides, and a task is delivered.
        self.host.start_nginx(self)
        fcgi = REPO / "tests/support/fcgi_socket.py"
        self.host.start(self, "fcgi", ["/usr/bin/python3", fcgi, self.host.socket, self.host.root / "run/handler.pid",
                                       BIN / "postern-fcgi"])
        wait_until(lambda: self.host.get("app.example", "/v1/healthz", tls=True)[0] == 200)
        self.assertEqual(self.host.get("app.example", "/", tls=True), (200, "the {application}"))
        self.assertEqual(self.host.get("app.example", "/v1/tasks", tls=True)[0], 401)
        self.assertEqual(self.host.get("app.example", "/v1/tasks")[0], 301)
        self.assertEqual(self.host.get("other.example", "/v1/tasks"), (200, "other"))
        url = f"https://localhost:{self.host.tls}"
        self.assertIn("no scheduler is alive", self.host.setup("--check", "--public-url", url, code=1))

        # This host calls its site by a private address. That is no fault, and setup says what may be wanted.
        strict = self.host.start(self, "scheduler", [BIN / "postern-scheduler"])
        wait_until(self.scheduler_runs)
        said = self.host.setup("--check", "--public-url", url, code=1)
        self.assertRegex(said, r"(?m)^skipped +first task +task task_\w{26} was taken, .*add `egress_allow = ")
        self.host.setup("--public-url", url)
        strict.stop(15, 40)
        self.host.start(self, "scheduler", [BIN / "postern-scheduler"], POSTERN_EGRESS_ALLOW="127.0.0.0/8",
                        POSTERN_CA_FILE=str(self.host.root / "certificate.pem"))
        wait_until(self.scheduler_runs)
        self.assertRegex(self.host.setup("--check", "--public-url", url), r"(?m)^did +first task +task \S+ was delivered")
        self.assertIn("is done", self.host.setup("--check", "--public-url", url))

    def scheduler_runs(self):
        return self.host.cluster.sql("SELECT count(*) FROM postern.instance WHERE program = 'postern-scheduler'") == "1"

    def test_what_the_administrator_wrote_stays(self):
        conf = self.host.root / "etc/postern/postern.conf"
        database = self.host.cluster.url()
        conf.write_text(f'# mine\ndatabase = "{database}"\nthreads = 8')
        said = self.host.setup("--public-url", "https://tasks.example")
        self.assertIn("add this line to the server { }", said)
        self.assertEqual(conf.read_text(), f'# mine\ndatabase = "{database}"\nthreads = 8\n# By `postern setup`:\n'
                                           "public_url = https://tasks.example\n")
        again = self.host.setup("--public-url", "https://other.example")
        self.assertIn("public_url = https://tasks.example, which stays", again)

    def test_another_database_than_the_programs_is_not_set_up_beside_it(self):
        conf = self.host.root / "etc/postern/postern.conf"
        conf.write_text("database = dbname=elsewhere\n")
        before = self.host.files(), self.host.catalog()
        for arguments in ((), ("--dry-run",), ("--check", "--public-url", "https://tasks.example")):
            said = self.host.setup(*arguments, code=1)
            self.assertRegex(said, r"^FAILED +settings +\S+/postern.conf says `database = dbname=elsewhere`, by which all programs")
            self.assertIn("write `database = dbname=postern host=", said)
        self.assertEqual((self.host.files(), self.host.catalog()), before)
        self.host.setup("--undo")

    def test_units_are_started_where_systemd_runs_and_once(self):
        """With a systemctl that only notes what it is told."""
        (self.host.root / "run/systemd/system").mkdir(parents=True)
        told = self.host.root / "log/told"
        systemctl = self.host.root / "bin/systemctl"
        systemctl.parent.mkdir()
        systemctl.write_text(f'''#!/bin/sh
echo "$*" >> {told}
case "$*" in
*is-*) test -e {told}.started ;;
enable*) touch {told}.started ;;
reload*) exec /usr/sbin/nginx -c {self.host.root}/etc/nginx/nginx.conf -s reload ;;
esac
''')
        systemctl.chmod(0o755)
        path = f"{systemctl.parent}:{os.environ['PATH']}"
        self.host.start_nginx(self)
        said = self.host.setup("--vhost", "app.example", PATH=path)
        self.assertIn("started postern-fcgi.socket and postern-scheduler@1.service", said)
        self.assertIn("nginx is reloaded", said)
        lines = told.read_text().splitlines()
        self.assertIn("enable --now postern-fcgi.socket postern-scheduler@1.service", lines)
        self.assertIn("reload nginx", lines)
        again = self.host.setup("--vhost", "app.example", PATH=path)
        self.assertNotIn("\ndid ", "\n" + again)
        self.assertEqual([line for line in told.read_text().splitlines()[len(lines):] if "is-" not in line], [])

    def test_an_applications_database_is_used_and_not_closed(self):
        self.host.cluster.sql("CREATE ROLE app LOGIN; CREATE DATABASE app OWNER app", database="postgres")
        self.host.cluster.sql("CREATE TABLE orders (n integer)", "app", "app")
        said = self.host.setup("--dry-run", database=self.host.cluster.url(database="app"))
        self.assertRegex(said, r"would do +schema +make the schema postern in it; nothing else")
        said = self.host.setup(database=self.host.cluster.url(database="app"))
        self.assertIn("nothing else of the database is touched", said)
        self.assertEqual(self.host.cluster.sql("CREATE TEMP TABLE t (n int); SELECT count(*) FROM orders", "app", "app"), "0")
        self.assertIn("dbname=app", (self.host.root / "etc/postern/postern.conf").read_text())


if __name__ == "__main__":
    unittest.main()
