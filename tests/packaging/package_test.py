#!/usr/bin/python3
"""The package on a host that has two sites and an application's database: installed by the manual's own commands,
used, upgraded under load, downgraded, backed up and restored, removed and purged; then again in the application's
database.

The host is a chroot of build/package/chroot.tar, which `./dev` makes, in namespaces of its own: nothing is reached but
loopback. The commands are those of docs/install.md and docs/operate.md behind `<!-- test: package -->`. At first no systemd runs there;
`postern setup` says what it would start, and the test starts each unit's ExecStart with the unit's user, environment and
credentials, the listening socket held by the test. For the upgrade `systemctl` reaches the test (host.py), so that the
package's scripts do what they would.

What only a real systemd shows, and no test here: the sandbox of the units at work (systemd_test.py checks how it is
written), the start by the first request at the socket, the watchdog, RestartSec, the order at boot, limits
of memory and tasks, LoadCredential's own files, `systemctl enable`'s links, and the journal.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/packaging")]

from host import Host, Units  # noqa: E402
from manual_steps import ManualSteps, manual  # noqa: E402
from postgres import scratch_folder  # noqa: E402
from receiver import Receiver  # noqa: E402

BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", ROOT / "build")).resolve()
PACKAGES = BUILD / "package"
SERVICES = ("postern-migrate.service", "postern-fcgi.socket", "postern-scheduler@1.service")
OF_THE_NEXT = "# Of the next version.\n"
# A site as people have it.
SITE = """server {
    listen 80;
    server_name NAME.example;
    root /srv/NAME;
    location / {
        try_files $uri $uri/ =404;
    }
}
"""


# What an administrator adds to the files of nginx that are theirs.
MINE = {"upstream.conf": "zone postern 64k;\n", "monitors.conf": "192.0.2.1 1;\n"}


def next_package(package, folder):
    """The package of the next version: the same files with the programs of build/next."""
    tree = folder / "next"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    for program in (tree / "usr/bin").iterdir():
        subprocess.run(["strip", "--strip-unneeded", "-o", program, BUILD / "next/bin" / program.name], check=True)
        program.chmod(0o755)
    said = subprocess.run([tree / "usr/bin/postern", "--version"], check=True, capture_output=True, text=True)
    version = said.stdout.split()[1]
    # Of its configuration one file is as it was installed, and one has been changed on the host.
    for name in ("etc/nginx/postern/http.conf", "etc/postern/postern.conf"):
        with open(tree / name, "a") as file:
            file.write(OF_THE_NEXT)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    sums = subprocess.run("find usr -type f -print0 | xargs -0 md5sum", shell=True, cwd=tree, check=True,
                          capture_output=True, text=True)
    (tree / "DEBIAN/md5sums").write_text(sums.stdout)
    out = folder / f"postern_{version}_amd64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, out], check=True, stdout=subprocess.DEVNULL)
    return out, version


class Load:
    """Creates tasks without a pause, and keeps what did not answer 201."""

    def __init__(self, test, count=4):
        self.test, self.failed, self.created = test, [], []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._create) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _create(self):
        while not self.ended.is_set():
            try:
                status, body = self.test.create(f"load {len(self.created)}")
            except OSError as error:
                status, body = repr(error), None
            if status == 201:
                self.created.append(body["id"])
            else:
                self.failed.append((status, body))

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()


class PackageTest(ManualSteps, unittest.TestCase):
    def test_package(self):
        self.folder = pathlib.Path(os.environ["POSTERN_TEST_FOLDER"])
        self.package, = PACKAGES.glob("postern_*.deb")
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.host = Host(self.folder)
        self.units = Units(self.host)
        self.times = {}
        self.answered = None  # the last answer, for failures
        for step in (self.make_host, self.run_the_manual, self.deliver, self.upgrade, self.downgrade,
                     self.backup_and_restore, self.remove, self.purge, self.drop, self.application):
            began = time.monotonic()
            with self.subTest(step.__name__):
                step()
                self.times[step.__name__] = time.monotonic() - began
                continue
            return  # each step needs those before it
        print(f"{self.tasks_at_upgrade} tasks under the upgrade;",
              ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.times.items()), file=sys.stderr)

    # --- the host as it was ----------------------------------------------------------------------

    def make_host(self):
        host = self.host
        host.unpack(PACKAGES / "chroot.tar")
        host.path("etc/nginx/sites-enabled/default").unlink(missing_ok=True)
        for name in ("app", "other"):
            host.write(f"etc/nginx/sites-available/{name}", SITE.replace("NAME", name))
            host.path(f"etc/nginx/sites-enabled/{name}").symlink_to(f"/etc/nginx/sites-available/{name}")
            host.write(f"srv/{name}/index.html", f"This is {name}.\n")
        host.must("nginx")
        host.must("pg_ctlcluster 15 main start")
        host.sql("CREATE ROLE app LOGIN PASSWORD 'of the application'")
        host.sql("CREATE DATABASE app OWNER app")
        self.as_application("CREATE TABLE orders (id int)")
        self.before = self.state_of_others()

    def as_application(self, statement):
        return self.host.must(f"PGPASSWORD='of the application' psql -XAtq -v ON_ERROR_STOP=1 -h 127.0.0.1 -U app "
                              f"-d app -c \"{statement}\"")

    def state_of_others(self):
        """What Postern must leave alone: the sites' answers, the application's rights and what it can do."""
        self.as_application("INSERT INTO orders VALUES (1); DELETE FROM orders")
        return {
            "other": self.site("other"),
            "app": self.site("app"),
            "config": self.host.path("etc/nginx/sites-available/other").read_text(),
            "database": self.host.sql("SELECT datacl, datdba::regrole, datconnlimit FROM pg_database "
                                      "WHERE datname = 'app'"),
            "role": self.host.sql("SELECT rolsuper, rolcreaterole, rolcreatedb, rolconfig FROM pg_roles "
                                  "WHERE rolname = 'app'"),
            "grants": self.host.sql("SELECT relname, relacl FROM pg_class WHERE relname = 'orders'", "app"),
            "members": self.host.sql("SELECT count(*) FROM pg_auth_members WHERE member = 'app'::regrole"),
        }

    def site(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
        connection.request("GET", "/", headers={"Host": f"{name}.example"})
        answer = connection.getresponse()
        headers = {key: value for key, value in answer.getheaders() if key != "Date"}
        body = answer.read()
        connection.close()
        return answer.status, headers, body

    # --- installed -------------------------------------------------------------------------------

    def run_the_manual(self):
        host = self.host
        commands = manual("install.md")
        self.assertGreaterEqual(len(commands), 3)
        shutil.copy(self.package, host.path("root"))
        took = 0
        for command in commands:
            if command.startswith("postern doctor"):
                self.start_what_setup_says()
            began = time.monotonic()
            # apt's question is answered as a person would.
            code, said = host.sh(f"cd /root && yes 2>/dev/null | {{ {command}; }}")
            took += time.monotonic() - began
            self.assertEqual(code, 0, f"{command}:\n{said}")
            if command.startswith("postern setup"):
                self.setup_said = said
                host.reload_nginx()
        self.assertLess(took, 300, "the manual's commands take under five minutes")
        self.times["commands"] = took
        self.assertEqual(self.state_of_others(), self.before)
        again, said = host.sh("postern setup --vhost app.example")
        self.assertEqual(again, 0, said)

    def start_what_setup_says(self):
        for unit in ("postern-fcgi.socket", "postern-scheduler@1"):
            self.assertIn(unit, self.setup_said)
        # Webhooks of this test go to loopback, which no task may reach by itself.
        with open(self.host.path("etc/postern/postern.conf"), "a") as file:
            file.write("\negress_allow = 127.0.0.0/8\n")
        for name, line in MINE.items():
            with open(self.host.path(f"etc/nginx/postern/{name}"), "a") as file:
                file.write(line)
        for unit in SERVICES:
            self.units.start(unit)
        self.wait(lambda: self.request("GET", "/v1/info")[0] == 401, "the API answers")

    # --- used ------------------------------------------------------------------------------------

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=30)
        headers = {"Host": "app.example", "Content-Type": "application/json"}
        if hasattr(self, "key"):
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            self.answered = answer.status, text
            return answer.status, json.loads(text) if text.startswith(b"{") else text
        finally:
            connection.close()

    def create(self, what):
        return self.request("POST", "/v1/tasks", {"queue": "emails", "webhook_url": self.receiver.url("/hook"),
                                                   "payload": {"what": what}})

    def wait(self, condition, what, timeout=120):
        end = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), end, f"not within {timeout} s: {what}\n{self.logs()}")
            time.sleep(0.05)

    def logs(self):
        logs = [*self.host.log.iterdir(), self.host.path("var/log/nginx/error.log")]
        return f"{self.answered}\n" + "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in logs)

    def deliver(self):
        made = json.loads(self.host.must("postern key create --name test --role admin --json"))
        self.key = made["key"]
        self.assertEqual(self.request("POST", "/v1/tasks")[0], 400)
        status, task = self.create("first")
        self.assertEqual(status, 201, task)
        self.wait(lambda: self.request("GET", f"/v1/tasks/{task['id']}")[1]["status"] == "completed", "it is completed")
        request, = self.receiver.at("/hook")
        self.assertEqual(request.json["payload"], {"what": "first"})
        self.assertIn("webhook-signature", request.headers)
        # All that is installed is there.
        for file in ("/usr/share/man/man1/postern.1.gz", "/usr/share/bash-completion/completions/postern-fcgi",
                     "/usr/share/postern/grafana", "/usr/share/doc/postern/copyright"):
            self.assertTrue(self.host.path(file).exists(), file)
        changed = [f"/etc/nginx/postern/{name}" for name in MINE] + ["/etc/postern/postern.conf"]
        self.assertEqual(sorted(self.host.must("dpkg --verify postern").split("\n")), ["", *sorted(f"??5?????? c {name}" for name in changed)])

    # --- upgraded --------------------------------------------------------------------------------

    def upgrade(self):
        host = self.host
        package, version = next_package(self.package, self.folder)
        self.next_version = version
        shutil.copy(package, host.path("root"))
        self.assertNotEqual(self.request("GET", "/v1/info")[1]["version"], version)
        pids = {name: self.units.running[name].pid for name in ("postern-fcgi.service", "postern-scheduler@1.service")}
        self.units.systemd_runs()
        load = Load(self)
        self.wait(lambda: len(load.created) > 20, "load")
        # dpkg asks about the settings, which were changed. Return keeps them.
        code, said = host.sh(f"cd /root && yes '' | apt-get install -y ./{package.name}")
        before = len(load.created)
        self.wait(lambda: len(load.created) > before + 20 or load.failed, "load after the upgrade")
        load.end()
        self.assertEqual(code, 0, said)
        self.assertEqual(load.failed, [])
        self.assertNotIn("NOT migrated", said)
        self.assertEqual([line for line in self.units.asked if "restart" in line],
                         ["restart postern-migrate.service", "try-restart postern-fcgi.service postern-scheduler@*"])
        for name, pid in pids.items():
            self.assertNotEqual(self.units.running[name].pid, pid, name)
        self.assertEqual(self.request("GET", "/v1/info")[1]["version"], version)
        settings = host.path("etc/postern/postern.conf").read_text()
        self.assertIn("\negress_allow", settings)
        self.assertNotIn(OF_THE_NEXT, settings)
        self.assertTrue(host.path("etc/postern/postern.conf.dpkg-dist").read_text().endswith(OF_THE_NEXT))
        self.assertTrue(host.path("etc/nginx/postern/http.conf").read_text().endswith(OF_THE_NEXT))
        for name, line in MINE.items():  # nobody was asked, and nginx accepts them beside the new files
            self.assertTrue(host.path(f"etc/nginx/postern/{name}").read_text().endswith(line))
            self.assertFalse(host.path(f"etc/nginx/postern/{name}.dpkg-dist").exists())
        self.assertIn("reload nginx.service", self.units.asked)
        database = self.database()
        self.assertEqual(host.sql("SELECT what FROM postern.added_by_the_next_version", database), "migrated")
        undone = "SELECT count(*) FROM postern.task"
        self.wait(lambda: host.sql(undone, database) == "0", "all tasks are delivered")
        self.assertEqual(host.sql("SELECT count(*) FROM postern.task_finished WHERE state <> 'completed'", database), "0")
        self.assertGreaterEqual(len(self.receiver.at("/hook")), len(load.created) + 1)
        self.assertEqual(self.state_of_others(), self.before)
        self.tasks_at_upgrade = len(load.created)

    def downgrade(self):
        """The older programs work with the newer schema, which says that they may."""
        self.units.asked.clear()
        said = self.host.must(f"cd /root && yes '' | apt-get install -y --allow-downgrades ./{self.package.name}")
        self.assertNotIn("NOT migrated", said)
        self.assertNotEqual(self.request("GET", "/v1/info")[1]["version"], self.next_version)
        status, task = self.create("after the downgrade")
        self.assertEqual(status, 201, task)
        self.wait(lambda: self.request("GET", f"/v1/tasks/{task['id']}")[1]["status"] == "completed", "it is completed")
        self.assertIn("egress_allow", self.host.path("etc/postern/postern.conf").read_text())

    def database(self):
        """The database that setup has made or used."""
        names = self.host.sql("SELECT datname FROM pg_database WHERE datallowconn").split()
        return next(name for name in names
                    if self.host.sql("SELECT to_regclass('postern.task') IS NOT NULL", name) == "t")

    # --- taken away ------------------------------------------------------------------------------

    def tasks(self):
        return self.host.sql("SELECT count(*) > 20 FROM postern.task_finished", self.database())

    def remove(self):
        said = self.host.must("apt-get remove -y postern")
        self.assertEqual([name for name in self.units.running if self.units.running[name] is not True], [], said)
        self.assertFalse(self.host.path("usr/bin/postern").exists())
        self.assertTrue(self.host.path("etc/postern/postern.conf").exists())
        self.assertEqual(self.tasks(), "t")
        self.host.reload_nginx()
        self.assertEqual(self.state_of_others(), self.before)

    def purge(self):
        # A site of Postern's own that is linked as it is shipped: the link leads nowhere afterwards, which nginx would not take.
        self.host.path("etc/nginx/sites-enabled/postern").symlink_to("/etc/nginx/postern/vhost.conf")
        said = self.host.must("apt-get purge -y postern")
        for what in ("database", "roles", "dropdb", "userdel"):
            self.assertIn(what, said)
        for left in ("etc/postern", "etc/nginx/conf.d/postern.conf", "usr/share/postern", "run/postern"):
            self.assertFalse(os.path.lexists(self.host.path(left)), left)
        self.assertEqual(self.tasks(), "t")
        # The vhost still includes the snippet. nginx starts all the same, and the package said so.
        self.host.reload_nginx()
        self.assertIn("sites-available/app", said)
        self.assertIn("delete what is empty:\n    /etc/nginx/snippets/postern.conf\n", said)
        self.assertEqual(self.state_of_others(), self.before)


def inside():
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4g,mode=755", "postern", os.environ["POSTERN_TEST_FOLDER"]],
                   check=True)
    # The loopback interface of the new network namespace is down at first.
    import fcntl
    import socket
    import struct
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
    unittest.main()


def main():
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        print("skipped: it wants root and debootstrap")
        return 0
    if not (PACKAGES / "chroot.tar").exists():
        print(f"there is no {PACKAGES}/chroot.tar, which `./dev test package` makes; chroot.log beside it says why")
        return 1
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.call([*unshare, "true"], stderr=subprocess.DEVNULL):
        print("skipped: root may not make namespaces here")
        return 0
    with scratch_folder() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        return subprocess.call([*unshare, sys.executable, __file__, *sys.argv[1:]],
                               env={**os.environ, "POSTERN_TEST_FOLDER": str(folder)})


if __name__ == "__main__":
    if "POSTERN_TEST_FOLDER" in os.environ:
        inside()
    else:
        sys.exit(main())
