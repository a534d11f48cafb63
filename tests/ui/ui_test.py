#!/usr/bin/python3
"""The dashboard in a real browser, on a whole stack: runs the files of browser/ with node's own test runner."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness import Answer, StackTest  # noqa: E402

from auth_variants_test import SsoStack  # noqa: E402

# From tests/support, which harness.py has made importable.
import leaks  # noqa: E402
import nginx  # noqa: E402
import skips  # noqa: E402
from commands import Commands  # noqa: E402
from furnish import HISTORY, furnish  # noqa: E402
from places import Places  # noqa: E402

CHROMIUM = "/usr/bin/chromium"


@unittest.skipUnless(os.path.exists(CHROMIUM), "there is no Chromium: apt-get install chromium")
class Browsing(StackTest):
    @classmethod
    def setUpClass(cls):
        cls.stack_type = type(cls.__name__, (cls.stack_type,), {})  # each class fills a stack of its own
        super().setUpClass()
        if "operator_key" not in cls.stack.state:
            for name, role, more in (("operator", "operator", ()), ("sandbox", "admin", ("--sandbox",))):
                key = cls.stack.postern("key", "create", "--name", f"the-{name}", "--role", role, *more)["key"]
                leaks.learn(key)
                cls.stack.state[f"{name}_key"] = key

    def browse(self, name, timeout=280, commands=None, **variables):
        """Runs browser/NAME.test.mjs on this stack. What it needs besides is given as environment variables; `commands`
        are functions that it may call by name."""
        environment = {**os.environ, **self.stack.env, "RECEIVER_URL": self.receiver.url("/hook"),
                       "POSTERN_OPERATOR_KEY": self.stack.state["operator_key"],
                       "POSTERN_SANDBOX_KEY": self.stack.state["sandbox_key"], **variables}
        with Commands({"key": self.make_key, "revoke": self.revoke_key, **(commands or {})}) as url:
            done = subprocess.run(["node", "--test", "--test-reporter=spec", HERE / f"browser/{name}.test.mjs"],
                                  env={**environment, "COMMANDS_URL": url}, timeout=timeout, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        for line in done.stdout.splitlines():
            if "measured:" in line:
                print(line.strip())

    def furnished(self):
        """Fills the stack, charts too, once for the class; the variables that name what is in it."""
        if not hasattr(self.stack, "furnished"):
            self.stack.furnished = {"FURNISHED": json.dumps(furnish(self.api, self.receiver))}
            self.stack.postgres.psql(HISTORY)
        return self.stack.furnished

    def make_key(self, **options):
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        key = self.stack.postern("key", "create", *arguments)["key"]
        leaks.learn(key)
        return key

    def revoke_key(self, name):
        return self.stack.postern("key", "revoke", "--name", name)


class Smoke(Browsing):
    def test_it_works(self):
        self.browse("smoke")


class Queues(Browsing):
    def test_queues(self):
        self.browse("queues")


class Tasks(Browsing):
    def test_lists_and_what_is_done_to_many(self):
        self.browse("tasks", BROKEN_URL=self.broken())

    def test_one_task(self):
        self.browse("task", BROKEN_URL=self.broken())

    def broken(self):
        self.receiver.on("/broken", Answer(503, body=b"the mail server is down"))
        return self.receiver.url("/broken")


class Targets(Browsing):
    def test_endpoints_and_failures(self):
        self.browse("targets", commands={"mend": self.mend, "came": self.came}, BROKEN_URL=self.receiver.url("/broken"))

    def setUp(self):
        super().setUp()
        self.receiver.on("/broken", 503)

    def mend(self):
        self.receiver.on("/broken", 200)

    def came(self, path):
        return len(self.receiver.at(path))

    def test_schedules(self):
        self.browse("schedules")


class Access(Browsing):
    def test_keys_and_tenants(self):
        self.browse("keys")

    def test_roles(self):
        self.browse("roles", **self.furnished())


class Away(Browsing):
    def test_the_api_is_away_and_comes_back(self):
        self.browse("away", commands={"stop_handlers": self.stop_handlers, "stop_database": self.stop_database, "start": self.start})

    def stop_handlers(self):
        self.stack.programs["socket"].stop(signal.SIGTERM)
        self.stack.programs["fcgi"].stop(signal.SIGTERM)

    def stop_database(self):
        self.stack.postgres.stop()

    def start(self):
        self.stack.start()


class Where(Browsing):
    stack_type = Places

    def test_under_a_prefix_and_in_a_site(self):
        self.browse("places", **self.furnished(), **self.stack.dashboards)


class SignedOn(Browsing):
    stack_type = SsoStack

    def test_where_nginx_signs_people_on_nobody_needs_a_key(self):
        self.browse("signed_on")


class Open(Browsing):
    settings = {"POSTERN_AUTH": "none"}

    def test_without_authentication_everybody_is_an_admin(self):
        self.browse("open")


class Light(Browsing):
    def test_everybody_can_use_it(self):
        self.browse("looks", SCHEME="light", **self.furnished())


class Dark(Browsing):
    def test_everybody_can_use_it(self):
        self.browse("looks", SCHEME="dark", **self.furnished())


class Narrow(Browsing):
    def test_a_telephone(self):
        self.browse("narrow", **self.furnished())

    def test_a_keyboard(self):
        self.browse("keyboard", **self.furnished())


class Hostile(Browsing):
    def test_hostile_data_is_text(self):
        path = "/evil?q=%3Cscript%3Ehacked=1%3C/script%3E"
        self.receiver.on(path, Answer(503, body="<script>hacked=1</script>\x1b[31m\u202eevil".encode() + b"x" * 3000))
        self.browse("hostile", EVIL_URL=self.receiver.url(path))


class Costs(Browsing):
    def test_what_a_visit_costs(self):
        self.browse("costs", **self.furnished())


class Statements(Browsing):
    """Counts in the server's log what the handlers ask the database."""

    def test_what_an_open_dashboard_costs(self):
        self.stack.postgres.psql("ALTER SYSTEM SET log_statement = 'all'")
        self.stack.postgres.psql("ALTER SYSTEM SET log_line_prefix = '%u '")
        self.stack.postgres.psql("SELECT pg_reload_conf()")
        self.browse("statements", commands={"statements": self.statements}, **self.furnished())

    def statements(self):
        with open(self.stack.postgres.log, errors="replace") as log:
            return sum(line.startswith("postern_api LOG:  ") for line in log)


class Pictures(Browsing):
    def test_pictures_of_every_screen(self):
        folder = nginx.BUILD / "ui-screenshots"
        self.browse("pictures", PICTURES=str(folder), **self.furnished())
        print(f"pictures of every screen are in {folder}")


if __name__ == "__main__":
    skips.main()
