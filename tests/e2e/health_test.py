#!/usr/bin/python3
"""`postern doctor`, `postern health` and GET /v1/health say the same words for the same trouble."""

import json
import signal
import subprocess
import time
import unittest

from commanding import Commanding
from described import faults
from harness import BIN

# What the doctor looks at besides: this host, and what takes rights or a connection of its own.
DOCTORS_OWN = {"connection", "session", "drift", "primary", "public url", "nginx", "token keys"}
# What differs from one look to the next.
MOVING = {"clock", "dead tuples", "transaction ids", "oldest transaction", "oldest due"}
OF_TENANTS = {"scheduler", "pauses", "breakers", "oldest due", "failures", "egress"}


class Health(Commanding):
    def doctor(self):
        rows = json.loads(self.run_postern("--json", "doctor").stdout)
        return {row["check"]: (row["verdict"].lower(), row["finding"], row["hint"] or "") for row in rows}

    @staticmethod
    def said(report):
        return {check["name"]: (check["verdict"], check["finding"], check["hint"]) for check in report["checks"]}

    def health(self):
        """As an operator, in the command's own process with the handlers' rights."""
        report = json.loads(self.run_postern("--json", "health").stdout)
        self.assertEqual(faults(self.document, {"$ref": "#/components/schemas/Health"}, report), [])
        return report

    def own(self):
        answer = self.api.get("/v1/health")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(faults(self.document, {"$ref": "#/components/schemas/Health"}, answer.json), [])
        return answer.json

    def all_say(self, check, finding, verdict):
        """Waits until the doctor says so; then the others do, too, the handlers within the 5 s of a report."""
        self.wait_until(lambda: self.doctor()[check][:2] == (verdict, finding), 60, f"{check}: {finding}")
        # A breaker is not open for the moment of its probe.
        self.wait_until(lambda: self.said(self.health())[check] == self.doctor()[check], 30, "the command says what the doctor says")
        self.wait_until(lambda: self.said(self.own())[check] == self.doctor()[check], 30, "the handlers say what the doctor says")

    def test_all_is_well(self):
        doctor, health = self.doctor(), self.health()
        self.assertEqual(health["scope"], "all")
        said = self.said(health)
        self.assertEqual(doctor.keys() - DOCTORS_OWN, said.keys())
        for name in said.keys() - MOVING:
            self.assertEqual(said[name], doctor[name], name)
        for name in MOVING:
            self.assertEqual(said[name][0], doctor[name][0], name)
        self.assertGreater(len(health["partitions"]), 4)
        self.assertTrue(all(handler["up"] for handler in health["handlers"]), health["handlers"])
        own = self.own()
        self.assertEqual((own["scope"], own["schedulers_up"], self.said(own).keys()), ("tenant", 1, OF_TENANTS))

    def test_from_elsewhere_it_is_what_the_key_may_see(self):
        done = subprocess.run([BIN / "postern", "health", "--wide", "--url", self.stack.url, "--key",
                               self.stack.state["read_key"]], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual({line.split("  ")[0] for line in done.stdout.splitlines()[1:]} & OF_TENANTS, OF_TENANTS)
        self.assertNotIn("partition", done.stdout)

    def key_of(self, tenant, role):
        return json.loads(subprocess.run(
            [BIN / "postern", "--database", self.stack.postgres.url(), "--json", "key", "create", "--tenant", tenant, "--role", role,
             "--name", f"{role}-{time.monotonic_ns()}"], check=True, capture_output=True, text=True).stdout)["key"]

    def as_who_has(self, key):
        client = self.client()
        client.key = key
        return client

    def test_another_tenants_admin_and_an_operator(self):
        self.stack.postgres.psql("INSERT INTO postern.tenant (name) VALUES ('rival') ON CONFLICT DO NOTHING")
        self.api.request("PUT", "/v1/queues/secret_name", {})
        self.api.post("/v1/queues/secret_name/pause", {})
        self.addCleanup(self.api.delete, "/v1/queues/secret_name")
        self.wait_until(lambda: "secret_name" in json.dumps(self.own()), 30, "the tenant's own report has it")
        rival = self.as_who_has(self.key_of("rival", "admin")).get("/v1/health")
        self.assertEqual((rival.status, rival.json["scope"]), (200, "tenant"))
        self.assertNotIn("secret_name", json.dumps(rival.json))
        self.assertNotIn("default/", json.dumps(rival.json))
        overseer = self.as_who_has(self.key_of("rival", "operator"))

        def report():
            answer = overseer.get("/v1/health")
            self.assertEqual((answer.status, answer.json["scope"]), (200, "all"))
            self.assertEqual(faults(self.document, {"$ref": "#/components/schemas/Health"}, answer.json), [])
            return answer.json
        self.wait_until(lambda: "queue default/secret_name" in json.dumps(report()), 30, "an operator is told")

        def apart():
            said, doctor = self.said(report()), self.doctor()
            self.assertEqual(said.keys(), doctor.keys() - DOCTORS_OWN)
            return [name for name in said.keys() - MOVING if said[name] != doctor[name]]
        self.wait_until(lambda: not apart(), 30, "the handlers, whose report is 5 s old at most, say what the doctor says")

    def test_a_paused_queue(self):
        self.api.request("PUT", "/v1/queues/held", {})
        self.assertEqual(self.api.post("/v1/queues/held/pause", {}).status // 100, 2)
        self.all_say("pauses", "paused: queue default/held", "warning")
        self.assertEqual(self.api.post("/v1/queues/held/resume", {}).status // 100, 2)
        self.all_say("pauses", "nothing is paused", "ok")

    def test_an_open_breaker(self):
        self.receiver.on("/down", 503)
        target = self.receiver.url("/down")
        for _ in range(30):
            self.create(queue="down", webhook_url=target, max_retries=0)
        host = target.split("/")[2]
        self.all_say("breakers", f"open: default/down to {host}", "warning")
        lane = {"queue": "down", "target": host, "state": "open"}
        self.wait_until(lambda: lane in self.own()["breakers"], 30, "the handlers name the lane")
        self.wait_until(lambda: {"tenant": "default", **lane} in self.health()["breakers"], 30, "the command names the lane")

    def test_no_scheduler(self):
        self.addCleanup(self.stack._start_scheduler)
        self.stack.programs["scheduler"].stop(signal.SIGTERM, timeout=40)
        self.all_say("scheduler", "0 up", "wrong")
        self.assertEqual((self.own()["status"], self.own()["schedulers_up"]), ("wrong", 0))
        self.assertIn("nothing is delivered without one", "".join(self.shown("--wide", "health", code=1)))


if __name__ == "__main__":
    unittest.main()
