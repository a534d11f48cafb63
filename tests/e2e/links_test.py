#!/usr/bin/python3
"""Links, followed through nginx: whichever of three sites is asked, with a prefix or without, each leads to public_url and
there to what it names."""

import unittest
import urllib.parse

from harness import Answer, Api, StackTest
from speakers import SPEAKERS

# From tests/support, which harness.py has made importable.
from stack import Stack, free_ports

# Besides the ready vhost, which has all at the root.
SITES = """
    server {{
        listen 127.0.0.1:{line};
        include snippets/postern.conf;
        location ^~ /asyncqueue/ {{ include postern/location.conf; }}
        location ^~ /asyncjobs/  {{ include postern/location.conf; }}
        location ^~ /taskmq/     {{ include postern/location.conf; }}
        location / {{ return 404 "the site"; }}
    }}
    server {{
        listen 127.0.0.1:{prefix};
        set $postern_base /queue;
        include postern/server.conf;
        location ^~ /queue/ {{ include postern/location.conf; }}
        location / {{ return 404 "the site"; }}
    }}
"""


# Where each dialect is spoken in all three.
MOUNTS = {"native": [""], "asyncqueue": ["", "/asyncqueue"], "asyncjobs": ["", "/asyncjobs"], "taskmq": ["/taskmq"]}


class Sites(Stack):
    """`sites`: the address of each, in front of /v1. `public` names the one that is public_url."""

    public = "prefix"

    def _make_state(self):
        super()._make_state()
        if "sites" not in self.state:
            line, prefix = self.ports = free_ports(2)
            self.state["sites"] = {"ready": self.url, "line": f"http://127.0.0.1:{line}", "prefix": f"http://127.0.0.1:{prefix}/queue"}
            self.settings = {"POSTERN_PUBLIC_URL": self.state["sites"][self.public]}

    def _vhost(self):
        servers, places = super()._vhost()
        line, prefix = self.ports
        return servers + SITES.format(line=line, prefix=prefix), places


class SitesOfOneLine(Sites):
    public = "line"


