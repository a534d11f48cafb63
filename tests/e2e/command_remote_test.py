#!/usr/bin/python3
"""The operator's command over HTTP: whom it asks, with which key, and what it reads on its own machine."""

import pathlib
import subprocess
import tempfile
import unittest

from commanding import OverHttp
from harness import BIN, Answer


class Remote(OverHttp):
    def told(self, *arguments, env=None, code=1):
        done = self.run_postern(*arguments, env=env)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        return done.stderr

    def test_who_cannot_be_asked_is_named(self):
        self.assertIn("cannot connect to http://127.0.0.1:1", self.told("queue", "list", "--url", "http://127.0.0.1:1"))
        self.assertIn("not the API's", self.told("queue", "list", "--url", self.receiver.url("")))
        self.receiver.on("/moved/v1/queues", 302)
        self.assertIn("redirects to", self.told("queue", "list", "--url", self.receiver.url("/moved")))
        self.assertEqual([request.path for request in self.receiver.requests if "moved" in request.path],
                         ["/moved/v1/queues"])

    def test_no_answer_controls_the_terminal(self):
        """Of whoever stands at the address, or between."""
        escape, stolen = "\x1b]0;hidden\x07", "\\x1b]0;hidden\\x07"
        self.receiver.on("/hostile/v1/queues", Answer(302, headers={"Location": f"https://elsewhere/{escape}"}))
        said = self.told("queue", "list", "--url", self.receiver.url("/hostile"))
        self.assertIn(stolen, said)
        self.assertNotIn("\x1b", said)
        self.stack.postern("key", "create", "--role", "read", "--name", f"odd{escape}")
        self.addCleanup(self.stack.postern, "key", "revoke", "--name", f"odd{escape}")
        shown = subprocess.run([BIN / "postern", "key", "list", "--database", self.stack.postgres.url()],
                               capture_output=True, text=True, check=True).stdout
        self.assertIn(f"odd{stolen}", shown)
        self.assertNotIn("\x1b", shown)

    def test_a_key_is_wanted_and_judged(self):
        self.assertIn("POSTERN_KEY", self.told("queue", "list", env={"POSTERN_KEY": ""}, code=2))
        self.assertIn("unknown, revoked or expired", self.told("queue", "list", "--key", "postern_wrong"))
        read = {"POSTERN_KEY": self.stack.state["read_key"]}
        self.assertIn("may not do this", self.told("queue", "add", "mine", env=read))
        self.assertEqual(self.run_postern("queue", "list", env=read).returncode, 0)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.stack.state["admin_key"] + "\n")
            file.flush()
            done = self.run_postern("queue", "list", "--key-file", file.name, env={"POSTERN_KEY": "postern_wrong"})
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--tenant", self.told("queue", "list", "--tenant", "default", code=2))
        self.assertIn("host's database", self.told("secret", "show", "--url", self.stack.url, code=2))

    def test_no_receiver_of_webhooks_gets_the_key(self):
        """Whoever takes --url for that of the webhook, as it was."""
        for verb in (["endpoint", "add", "mail"], ["endpoint", "set", "mail"], ["task", "add", "--queue", "q"],
                     ["schedule", "add", "nightly", "--cron", "@daily"]):
            self.told(*verb, "--url", self.receiver.url("/hook"), code=2)
        self.assertEqual([request.path for request in self.receiver.requests if "hook" in request.path], [])

    def test_a_key_in_the_clear_is_told_of(self):
        self.assertIn("can read the key", self.told("queue", "list", "--url", "http://nowhere.invalid"))
        self.assertNotIn("can read the key", self.told("queue", "list", "--url", "https://nowhere.invalid"))
        self.assertNotIn("can read the key", self.told("queue", "list", "--url", "http://127.0.0.1:1"))

    def test_certificates_are_checked(self):
        over_tls = ["queue", "list", "--url", self.stack.tls_url]
        self.assertIn("no TLS with", self.told(*over_tls))
        done = self.run_postern(*over_tls, "--ca-file", self.stack.certificate)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_no_file_of_settings_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "postern.conf")
            file.write_text("nonsense")
            done = self.run_postern("queue", "list", env={"POSTERN_CONFIG": str(file)})
            self.assertEqual(done.returncode, 0, done.stderr)
            traced = subprocess.run(
                ["strace", "-f", "-e", "trace=openat,open", "-o", f"{folder}/trace", BIN / "postern", "queue", "list",
                 "--url", self.stack.url, "--key", self.stack.state["admin_key"]], capture_output=True, check=False
            ) if pathlib.Path("/usr/bin/strace").exists() else None
            if traced:
                self.assertNotIn("/etc/postern", pathlib.Path(folder, "trace").read_text())

    def test_options_of_the_api_without_it_are_refused(self):
        for option in ("--key", "--key-file", "--ca-file"):
            self.assertIn(f"{option}: it goes with --url",
                          self.told("queue", "list", option, "x", env={"POSTERN_URL": "", "POSTERN_LOG_LEVEL": ""},
                                    code=2))


if __name__ == "__main__":
    unittest.main()
