#!/usr/bin/python3
"""The authentication variants of nginx/ besides keys and tokens, each with its own nginx against the whole
stack."""

import http.server
import os
import ssl
import stat
import subprocess
import threading
import unittest

from harness import BIN, Api, StackTest

import nginx
from stack import Stack, run, write_private

# Headers by which a client may try to forge an identity; nginx must ignore them.
POSING = {"Postern-Verdict": "ok", "Postern-Role": "admin", "Postern-Identity": "root", "POSTERN_ROLE": "admin",
          "Postern-Operator": "1", "POSTERN_OPERATOR": "1", "X-Auth-Request-User": "root", "X-Auth-Request-Groups": "postern-admins"}


def whoami(identity, tenant, role):
    return {"identity": identity, "tenant": tenant, "role": role, "sandbox": False, "auth": "required"}


class VariantStack(Stack):
    """A stack whose nginx has another file of nginx/ instead of auth.conf."""

    auth = at_http = None
    in_server = ""

    def places_of_variant(self):
        return {}

    def _nginx_command(self):
        servers, places = self._vhost()
        places |= self.places_of_variant()
        places["location / { include postern/location.conf; }"] = (
            self.in_server + "\n    location / { include postern/location.conf; }")
        return nginx.command(self.dir / "nginx", self.run / "fcgi.sock",
                             f"    include postern/{self.at_http};\n{servers}", places, self.auth)


class MtlsStack(VariantStack):
    auth, at_http = "auth-mtls.conf", "mtls.conf"

    def places_of_variant(self):
        self.certificate_of("ca", None)
        for name in ("billing", "boss", "stranger"):
            self.certificate_of(name, "ca")
        self.certificate_of("selfmade", None)
        self.certificate_of("expired", "ca", days=-1)
        self.certificate_of("other-ca", None)
        self.certificate_of("foreign", "other-ca")
        write_private(self.dir / "subjects.map", '"CN=billing" "billing worker acme";\n"CN=boss" "boss operator default";\n')
        self.in_server = (f"ssl_client_certificate {self.dir}/ca.pem;\n    ssl_verify_client optional;")
        return {"/etc/nginx/postern/subjects.map": self.dir / "subjects.map"}

    def certificate_of(self, name, issuer, days=30):
        key, request, certificate = (self.dir / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", f"/CN={name}", "-keyout", key, "-out", request])
        signer = ["-CA", self.dir / f"{issuer}.pem", "-CAkey", self.dir / f"{issuer}.key", "-CAcreateserial"]
        run(["openssl", "x509", "-req", "-in", request, "-days", str(days), "-out", certificate,
             *(signer if issuer else ["-signkey", key])])


class ClientCertificates(StackTest):
    stack_type = MtlsStack

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tenants = [tenant["name"] for tenant in cls.stack.postern("tenant", "list")]
        if "acme" not in tenants:
            cls.stack.postern("tenant", "create", "--name", "acme")

    def with_certificate(self, name):
        api = Api(self.stack.tls_url, None, self.stack.certificate)
        self.addCleanup(api.close)
        context = ssl.create_default_context(cafile=self.stack.certificate)
        if name:
            context.load_cert_chain(self.stack.dir / f"{name}.pem", self.stack.dir / f"{name}.key")
        api.connection._context = context
        return api

    def test_a_subject_is_mapped_to_identity_role_and_tenant(self):
        billing = self.with_certificate("billing")
        self.assertEqual(billing.get("/v1/tasks").status, 200)
        self.assertEqual(billing.get("/v1/info").json["auth"], "mtls")
        refused = billing.post("/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/")})
        self.assertEqual(refused.status, 403)  # a worker reads and retries
        log = (self.stack.dir / "nginx/access.log")
        self.wait_until(lambda: '"identity":"billing"' in log.read_text())

    def test_who_one_is(self):
        self.assertEqual(self.with_certificate("billing").get("/v1/whoami", headers=POSING).json, whoami(
            "billing", "acme", "worker"))
        self.assertEqual(self.with_certificate("stranger").get("/v1/whoami").status, 403)
        nobody = self.with_certificate(None).get("/v1/whoami", headers=POSING)
        if self.stack_type is MtlsStack:
            self.assertEqual(nobody.json, whoami(None, None, None))
        else:
            self.assertEqual(nobody.status, 401)  # nginx asks for a certificate before it knows the path
        boss = self.with_certificate("boss").get("/v1/whoami")
        self.assertEqual((boss.status, boss.json["error"]["details"]["reason"]), (403, "role_not_allowed"))

    def test_a_missing_or_unknown_certificate_is_refused(self):
        for name, status in ((None, 401), ("stranger", 403)):
            api = self.with_certificate(name)
            self.assertEqual(api.get("/v1/tasks", headers=POSING).status, status, name)
            self.assertEqual(api.get("/healthz").status, 200)
        admin = self.with_certificate(None)
        admin.key = self.stack.state["admin_key"]
        self.assertEqual(admin.get("/v1/tasks").status, 401, "keys are not asked for here")


    def test_a_certificate_that_does_not_hold_is_refused_in_the_form_of_the_mount(self):
        missing, expired, unknown = (
            "This needs a client certificate.", "The client certificate has expired.",
            "The client certificate was issued by nobody who is trusted here.")
        for name, reason, message in (
                (None, "certificate_missing", missing), ("expired", "certificate_invalid", expired),
                ("foreign", "certificate_invalid", unknown), ("selfmade", "certificate_invalid", unknown)):
            native = {"error": {"code": "unauthenticated", "message": message, "details": {"reason": reason}}}
            for path, body in (("/v1/tasks", native), ("/asyncjobs/v1/tasks", native), ("/v1/tasks?x=/taskmq/", native),
                               ("/asyncqueue/v1/tasks", {"error": message}),
                               ("/taskmq/job/1", {"detail": "Invalid or missing token"}),
                               ("/job/1", {"detail": "Invalid or missing token"})):
                with self.subTest(name=name, path=path):
                    reply = self.with_certificate(name).get(path, headers=POSING)
                    self.assertEqual((reply.status, reply.json), (401, body))
                    self.assertEqual(reply.headers["Content-Type"], "application/json; charset=utf-8")
                    self.assertEqual(reply.headers["Cache-Control"], "no-store")


