#!/usr/bin/python3
"""JSON Web Tokens as credentials on every mount, and the settings of their secrets and keys."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from harness import BIN, StackTest


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(secret, header=None, **claims):
    """A token signed with `secret`, valid for an hour unless the claims say otherwise."""
    claims = {"sub": "someone", "exp": int(time.time()) + 3600, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    text = b".".join(encode(json.dumps(part).encode())
                     for part in (header or {"alg": "HS256", "typ": "JWT"}, claims))
    return (text + b"." + encode(hmac.digest(secret.encode(), text, hashlib.sha256))).decode()


def pem_of(public_key):
    return public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class Provider:
    """An identity provider: keys, and the tokens that PyJWT makes with them."""

    def __init__(self):
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())

    def token(self, algorithm="RS256", kid=None, **claims):
        claims = {"sub": "someone", "role": "read", "iat": int(time.time()), "exp": int(time.time()) + 3600, **claims}
        headers = {"kid": kid} if kid else None
        key = self.rsa if algorithm.startswith(("RS", "PS")) else self.ec
        return jwt.encode(claims, key, algorithm=algorithm, headers=headers)

    def jwks(self):
        def number(value, size=None):
            return encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big")).decode()

        of_rsa, of_ec = self.rsa.public_key().public_numbers(), self.ec.public_key().public_numbers()
        return {"keys": [
            {"kid": "rsa-1", "kty": "RSA", "alg": "RS256", "use": "sig", "n": number(of_rsa.n), "e": number(of_rsa.e)},
            {"kid": "rsa-2", "kty": "RSA", "alg": "RSA-OAEP", "use": "enc", "n": number(of_rsa.n), "e": number(of_rsa.e)},
            {"kid": "ec-1", "kty": "EC", "crv": "P-256", "x": number(of_ec.x, 32), "y": number(of_ec.y, 32)},
        ]}


class Tokens(StackTest):
    settings = {"TASKMQ_JWT_SECRET": "TaskMQ's own, of 32 bytes at least"}
    of_file = ["the file's first, of 32 bytes or more", "the file's second, for a rotation's time"]

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        file = pathlib.Path(folder.name) / "secrets"
        file.write_text("\n".join(cls.of_file) + "\n")
        cls.provider = Provider()
        keys = pathlib.Path(folder.name) / "jwks.json"
        keys.write_text(json.dumps(cls.provider.jwks(), indent=2))
        cls.settings = {**cls.settings, "POSTERN_JWT_SECRET_FILE": str(file), "POSTERN_JWT_KEYS_FILE": str(keys)}
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.secret = self.stack.state["jwt_secret"]
        self.client_of = self.client()

    def ask(self, method, path, body=None, **claims):
        headers = {"Authorization": f"Bearer {token(self.secret, **claims)}"}
        return self.client_of.request(method, path, body, headers)

    def test_an_admin_may_do_everything_and_a_worker_retry(self):
        job = {"payload": {}, "handler": "nobody",
               "scheduled_for": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}
        added = self.ask("POST", "/add-job", job, role="admin")
        self.assertEqual(added.status, 200, added.body)
        job_id = added.json["job_id"]
        self.assertEqual(self.ask("GET", f"/job/{job_id}", role="worker").status, 200)
        for path, body in (("/add-job", job), ("/cancel", {"job_id": job_id})):
            refused = self.ask("POST", path, body, role="worker")
            self.assertEqual((refused.status, refused.json),
                             (403, {"detail": "Insufficient permissions"}))
        self.assertEqual(self.ask("POST", "/cancel", {"job_id": job_id}, role="admin").status, 200)
        self.assertEqual(self.ask("POST", "/retry", {"job_id": job_id}, role="worker").status, 200)

    def with_token(self, text, path="/v1/tasks"):
        return self.client_of.get(path, headers={"Authorization": f"Bearer {text}"})

    def test_a_token_is_accepted_on_every_mount(self):
        for path in ("/v1/tasks", "/asyncqueue/v1/tasks", "/asyncjobs/v1/queues"):
            self.assertEqual(self.ask("GET", path, role="read").status, 200, path)

    def test_a_token_makes_no_operator_unless_a_setting_says_so(self):
        for headers in ({}, {"Postern-Operator": "1", "POSTERN_OPERATOR": "1"}):
            refused = self.client_of.get("/v1/whoami", headers={
                **headers, "Authorization": f"Bearer {token(self.secret, role='operator')}"})
            self.assertEqual((refused.status, refused.json["error"]["details"]["reason"]), (403, "role_not_allowed"))
        for role, status in (("operator", 403), ("admin", 200), ("worker", 403)):
            self.assertEqual(self.ask("GET", "/v1/keys", role=role).status, status)
            self.assertEqual(self.ask("GET", "/v1/tenants", role=role).status, 403)
        self.assertEqual(self.ask("GET", "/v1/whoami", role="admin").json,
                         {"identity": "someone", "tenant": "default", "role": "admin", "sandbox": False,
                          "auth": "required"})

    def test_nobody_is_nameless_by_a_control_character(self):
        for subject in ("a\nb", "a\r\nPostern-Operator: 1", "\0", "a\x7f", "\t"):
            refused = self.with_token(token(self.secret, role="admin", sub=subject), "/v1/whoami")
            self.assertEqual((refused.status, refused.json["error"]["details"]["reason"]), (401, "jwt_malformed"), subject)
        named = self.with_token(token(self.secret, role="admin", sub="Jos\u00e9 \u2014 1"), "/v1/whoami")
        self.assertEqual(named.json["identity"], "Jos\u00e9 \u2014 1")

    def test_secrets_of_every_source_are_accepted(self):
        for secret in (self.secret, self.settings["TASKMQ_JWT_SECRET"], *self.of_file):
            headers = {"Authorization": f"Bearer {token(secret, role='read')}"}
            self.assertEqual(self.client_of.get("/v1/tasks", headers=headers).status, 200, secret)

    def test_a_bad_token_is_refused_on_every_mount_with_the_reason(self):
        good = token(self.secret, role="admin")
        none = token(self.secret, {"alg": "none"}, role="admin")
        now = int(time.time())
        for bad, reason, message in (
                (token("x" * 40, role="admin"), "jwt_signature", "another secret"),
                (none, "jwt_algorithm", "not signed"), (none[:none.rindex(".") + 1], "jwt_algorithm", "not signed"),
                (token(self.secret, {"alg": "HS512"}, role="admin"), "jwt_algorithm", "HS256, RS256 or ES256"),
                (token(self.secret, role="admin", exp=now - 61), "jwt_expired", "has expired"),
                (token(self.secret, role="admin", nbf=now + 120), "jwt_not_yet", "its nbf is in the future"),
                (token(self.secret, role="admin", iat=now + 120), "jwt_issued_later", "iat is in the future"),
                (token(self.secret, role="admin", exp=None), "jwt_without_exp", "no exp"),
                (token(self.secret, role="admin", aud="mail"), "jwt_audience", "for another service"),
                (token(self.secret, role="admin", aud=["mail"]), "jwt_audience", "for another service"),
                (token(self.secret, role="admin", aud=7), "jwt_malformed", "neither a text nor a list"),
                (good[:-2], "jwt_malformed", "three parts"),
                (self.provider.token(kid="rsa-9"), "jwt_key_unknown", "kid")):
            with self.subTest(reason=reason, message=message):
                reply = self.with_token(bad)
                self.assertEqual((reply.status, reply.json["error"]["code"]), (401, "unauthenticated"))
                self.assertEqual(reply.json["error"]["details"], {"reason": reason})
                self.assertIn(message, reply.json["error"]["message"])
                self.assertEqual(reply.headers["WWW-Authenticate"], "Bearer")
                said = reply.json["error"]["message"]
                self.assertEqual(self.with_token(bad, "/asyncjobs/v1/queues").json, reply.json)
                self.assertEqual(self.with_token(bad, "/asyncqueue/v1/tasks").json, {"error": said})
                of_taskmq = self.with_token(bad, "/taskmq/job/1")
                self.assertEqual((of_taskmq.status, of_taskmq.json), (401, {"detail": "Invalid or missing token"}))

    def test_tokens_of_an_identity_provider_are_accepted_as_they_are(self):
        for algorithm, kid in (("RS256", "rsa-1"), ("RS256", None), ("ES256", "ec-1"), ("ES256", None)):
            with self.subTest(algorithm=algorithm, kid=kid):
                reply = self.with_token(self.provider.token(algorithm, kid))
                self.assertEqual(reply.status, 200, reply.body)
        own = self.provider.token(role="worker", tenant="another", kid="rsa-1")
        self.assertEqual(self.with_token(own).json["tasks"], [])

    def test_a_key_is_used_for_its_own_algorithm_alone(self):
        public = {"rsa": pem_of(self.provider.rsa.public_key()), "ec": pem_of(self.provider.ec.public_key())}
        for bad in (self.provider.token("RS256", "rsa-2"),  # a key for encryption
                    self.provider.token("RS256", "ec-1"), self.provider.token("ES256", "rsa-1"),
                    self.provider.token("RS512", "rsa-1"), self.provider.token("PS256", "rsa-1"),
                    Provider().token("RS256", "rsa-1"), Provider().token("ES256", "ec-1"),
                    *(token(key.decode(), {"alg": "HS256", "kid": "rsa-1"}, role="admin") for key in public.values()),
                    *(token(key.decode().strip(), role="admin") for key in public.values())):
            self.assertEqual(self.with_token(bad).status, 401, jwt.get_unverified_header(bad))

    def test_a_token_has_8_kib_at_most(self):
        def of_size(size):
            """A token of `size` bytes, or up to three fewer: not every number of bytes is one in base64."""
            groups = "g" * size
            while len(text := token(self.secret, role="read", groups=groups)) > size:
                groups = groups[:-1 - (len(text) - size) // 2]
            self.assertGreater(len(text), size - 4)
            return text

        for path, status in (("/v1/tasks", 200), ("/asyncqueue/v1/tasks", 200), ("/taskmq/job/1", 404)):
            for size in (4100, 7680, 8192):
                reply = self.with_token(of_size(size), path)
                self.assertEqual(reply.status, status, (path, size, reply.body))
        for size, status, text in ((8196, 401, "it may have 8192"), (12_000, 431, "may have 8192 bytes"),
                                   (32_000, 431, "may have 8192 bytes")):
            with self.subTest(size=size):
                reply = self.with_token(of_size(size))
                self.assertEqual(reply.status, status, reply.body)
                self.assertIn(text, reply.json["error"]["message"])
                self.assertIn(text, self.with_token(of_size(size), "/asyncqueue/v1/tasks").json["error"])
                self.client_of.connection.close()

    def test_a_token_without_a_role_has_no_permission(self):
        for claims in ({}, {"role": "root"}):
            self.assertEqual(self.ask("GET", "/v1/tasks", **claims).status, 403)

    def test_a_claim_that_is_empty_or_no_text_is_refused(self):
        for claims in ({"role": ["admin"]}, {"sub": 7}, {"tenant": 42}, {"tenant": ["acme"]}, {"tenant": ""}):
            self.assertEqual(self.ask("GET", "/v1/tasks", **({"role": "admin"} | claims)).status, 401, claims)

    def test_a_token_gives_access_to_its_tenant_only(self):
        self.create(queue="of-default")
        reply = self.ask("GET", "/v1/tasks?queue=of-default", role="read", tenant="another")
        self.assertEqual((reply.status, reply.json["tasks"]), (200, []))


class ForAnAudience(StackTest):
    """Where an audience is set, a token must be for it."""

    settings = {"POSTERN_JWT_AUDIENCE": "https://tasks.example"}

    def test_the_token_must_hold_it(self):
        client = self.client()
        for aud, status in (("https://tasks.example", 200), (["mail", "https://tasks.example"], 200), (None, 401),
                            ("https://tasks.example/", 401), ("mail", 401), (["mail"], 401), ([], 401), ("", 401),
                            (["https://tasks.example", 7], 401), ({"https://tasks.example": 1}, 401)):
            text = token(self.stack.state["jwt_secret"], role="read", aud=aud)
            reply = client.get("/v1/tasks", headers={"Authorization": f"Bearer {text}"})
            self.assertEqual(reply.status, status, aud)

    def test_the_doctor_looks_at_the_keys(self):
        def found(**environment):
            done = subprocess.run([BIN / "postern", "doctor", "--json"], capture_output=True, text=True,
                                  env={**self.stack._environment("postgres"), **environment})
            return next(row for row in json.loads(done.stdout) if row["check"] == "token keys")

        self.assertEqual(found()["verdict"], "ok")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "keys"
            for text, finding in ((None, "cannot read"), ("", "is empty"), ("x", "holds neither a PUBLIC KEY")):
                if text is not None:
                    file.write_text(text)
                row = found(POSTERN_JWT_KEYS_FILE=str(file))
                self.assertEqual(row["verdict"], "WRONG")
                self.assertIn(f"{file} {finding}" if text is not None else f"{finding} {file}", row["finding"])
            file.write_text(json.dumps(Provider().jwks()))
            self.assertEqual(found(POSTERN_JWT_KEYS_FILE=str(file))["finding"], f"2 in {file}")


class Secrets(unittest.TestCase):
    """The checks that the handlers make of their secrets and keys at start, and `--check-config` makes before it."""

    def start(self, *arguments, **environment):
        environment = {**os.environ, "POSTERN_DATABASE": "host=/nowhere", **environment}
        return subprocess.run([BIN / "postern-fcgi", *arguments], env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20)

    def assert_refused(self, sentence, **environment):
        for arguments in ((), ("--check-config",)):
            done = self.start(*arguments, **environment)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(sentence, done.stdout + done.stderr)

    def test_a_file_of_keys_is_checked(self):
        provider = Provider()
        weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        private = provider.rsa.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with tempfile.TemporaryDirectory() as folder:
            self.assert_refused(f"jwt_keys_file: cannot read {folder}", POSTERN_JWT_KEYS_FILE=folder)
            file = pathlib.Path(folder) / "keys"
            self.assert_refused(f"jwt_keys_file: cannot read {file}", POSTERN_JWT_KEYS_FILE=str(file))
            for text, sentence in ((b"", "is empty"), (b'{"keys":[]}', "no key for RS256"), (private, "private key"),
                                   (pem_of(weak.public_key()), "1024 bits"), (b" " * (256 * 1024 + 1), "256 KiB")):
                file.write_bytes(text)
                self.assert_refused(sentence, POSTERN_JWT_KEYS_FILE=str(file))
            for text in (json.dumps(provider.jwks()).encode(), pem_of(provider.rsa.public_key())):
                file.write_bytes(text)
                done = self.start("--check-config", POSTERN_JWT_KEYS_FILE=str(file))
                self.assertEqual((done.returncode, done.stdout), (0, "ok\n"), done.stderr)

    def test_a_public_key_is_no_secret(self):
        provider = Provider()
        for text in (pem_of(provider.rsa.public_key()).decode(), json.dumps(provider.jwks())):
            self.assert_refused("public keys belong into jwt_keys_file", POSTERN_JWT_SECRET=text)
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                self.assert_refused("public keys belong into jwt_keys_file", POSTERN_JWT_SECRET_FILE=file.name)

    def test_a_short_one_is_refused_by_name(self):
        for variable in ("POSTERN_JWT_SECRET", "TASKMQ_JWT_SECRET"):
            done = self.start(**{variable: "your-secret-key"})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(variable, done.stdout + done.stderr)
            self.assertNotIn("your-secret-key", done.stdout + done.stderr)

    def test_the_file_must_exist_and_its_secrets_be_long_enough(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "secrets"
            done = self.start(POSTERN_JWT_SECRET_FILE=str(file))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(str(file), done.stdout + done.stderr)
            file.write_text("x" * 32 + "\nshort\n")
            done = self.start(POSTERN_JWT_SECRET_FILE=str(file))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("5 bytes", done.stdout + done.stderr)
            file.write_text("\n")
            self.assert_refused(f"{file} holds no secret", POSTERN_JWT_SECRET_FILE=str(file))


class TokensOfOperators(StackTest):
    settings = {"POSTERN_OPERATOR_SOURCES": "token"}

    def test_the_setting_alone_says_who_makes_operators(self):
        by_token = {"Authorization": f"Bearer {token(self.stack.state['jwt_secret'], role='operator')}"}
        self.assertEqual(self.client().get("/v1/whoami", headers=by_token).json["role"], "operator")
        self.assertEqual(self.client().get("/v1/tenants", headers=by_token).status, 200)
        key = self.stack.postern("key", "create", "--name", os.urandom(4).hex(), "--role", "operator")["key"]
        refused = self.client().get("/v1/whoami", headers={"X-API-Key": key})
        self.assertEqual((refused.status, refused.json["error"]["details"]["reason"]), (403, "role_not_allowed"))


if __name__ == "__main__":
    unittest.main()
