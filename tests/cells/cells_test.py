#!/usr/bin/python3
"""Two cells behind one nginx: whose credential goes where."""

import re
import signal
import unittest

from pair import CellsTest, wait_until


class Credentials(CellsTest):
    def test_a_key_leads_to_its_cell_in_either_header(self):
        for cell, other in ((self.a, self.b), (self.b, self.a)):
            for options in ((), ("--sandbox",)):
                key = cell.key(*options)
                self.assertRegex(key, f"^{'aq_test' if options else 'postern'}_{cell.label}_[0-9A-Za-z]{{43}}$")
                for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key},
                                {"Authorization": f"bearer  {key}"}, {"Authorization": f"Bearer {key}", "X-API-Key": key}):
                    here, there = self.count(cell), self.count(other)
                    made = self.at(self.front).post("/v1/tasks", self.task(), headers=headers)
                    self.assertEqual(made.status, 201, made.body)
                    self.assertEqual(made.json["queue"], "aq_test" if options else "default")
                    self.assertTrue(made.headers["Location"].startswith(cell.url + "/v1/tasks/"))
                    self.assertEqual((self.count(cell), self.count(other)), (here + 1, there))

    def test_a_key_made_over_http_carries_the_label_too(self):
        for cell in (self.a, self.b):
            made = self.at(self.front, cell.key()).post("/v1/keys", {"name": f"k{self.count(cell)}", "role": "read"})
            self.assertTrue(made.json["key"].startswith(f"postern_{cell.label}_"), made.body)
            self.assertEqual(self.at(self.front, made.json["key"]).get("/v1/tasks").status, 200)

    def test_a_key_without_a_label_is_of_the_first_cell(self):
        for prefix in ("postern", "aq_test"):
            key = self.a.key(*(["--sandbox"] if prefix == "aq_test" else []))
            old = key.replace("_a_", "_", 1)
            self.a.postgres.psql(f"""
                INSERT INTO postern.api_key (hash, name, role, tenant, sandbox)
                VALUES (sha256('{old}'), '{prefix} old', 'admin', 'default', {prefix == 'aq_test'})""")
            before = self.count(self.a)
            self.assertEqual(self.at(self.front, old).post("/v1/tasks", self.task()).status, 201)
            self.assertEqual(self.count(self.a), before + 1)

    def test_a_vhost_is_of_its_cell_alone(self):
        a, b = self.a.key(), self.b.key()
        for url, key, status in ((self.a.url, a, 200), (self.a.url, b, 401), (self.b.url, b, 200), (self.b.url, a, 401),
                                 (self.a.tls_url, a, 200), (self.front, a, 200), (self.front, b, 200)):
            self.assertEqual(self.at(url, key).get("/v1/tasks").status, status, (url, key[:10]))
        # Each verdict is kept for its vhost alone, also where there is no tenant to tell them apart.
        for _ in range(3):
            self.assertEqual(self.at(self.b.url, a).get("/v1/tasks").status, 401)
            self.assertEqual(self.at(self.a.url, a).get("/v1/tasks").status, 200)

    def test_labels_that_are_none(self):
        random = self.b.key().removeprefix("postern_b_")
        for text in ("postern_zz_", "postern_B_", "postern_b__", "postern__b_", f"postern_{'b' * 17}_", "postern_b", "b_",
                     "postern_b%00_", "postern_b\\_", "postern_b;_", "postern_b _", "aq_test_", "postern_postern_b_",
                     "postern_$postern_upstream_", f"postern_{'b' * 8000}_", "postern_default_", "postern_include_"):
            for headers in ({"Authorization": f"Bearer {text}{random}"}, {"X-API-Key": f"{text}{random}"}):
                reply = self.at(self.front).get("/v1/tasks", headers=headers)
                self.assertEqual(reply.status, 401, text[:40])
        # Two credentials that are not one.
        a, b = self.a.key(), self.b.key()
        for one, other in ((a, b), (b, a)):
            reply = self.at(self.front).get("/v1/tasks", headers={"Authorization": f"Bearer {one}", "X-API-Key": other})
            self.assertEqual(reply.status, 401)

    def test_no_header_of_a_client_is_a_cell(self):
        key = self.a.key()
        posing = {name: value for base, value in (("Postern-Cell", "b"), ("Postern-Cells", "1"), ("Postern-Key", "0" * 64),
                                                  ("Postern-Key-Hash", "0" * 64), ("Postern-Tenant", "acme"))
                  for name in (base, f"X-{base}", base.upper().replace("-", "_"))}
        posing["X-Accel-Redirect"] = "@postern_moved"
        before = self.count(self.a), self.count(self.b)
        self.assertEqual(self.at(self.front, key).post("/v1/tasks", self.task(), headers=posing).status, 201)
        self.assertEqual((self.count(self.a), self.count(self.b)), (before[0] + 1, before[1]))

    def test_a_cell_never_sees_who_another_vouches_for(self):
        """Both have a tenant of the same name, which are two."""
        name = self.tenant(self.a, self.b)
        a, b = (cell.key("--tenant", name) for cell in (self.a, self.b))
        for key, cell in ((a, self.a), (b, self.b)):
            self.assertEqual(self.at(self.front, key).post("/v1/tasks", self.task()).status, 201)
        self.assertEqual([self.count(cell, name) for cell in (self.a, self.b)], [1, 1])
        self.a.postern("key", "revoke", "--tenant", name, "--name", self.at(self.front, a).get("/v1/whoami").json["identity"])
        wait_until(lambda: self.at(self.front, a).get("/v1/tasks").status == 401, 15, "5 s are over")
        self.assertEqual(self.at(self.front, b).get("/v1/tasks").status, 200)

    def test_tokens_go_by_the_vhost_and_by_tenants_map(self):
        mine, theirs = self.tenant(self.a), self.tenant(self.b)
        self.assertEqual(self.at(self.front, self.token(tenant=mine)).post("/v1/tasks", self.task()).status, 201)
        self.assertEqual(self.at(self.b.url, self.token(tenant=theirs)).post("/v1/tasks", self.task()).status, 201)
        self.assertEqual(self.at(self.front, self.token(tenant=theirs)).post("/v1/tasks", self.task()).status, 404)
        self.a.map_tenants(**{theirs: "b"})
        wait_until(lambda: self.at(self.front, self.token(tenant=theirs)).post("/v1/tasks", self.task()).status == 201)
        self.assertEqual((self.count(self.a, mine), self.count(self.b, theirs)), (1, 2))

    def test_a_cell_that_is_taken_for_another_does_nothing(self):
        """As when cells.map leads a label to the wrong socket."""
        mistaken = self.tenant(self.a)
        self.a.map_tenants(**{mistaken: "zz"})
        api = self.at(self.front, self.token(tenant=mistaken))
        wait_until(lambda: self.at(self.front, api.key).get("/v1/tasks").status == 503)
        reply = self.at(self.front, api.key).post("/v1/tasks", self.task())
        self.assertEqual(reply.status, 503)
        self.assertEqual(reply.json["error"]["details"]["reason"], "cell_mismatch")
        self.assertEqual(self.count(self.a, mistaken), 0)