class DemandingStack(MtlsStack):
    """A server whose every client must have a certificate: nginx refuses them before Postern is asked."""

    def places_of_variant(self):
        places = super().places_of_variant()
        self.in_server = self.in_server.replace("optional", "on")
        return places


class DemandedClientCertificates(ClientCertificates):
    stack_type = DemandingStack

    def test_a_missing_or_unknown_certificate_is_refused(self):
        self.assertEqual(self.with_certificate(None).get("/healthz").status, 401)
        self.assertEqual(self.with_certificate("stranger").get("/v1/tasks", headers=POSING).status, 403)


class MapStack(VariantStack):
    auth, at_http = "auth-map.conf", "keys.conf"

    def export(self, keys):
        return subprocess.run(
            [BIN / "postern", "key", "export-nginx", "--file", self.dir / "keys.map", "--json"],
            input="".join(f"{key}\n" for key in keys), env=self._environment("postgres"),
            capture_output=True, text=True)

    def places_of_variant(self):
        done = self.export([self.state["admin_key"], self.state["read_key"]])
        assert done.returncode == 0, done.stdout + done.stderr
        # The same, and what somebody has written there by hand.
        (self.dir / "nginx.map").write_text((self.dir / "keys.map").read_text()
                                            + '"forged" "forged boss operator default";\n')
        return {"/etc/nginx/postern/keys.map": self.dir / "nginx.map"}