class ToASiteWithAPrefix(StackTest):
    stack_type = Sites

    def setUp(self):
        super().setUp()
        self.sites = self.stack.state["sites"]
        self.public_url = self.stack.settings["POSTERN_PUBLIC_URL"]

    def ask(self, url, method="GET", body=None, key="admin"):
        """What is answered at this very URL."""
        parts = urllib.parse.urlsplit(url)
        api = Api(f"{parts.scheme}://{parts.netloc}", key and self.stack.state[f"{key}_key"])
        try:
            return api.request(method, url.removeprefix(f"{parts.scheme}://{parts.netloc}"), body)
        finally:
            api.close()

    def linked(self, url, method, body):
        """What the Location of an answer leads to, and the answer's own body."""
        made = self.ask(url, method, body)
        self.assertIn(made.status, (200, 201), (url, made.body))
        link = made.headers["Location"]
        self.assertEqual(link[:len(self.public_url) + 1], f"{self.public_url}/", f"{url} answers with {link}")
        reply = self.ask(link)
        self.assertEqual(reply.status, 200, f"{url} answers with {link}: {reply.body}")
        return reply.json, made.json

    def test_a_new_task(self):
        for site in self.sites.values():
            for speaker_type in SPEAKERS:
                for mount in MOUNTS[speaker_type.name]:
                    with self.subTest(site=site, dialect=speaker_type.name, mount=mount):
                        speaker = speaker_type(self, mount)
                        speaker.api = BelowASite(self, site)
                        made = speaker.try_create(later=True)
                        self.assertEqual(made.status, speaker.created_status, made.body)
                        link = made.headers["Location"]
                        self.assertTrue(link.startswith(f"{self.public_url}/"), link)
                        there = self.ask(link)
                        self.assertEqual(there.status, 200, (link, there.body))
                        speaker.check_task(there.json)

    def test_what_else_is_made(self):
        task = {"queue": "default", "webhook_url": self.receiver.url("/hook")}
        for number, site in enumerate(self.sites.values()):
            there, made = self.linked(f"{site}/v1/endpoints", "POST", {"name": f"e{number}", "url": self.receiver.url("/e")})
            self.assertEqual(there["name"], made["name"])
            there, made = self.linked(f"{site}/v1/endpoints/e{number}/test", "POST", {})
            self.assertEqual(there["id"], made["id"])
            there, made = self.linked(f"{site}/v1/schedules", "POST", {"name": f"s{number}", "schedule": "@yearly", **task})
            self.assertEqual(there["name"], made["name"])
            there, made = self.linked(f"{site}/v1/schedules/s{number}/trigger", "POST", {})
            self.assertEqual(there["id"], made["task_id"])

    def test_the_end_of_a_deferred_attempt(self):
        self.receiver.on("/hook", Answer(202, headers={"Postern-Defer": "60"}))
        task = self.create()
        self.wait_until(lambda: self.get(task).get("deferred"), 30, "the task is deferred")
        url = self.receiver.at("/hook")[-1].headers["Postern-Complete-Url"]
        reply = self.ask(url, "POST", {}, key=None)
        self.assertEqual((reply.status, reply.body and reply.json), (200, {"status": "completed"}), url)

    def test_where_a_tenant_has_moved(self):
        """The other cell's public_url has its own prefix; that of the site here says nothing of it."""
        self.receiver.on("/hook", Answer(202, headers={"Postern-Defer": "60"}))
        task = self.create()
        self.wait_until(lambda: self.get(task).get("deferred"), 30, "the task is deferred")
        url = urllib.parse.urlsplit(self.receiver.at("/hook")[-1].headers["Postern-Complete-Url"])
        end = f"{url.path[url.path.index('/v1/'):]}?{url.query}"

        def place(state, to):
            self.stack.postgres.psql(f"""UPDATE postern.tenant SET state = '{state}', (moved_to, moved_url, moved_at) = ({to})
                                      WHERE name = 'default'""")

        place("moved", f"'zz', '{self.public_url}', now()")
        self.addCleanup(place, "here", "NULL, NULL, NULL")
        self.wait_until(lambda: self.ask(f"{self.public_url}/taskmq/job/7").status == 308, what="the handlers know it")
        for path, method in (("/taskmq/job/7", "GET"), (end, "POST")):
            for site in self.sites.values():
                reply = self.ask(f"{site}{path}", method, {} if method == "POST" else None, key=None if path == end else "admin")
                self.assertEqual((reply.status, reply.headers["Location"]), (308, f"{self.public_url}{path}"), site)
        place("here", "NULL, NULL, NULL")
        self.wait_until(lambda: self.ask(f"{self.public_url}{end}", "POST", {}, key=None).status == 200, what="the same request where it was sent to")

    def test_a_slash_too_many(self):
        """Stays in the site that was asked: HTTP clients take no key to another."""
        for site in self.sites.values():
            job = self.ask(f"{site}/taskmq/add-job", "POST", {"payload": {}, "handler": "hook", "scheduled_for": "2030-01-01T00:00:00Z"})
            url = f"{site}/taskmq/job/{job.json['job_id']}/"
            reply = self.ask(url)
            self.assertEqual(reply.status, 307, url)
            there = urllib.parse.urljoin(url, reply.headers["Location"])
            self.assertEqual(there, url.removesuffix("/"))
            self.assertEqual(self.ask(there).status, 200, there)

    def test_the_server_of_a_description(self):
        """A relative URL, so that a page tries its requests in its own site."""
        for site in self.sites.values():
            for path, below, known in (("/v1/openapi.json", "", "/v1/info"), ("/asyncqueue/v1/openapi.json", "/asyncqueue", "/v1/tasks"),
                                       ("/asyncjobs/v1/openapi.json", "/asyncjobs", "/v1/tasks"), ("/taskmq/openapi.json", "/taskmq", "/health")):
                (server,) = self.ask(f"{site}{path}").json["servers"]
                there = urllib.parse.urljoin(f"{site}{path}", server["url"]).removesuffix("/")
                self.assertEqual(there, f"{site}{below}")
                self.assertEqual(self.ask(f"{there}{known}").status, 200, there)


class ToASiteWithout(ToASiteWithAPrefix):
    stack_type = SitesOfOneLine


class BelowASite:
    """A client as Api is one, to which the address of a site belongs."""

    def __init__(self, test, site):
        self.test, self.site = test, site

    def request(self, method, path, body=None, headers=None):
        del headers
        return self.test.ask(f"{self.site}{path}", method, body)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body, headers)


if __name__ == "__main__":
    unittest.main()