class Monitoring(CellsTest):
    def test_what_has_no_credential_answers_for_each_cell(self):
        for cell in (self.a, self.b):
            api = self.at(cell.url)
            self.assertEqual(api.get("/healthz").status, 200)
            wait_until(lambda: api.get("/readyz").status == 200)
            metrics = api.get("/metrics").body.decode()
            self.assertIn(f'postern_cell_info{{cell="{cell.label}"}} 1\n', metrics)
        # A key does not choose whom they speak of.
        for url, label in ((self.front, "a"), (self.a.url, "a"), (self.b.url, "b")):
            for key in (self.a.key(), self.b.key()):
                metrics = self.at(url, key).get("/metrics").body.decode()
                self.assertEqual(re.findall(r'postern_cell_info\{cell="(.)"\}', metrics), [label])


class Failures(CellsTest):
    def test_one_cell_down_leaves_the_other_alone(self):
        a, b = (self.at(self.front, cell.key()) for cell in (self.a, self.b))
        for api in (a, b):
            self.assertEqual(api.get("/v1/tasks").status, 200)
        self.b.programs["socket"].stop(signal.SIGTERM, timeout=40)
        self.b.programs["fcgi"].stop(signal.SIGTERM)
        self.assertEqual(b.get("/v1/tasks").status // 100, 5)
        for _ in range(20):
            self.assertEqual(a.post("/v1/tasks", self.task()).status, 201)
        self.assertEqual(self.at(self.b.url).get("/healthz").status, 502)
        self.assertEqual(self.at(self.a.url).get("/readyz").status, 200)
        self.b._start_handlers()
        wait_until(lambda: b.post("/v1/tasks", self.task()).status == 201)
        self.b.postgres.stop(signal.SIGQUIT)
        for _ in range(20):
            self.assertEqual(a.post("/v1/tasks", self.task()).status, 201)
        self.assertEqual(b.post("/v1/tasks", self.task()).status, 503)
        self.b.postgres.start()
        wait_until(lambda: b.post("/v1/tasks", self.task()).status == 201)


if __name__ == "__main__":
    unittest.main()