class StaticKeys(StackTest):
    stack_type = MapStack

    def test_a_key_of_the_map_is_accepted_in_either_header(self):
        key = self.stack.state["admin_key"]
        self.assertEqual(self.api.get("/v1/tasks").status, 200)
        nobody = self.client()
        self.assertEqual(nobody.get("/v1/tasks", headers={"X-API-Key": key}).status, 200)
        self.assertEqual(self.client("read").post("/v1/tasks", {}).status, 403)
        self.assertEqual(self.client("read").get("/v1/tasks").status, 200)

    def test_who_one_is(self):
        for who in ("admin", "read"):
            said = self.client(who).get("/v1/whoami", headers=POSING).json
            self.assertEqual((said["tenant"], said["role"]), ("default", who))
        self.assertEqual(self.client().get("/v1/whoami", headers=POSING).json, whoami(None, None, None))
        wrong = self.client().get("/v1/whoami", headers={"X-API-Key": "postern_wrong"})
        self.assertEqual((wrong.status, wrong.json["error"]["details"]["reason"]), (401, "credential_invalid"))
        self.assertEqual(self.client().get("/v1/whoami/x").status, 401)

    def test_a_map_makes_no_operator(self):
        key = self.stack.postern("key", "create", "--name", os.urandom(4).hex(), "--role", "operator")["key"]
        done = self.stack.export([key])
        self.assertEqual(done.returncode, 1)
        self.assertIn("an operator's key cannot be in the map", done.stderr)
        said = self.client().get("/v1/whoami", headers={**POSING, "X-API-Key": "postern_forged"})
        self.assertEqual((said.status, said.json["error"]["details"]["reason"]), (403, "role_not_allowed"))
        for headers in ({"X-API-Key": "postern_forged"}, {"X-API-Key": self.stack.state["admin_key"]}):
            self.assertEqual(self.client().get("/v1/tenants", headers={**POSING, **headers}).status, 403)

    def test_an_admin_of_the_map_makes_keys_and_others_do_not(self):
        self.assertEqual(self.api.get("/v1/keys").status, 200)
        made = self.api.post("/v1/keys", {"name": os.urandom(4).hex(), "role": "read"})
        self.assertEqual(made.status, 201, made.body)
        self.assertEqual(self.client("read").get("/v1/keys").status, 403)
        self.assertEqual(self.client().get("/v1/keys", headers=POSING).status, 401)

    def test_a_key_is_compared_to_the_letter(self):
        key = self.stack.state["admin_key"]
        for other in (key.swapcase(), key.lower(), key.upper(), key[:-1] + key[-1].swapcase(), key + "x", key[:-1]):
            if other != key:
                for headers in ({"X-API-Key": other}, {"Authorization": f"Bearer {other}"}):
                    self.assertEqual(self.client().get("/v1/tasks", headers=headers).status, 401, other)

    def test_who_may_not_is_refused_by_nginx_before_it_reads_the_body(self):
        for key, path, status, body in (
                (None, "/v1/tasks", 401, "credential_missing"), ("postern_wrong", "/v1/tasks", 401, "credential_invalid"),
                (self.stack.state["read_key"], "/v1/tasks/batch", 403, "role_not_allowed"),
                (None, "/asyncqueue/v1/tasks", 401, "API key required"),
                ("postern_wrong", "/asyncqueue/v1/tasks", 401, "Invalid or revoked API key"),
                (None, "/taskmq/add-job", 401, "Invalid or missing token")):
            reply = self.client().post(path, b"{", headers={
                "Content-Length": "100", **({"X-API-Key": key} if key else {})})
            self.assertEqual(reply.status, status)
            self.assertIn(body, reply.body.decode())
        self.assertEqual(self.client().get("/healthz").status, 200)
        self.assertEqual(self.client().post("/v1/signals/none", {"status": "completed"}).status, 404)

    def test_other_keys_and_forged_identities_are_refused(self):
        self.assertEqual(self.client("worker").get("/v1/tasks").status, 401)  # a key, but not in the map
        self.assertEqual(self.client().get("/v1/tasks", headers=POSING).status, 401)
        both = {"Authorization": f"Bearer {self.stack.state['admin_key']}", "X-API-Key": "other"}
        self.assertEqual(self.client().get("/v1/tasks", headers=both).status, 401)

    def test_the_file_is_private_and_holds_the_given_keys(self):
        file = self.stack.dir / "keys.map"
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        before = file.read_text()
        key = self.stack.state["read_key"].removeprefix("postern_")
        self.assertIn(f'"{key}" "{key} read-', before)
        for bad in (["postern_unknown"], ["another"], [self.stack.state["admin_key"], 'a" "b'], ["$evil"]):
            done = self.stack.export(bad)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"line {len(bad)} ", done.stderr)
            self.assertEqual(file.read_text(), before)
        self.assertIn("sandbox keys cannot be in the map", self.stack.export(["aq_test_key"]).stderr)


class SignOn(http.server.BaseHTTPRequestHandler):
    """A sign-on that identifies two users by a cookie, as oauth2-proxy does."""

    people = {"session=ann": ("ann", "staff, postern-admins"), "session=bob": ("bob", "tenant-acme,postern-readers"),
              "session=eve": ("eve", "staff"), "session=max": ("max", "postern-operators")}

    def do_GET(self):
        person = self.people.get(self.headers.get("Cookie"))
        self.send_response(202 if person else 401)
        if person:
            self.send_header("X-Auth-Request-User", person[0])
            self.send_header("X-Auth-Request-Groups", person[1])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class SsoStack(VariantStack):
    auth, at_http = "auth-sso.conf", "sso.conf"

    def places_of_variant(self):
        self.sign_on = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SignOn)
        threading.Thread(target=self.sign_on.serve_forever, daemon=True).start()
        self.in_server = f"""location = /_postern/sso {{
        internal;
        if ($postern_open) {{ return 204; }}
        proxy_pass http://127.0.0.1:{self.sign_on.server_port}/auth;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }}"""
        return {'# "~(^|,) *postern-operators': '"~(^|,) *postern-operators'}


