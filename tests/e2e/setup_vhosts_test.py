"""Which server { } `postern setup` adds its line to, and how it has nginx work by it."""

import os
import socket
import unittest

from setup_test import SNIPPET, Host
from stack import free_ports


class Vhosts(unittest.TestCase):
    """Which server { } gets the line."""

    def setUp(self):
        self.host = Host(self)

    def sites(self, text):
        (self.host.root / "etc/nginx/sites-available/other").write_text(
            text.format(port=self.host.port, root=self.host.root))

    def test_a_name_that_nobody_has_is_refused_with_those_that_are_there(self):
        before = self.host.files()
        said = self.host.setup("--vhost", "none.example", code=1)
        self.assertIn("no server in", said)
        self.assertIn("app.example, other.example, www.app.example", said)
        self.assertEqual({name: text for name, text in self.host.files().items() if "sites" in name},
                         {name: text for name, text in before.items() if "sites" in name})

    def test_several_of_one_name_are_refused_by_their_lines(self):
        two = "server {{ listen 127.0.0.1:{port}; server_name two.example; }}\n"
        self.sites(two + two)
        said = self.host.setup("--vhost", "two.example", code=1)
        self.assertRegex(said, r"several servers \(\S+/other:1, \S+/other:2\)")

    def test_what_nginx_refuses_is_put_back(self):
        # The line is fine where it stands, and its file is not.
        (self.host.root / "etc/nginx/snippets/postern.conf").write_text("nonsense;\n")
        before = (self.host.root / "etc/nginx/sites-available/app").read_bytes()
        said = self.host.setup("--vhost", "app.example", code=1)
        self.assertIn('unknown directive "nonsense"', said)
        self.assertEqual((self.host.root / "etc/nginx/sites-available/app").read_bytes(), before)
        (self.host.root / "etc/nginx/snippets/postern.conf").write_text(SNIPPET)
        self.host.setup("--vhost", "app.example")

    def test_what_is_asked_after_it_is_answered_by_the_new_configuration(self):
        """A reload waits for nothing, and the workers with the old configuration would answer the first task."""
        self.host.start_nginx(self)
        (self.host.root / "etc/nginx/snippets/postern.conf").write_text("location = /v1/openapi.json { return 204; }\n")
        self.assertIn("nginx is reloaded", self.host.setup("--vhost", "app.example"))
        self.assertEqual(self.host.get("app.example", "/v1/openapi.json", tls=True)[0], 204)

    def test_a_reload_that_changes_nothing_fails_and_is_done_by_the_next_run(self):
        """What `nginx -t` does not see: an address that another program has."""
        self.host.start_nginx(self)
        [taken] = free_ports(1)
        with socket.socket() as other:
            other.bind(("127.0.0.1", taken))
            other.listen()
            self.sites("server {{ server_name taken.example; listen 127.0.0.1:%d; }}" % taken)
            said = self.host.setup("--vhost", "taken.example", code=1)
            self.assertRegex(said, r"(?s)FAILED +vhost.* file as it was: .*earlier workers go on.*: its error log says why")
            said = self.host.setup("--vhost", "taken.example", "--dry-run")
            self.assertRegex(said, "would do +vhost +reload nginx, which has not done so since .*/other was changed")
            self.assertRegex(self.host.setup("--vhost", "taken.example", code=1), "FAILED +vhost +nginx was told")
        self.assertRegex(self.host.setup("--vhost", "taken.example"), "did +vhost +nginx is reloaded")
        # Now nginx has what is there, and is left alone.
        workers = self.host.workers()
        self.assertRegex(self.host.setup("--vhost", "taken.example"), "is done +vhost")
        self.assertEqual(self.host.workers(), workers)

    def test_what_the_line_needs_and_nginx_has_not_read(self):
        """A package that was purged and is installed again: its files are back, and nothing has reloaded nginx."""
        nginx = self.host.root / "etc/nginx"
        (nginx / "snippets/postern.conf").write_text("location = /v1/openapi.json { return 204; }\n")
        self.host.start_nginx(self)
        self.assertIn("nginx is reloaded", self.host.setup("--vhost", "app.example"))
        link = nginx / "conf.d/postern.conf"

        def linked():
            link.unlink()
            link.symlink_to("../postern/http.conf")
            return link

        def written(name):
            (nginx / name).write_text((nginx / name).read_text())
            return nginx / name

        for change, *arguments in ((linked,), (link.unlink,), (written, "snippets/postern.conf"), (written, "postern/http.conf"),
                                   (written, "postern/location.conf")):
            named = change(*arguments) or link
            said = self.host.setup("--vhost", "app.example")
            self.assertRegex(said, "did +vhost +nginx is reloaded", str(named))
            workers = self.host.workers()
            self.assertRegex(self.host.setup("--vhost", "app.example"), "is done +vhost")
            self.assertEqual(self.host.workers(), workers)
        linked()
        said = self.host.setup("--vhost", "app.example", "--dry-run")
        self.assertRegex(said, "would do +vhost +reload nginx, which has not done so since .*/conf.d/postern.conf was changed")

    def test_nginx_is_found_wherever_the_file_with_its_process_is(self):
        conf = self.host.root / "etc/nginx/nginx.conf"
        pid = f"pid {self.host.root}/run/nginx.pid;"
        (conf.parent / "main.conf").write_text(pid)
        conf.write_text(conf.read_text().replace(pid, "include main.conf;"))
        self.host.start_nginx(self)
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.sites("server {{ server_name taken.example; listen 127.0.0.1:%d; }}" % other.getsockname()[1])
            self.assertIn("earlier workers go on", self.host.setup("--vhost", "taken.example", code=1))
            (self.host.root / "run/nginx.pid").rename(self.host.root / "run/nginx.away")
            said = self.host.setup("--vhost", "taken.example", code=1)
            self.assertRegex(said, r"(?s)FAILED +vhost +nginx runs \(process \d+\) and could not be reloaded: .*nginx\.pid")
        (self.host.root / "run/nginx.away").rename(self.host.root / "run/nginx.pid")
        self.assertIn("nginx is reloaded", self.host.setup("--vhost", "taken.example"))

    def test_what_is_not_seen_of_nginx_is_not_claimed(self):
        """A systemctl that reloads an nginx which is elsewhere."""
        (self.host.root / "run/systemd/system").mkdir(parents=True)
        systemctl = self.host.root / "bin/systemctl"
        systemctl.parent.mkdir()
        systemctl.write_text("#!/bin/sh\n")
        systemctl.chmod(0o755)
        said = self.host.setup("--vhost", "app.example", PATH=f"{systemctl.parent}:{os.environ['PATH']}")
        self.assertRegex(said, "; nginx was told to reload; its processes are not seen from here, so look")

    def test_a_configuration_that_is_wrong_already_is_left_alone(self):
        self.sites("server {{ nonsense; }}\n")
        before = self.host.files()
        said = self.host.setup("--vhost", "app.example", code=1)
        self.assertIn("as it is, before anything is changed", said)
        for name, text in self.host.files().items():
            if "nginx" in name:
                self.assertEqual(text, before[name])


if __name__ == "__main__":
    unittest.main()
