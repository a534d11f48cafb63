#!/usr/bin/python3
"""Keys, tenants and who one is, through nginx, and by the command."""

import concurrent.futures
import json
import os
import subprocess
import unittest

from commanding import Commanding, OverHttp
from harness import Api, StackTest

POSING = {"Postern-Operator": "1", "POSTERN_OPERATOR": "1", "X-Postern-Operator": "1", "Postern-Role": "operator",
          "Postern-Verdict": "ok"}


def fresh(kind="k"):
    return f"{kind}-{os.urandom(4).hex()}"


class Keys(StackTest):
    def with_key(self, key):
        api = Api(self.stack.url, key, self.stack.certificate)
        self.addCleanup(api.close)
        return api

    def on_host(self, role, *more):
        return self.with_key(self.stack.postern("key", "create", "--name", fresh(), "--role", role, *more)["key"])

    def tenant(self):
        name = fresh("t")
        self.stack.postern("tenant", "create", "--name", name)
        return name

    def assert_refused(self, reply, status, reason):
        self.assertEqual((reply.status, reply.json["error"]["details"]["reason"]), (status, reason), reply.body)

    def test_a_key_made_over_http_works_until_it_is_revoked(self):
        name = fresh()
        made = self.api.post("/v1/keys", {"name": name, "role": "read"})
        self.assertEqual(made.status, 201, made.body)
        ours = self.with_key(made.json["key"])
        self.assertEqual(ours.get("/v1/whoami").json, {"identity": name, "tenant": "default", "role": "read",
                                                       "sandbox": False, "auth": "required"})
        self.assertEqual(ours.post("/v1/keys", {"name": fresh(), "role": "read"}).status, 403)
        listed = [key for key in self.api.get("/v1/keys").json["keys"] if key["name"] == name]
        self.assertEqual([key["role"] for key in listed], ["read"])
        self.assertNotIn("key", listed[0])
        self.assertEqual(self.api.post(f"/v1/keys/{name}/revoke").status, 200)
        self.wait_until(lambda: ours.get("/v1/whoami").status == 401)  # nginx keeps an answer for 5 s
        self.assert_refused(ours.get("/v1/whoami"), 401, "credential_invalid")

    def test_a_name_with_spaces_and_percents_is_found_again(self):
        name = f"{fresh()} 100% & more"
        self.assertEqual(self.api.post("/v1/keys", {"name": name, "role": "read"}).status, 201)
        path = name.replace("%", "%25").replace(" ", "%20").replace("&", "%26")
        self.assertEqual(self.api.post(f"/v1/keys/{path}/revoke").json["name"], name)

    def test_a_sandbox_key_says_so_and_makes_no_keys(self):
        made = self.api.post("/v1/keys", {"name": fresh(), "role": "admin", "sandbox": True}).json
        box = self.with_key(made["key"])
        self.assertTrue(box.get("/v1/whoami").json["sandbox"])
        for reply in (box.get("/v1/keys"), box.post("/v1/keys", {"name": fresh(), "role": "read"}),
                      box.post(f"/v1/keys/{made['name']}/revoke")):
            self.assert_refused(reply, 403, "sandbox_not_allowed")

    def test_an_operator_is_made_on_the_host_alone(self):
        operator = self.on_host("operator")
        self.assertEqual(operator.get("/v1/whoami").json["role"], "operator")
        self.assertEqual(operator.get("/v1/tenants").status, 200)
        self.assertEqual(operator.request("PUT", f"/v1/queues/{fresh()}", {}).status, 201)
        batch = {"tasks": [{"queue": "q", "webhook_url": self.receiver.url("/"), "delay": 3600}]}
        self.assertEqual(operator.post("/v1/tasks/batch", batch).status, 200)
        for api in (operator, self.api):
            self.assert_refused(api.post("/v1/keys", {"name": fresh(), "role": "operator"}), 403, "role_not_allowed")

    def test_tenants_are_for_operators(self):
        operator, tenant = self.on_host("operator"), self.tenant()
        theirs = self.on_host("admin", "--tenant", tenant)
        for api in (self.api, theirs, self.client("worker"), self.client("read")):
            for headers in ({}, POSING):
                self.assert_refused(api.get("/v1/tenants", headers=headers), 403, "role_not_allowed")
                self.assert_refused(api.request("POST", "/v1/tenants", {"name": "evil"}, headers), 403,
                                    "role_not_allowed")
        self.assertEqual(self.client().get("/v1/tenants", headers=POSING).status, 401)
        name = fresh("t")
        self.assertEqual(operator.post("/v1/tenants", {"name": name}).status, 201)
        self.assert_refused(operator.post("/v1/tenants", {"name": name}), 409, "tenant_already_exists")
        self.assertIn(name, [each["name"] for each in self.stack.postern("tenant", "list")])
        listed, query = [], "?limit=2"
        while query:
            page = operator.get(f"/v1/tenants{query}").json
            self.assertLessEqual(len(page["tenants"]), 2)
            listed += page["tenants"]
            query = f"?limit=2&cursor={page['next_cursor']}" if "next_cursor" in page else ""
        self.assertEqual([each["name"] for each in listed], sorted(each["name"] for each in listed))
        self.assertEqual([(each["queues"], each["keys"]) for each in listed if each["name"] == tenant], [(0, 1)])

    def test_an_admin_of_another_tenant_sees_and_ends_no_key_of_ours(self):
        theirs = self.on_host("admin", "--tenant", self.tenant())
        name = fresh()
        self.api.post("/v1/keys", {"name": name, "role": "read"})
        self.assertEqual(len(theirs.get("/v1/keys").json["keys"]), 1)
        self.assert_refused(theirs.post(f"/v1/keys/{name}/revoke"), 404, "key_not_found")

    def test_two_at_once_make_no_key_too_many(self):
        tenant, postgres = self.tenant(), self.stack.postgres
        admin = self.on_host("admin", "--tenant", tenant)
        def make(count):
            return ("SELECT count(postern.create_key(sha256(convert_to(n.name, 'UTF8')), n.name, 'read', "
                    f"'{tenant}', false, NULL, 1000, 1000)) FROM (SELECT gen_random_uuid()::text AS name FROM generate_series(1, {count})) n;")
        postgres.psql(make(998))
        with subprocess.Popen([postgres.bin / "psql", "-XAtq", postgres.url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as other, concurrent.futures.ThreadPoolExecutor() as pool:
            print(f"BEGIN; {make(1)}", file=other.stdin, flush=True)
            self.assertEqual(other.stdout.readline(), "1\n")  # the last that may be, and not committed
            second = pool.submit(admin.post, "/v1/keys", {"name": fresh(), "role": "read"})
            self.wait_until(lambda: second.done() or postgres.psql(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%create_key%'") != "0")
            print("COMMIT;", file=other.stdin, flush=True)
            self.assert_refused(second.result(), 409, "quota_exceeded")

    def test_an_expired_key_is_told_so_everywhere(self):
        expired = self.with_key("postern_expired")
        for path in ("/v1/whoami", "/v1/keys", "/v1/tenants"):
            self.assert_refused(expired.get(path), 401, "credential_invalid")
        self.assertEqual(self.client().get("/v1/whoami", headers=POSING).json, {
            "identity": None, "tenant": None, "role": None, "sandbox": False, "auth": "required"})


class WithoutAuthentication(StackTest):
    settings = {"POSTERN_AUTH": "none"}

    def test_everybody_is_an_admin_and_nobody_an_operator(self):
        everybody = {"identity": None, "tenant": "default", "role": "admin", "sandbox": False, "auth": "none"}
        operator = self.stack.postern("key", "create", "--name", fresh(), "--role", "operator")["key"]
        for headers in ({}, POSING, {"X-API-Key": operator}):
            nobody = self.client()
            self.assertEqual(nobody.get("/v1/whoami", headers=headers).json, everybody)
            for method, path, body, reason in (
                    ("GET", "/v1/tenants", None, "role_not_allowed"),
                    ("POST", "/v1/tenants", {"name": "evil"}, "role_not_allowed"),
                    ("GET", "/v1/keys", None, "identity_required"),
                    ("POST", "/v1/keys", {"name": "evil", "role": "admin"}, "identity_required"),
                    ("POST", "/v1/keys/evil/revoke", None, "identity_required")):
                reply = nobody.request(method, path, body, headers)
                self.assertEqual((reply.status, reply.json["error"]["details"]["reason"]), (403, reason))


class ByTheCommandOnTheHost(Commanding):
    def test_who_the_command_is(self):
        self.assertEqual(self.postern("whoami", schema="Whoami")["role"], "operator")


class ByTheCommand(OverHttp):
    def as_operator(self, *arguments):
        key = self.stack.postern("key", "create", "--name", fresh(), "--role", "operator")["key"]
        done = self.run_postern("--json", *arguments, env={"POSTERN_KEY": key})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_who_the_command_is(self):
        self.assertEqual(self.postern("whoami", schema="Whoami")["role"], "admin")
        self.assertIn("role: ", "\n".join(self.shown("whoami")))

    def test_keys(self):
        name = fresh()
        made = self.postern("key", "create", "--name", name, "--role", "worker", "--expires", "2040-01-31T00:00:00Z",
                            "--sandbox", schema="NewKey")
        self.assertTrue(made["key"].startswith("aq_test_"))
        self.assertEqual(made["expires_at"], "2040-01-31T00:00:00Z")
        self.assertIn(name, [key["name"] for key in self.postern("key", "list", schema=["Key"])])
        self.assertTrue(any(line.startswith(name) for line in self.shown("key", "list", "--wide")))
        self.assertIsNotNone(self.postern("key", "revoke", "--name", name, schema="Key")["revoked_at"])
        self.assertIn("--name: There is a key", self.refused("key", "create", "--name", name, "--role", "read", code=1))
        self.assertIn("--expires", self.refused("key", "create", "--name", "x", "--role", "read", "--expires", "2001-01-01T00:00:00Z"))
        self.assertIn("on the server's host alone",
                      self.refused("key", "create", "--name", "x", "--role", "operator", code=1))
        self.assertIn("--tenant", self.refused("key", "list", "--tenant", "default"))
        self.assertIn("Keep the key now", self.shown("key", "create", "--name", fresh(), "--role", "read")[-1])
        self.assertIn("host's database", self.refused("key", "export-nginx", "--file", "/nowhere/keys.map"))

    def test_tenants(self):
        name = fresh("t")
        self.assertEqual(self.as_operator("tenant", "create", "--name", name)["name"], name)
        self.assertIn(name, [tenant["name"] for tenant in self.as_operator("tenant", "list")])
        self.refused("tenant", "list", code=1)
        self.refused("tenant", "create", "--name", fresh("t"), code=1)


if __name__ == "__main__":
    unittest.main()