class ExternalSignOn(StackTest):
    stack_type = SsoStack

    def setUp(self):
        super().setUp()
        self.nobody = self.client()

    def get(self, path, cookie=None):
        return self.nobody.get(path, headers={**POSING, **({"Cookie": cookie} if cookie else {})})

    def test_groups_decide_role_and_tenant(self):
        self.assertEqual(self.get("/v1/tasks", "session=ann").status, 200)
        made = self.nobody.post("/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/"), "delay": 60},
                                headers={"Cookie": "session=ann"})
        self.assertEqual(made.status, 201, made.body)
        seen = self.get("/v1/tasks", "session=bob")
        self.assertEqual((seen.status, seen.json["tasks"]), (200, []))  # tasks of other tenants are not visible
        self.assertEqual(self.nobody.post("/v1/tasks", {}, headers={"Cookie": "session=bob"}).status, 403)

    def test_who_one_is(self):
        self.assertEqual(self.get("/v1/whoami", "session=ann").json, whoami("ann", "default", "admin"))
        self.assertEqual(self.get("/v1/whoami", "session=bob").json, whoami("bob", "acme", "read"))
        self.assertEqual(self.get("/v1/whoami", "session=eve").status, 403)
        self.assertEqual(self.get("/v1/whoami").status, 401)

    def test_a_sign_on_makes_no_operator_unless_a_setting_says_so(self):
        for path in ("/v1/whoami", "/v1/tenants", "/v1/keys"):
            said = self.get(path, "session=max")
            self.assertEqual((said.status, said.json["error"]["details"]["reason"]), (403, "role_not_allowed"))

    def test_an_admin_has_keys_and_no_tenants(self):
        self.assertEqual(self.get("/v1/keys", "session=ann").status, 200)
        self.assertEqual(self.get("/v1/tenants", "session=ann").status, 403)
        self.assertEqual(self.get("/v1/keys", "session=bob").status, 403)

    def test_users_without_a_group_and_users_not_signed_on_are_refused(self):
        self.assertEqual(self.get("/v1/tasks", "session=eve").status, 403)
        refused = self.get("/v1/tasks")
        self.assertEqual((refused.status, refused.json["error"]["code"]), (401, "unauthenticated"))
        self.assertEqual(self.get("/asyncqueue/v1/tasks").json, {"error": "API key required"})
        self.assertEqual(self.get("/healthz").status, 200)
        self.assertEqual(self.get("/health").status, 200)


class SignOnThatMayMakeOperators(ExternalSignOn):
    settings = {"POSTERN_OPERATOR_SOURCES": "key,header"}

    def test_a_sign_on_makes_no_operator_unless_a_setting_says_so(self):
        self.assertEqual(self.get("/v1/whoami", "session=max").json, whoami("max", "default", "operator"))
        self.assertEqual(self.nobody.request("PUT", "/v1/queues/of-max", {}, {"Cookie": "session=max"}).status, 201)
        self.assertEqual(self.get("/v1/tenants", "session=max").status, 200)


class TenantStack(VariantStack):
    """The default authentication in a vhost of one tenant."""

    auth, at_http = "auth.conf", "tls.conf"
    in_server = "set $postern_tenant acme;"


class VhostOfATenant(StackTest):
    stack_type = TenantStack

    def test_who_one_is(self):
        self.assertEqual(self.client().get("/v1/whoami").json, whoami(None, None, None))
        refused = self.api.get("/v1/whoami")
        self.assertEqual((refused.status, refused.json["error"]["details"]["reason"]), (403, "tenant_not_allowed"))

    def test_only_keys_of_its_tenant_are_accepted(self):
        if "acme" not in [tenant["name"] for tenant in self.stack.postern("tenant", "list")]:
            self.stack.postern("tenant", "create", "--name", "acme")
        key = self.stack.postern("key", "create", "--name", os.urandom(4).hex(), "--role", "admin",
                                 "--tenant", "acme")["key"]
        own = Api(self.stack.url, key)
        self.addCleanup(own.close)
        self.assertEqual(own.get("/v1/tasks").status, 200)
        self.assertEqual([each["role"] for each in own.get("/v1/keys").json["keys"]], ["admin"])
        self.assertEqual(own.get("/v1/tenants").status, 403)
        operator = self.stack.postern("key", "create", "--name", os.urandom(4).hex(), "--role", "operator")["key"]
        for path in ("/v1/keys", "/v1/tenants", "/v1/whoami"):
            reply = self.client().get(path, headers={"X-API-Key": operator})
            self.assertEqual((reply.status, reply.json["error"]["details"]["reason"]), (403, "tenant_not_allowed"))
        refused = self.api.get("/v1/tasks")
        self.assertEqual((refused.status, refused.json["error"]["code"]), (403, "forbidden"))
        self.assertEqual(self.api.get("/asyncqueue/v1/tasks").json, {"error": "Access denied"})


if __name__ == "__main__":
    unittest.main()
