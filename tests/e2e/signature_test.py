#!/usr/bin/python3
"""Signatures of webhooks by Standard Webhooks, verified with that project's own package.

The build of the tests installs the package; NODE_PATH names its folder.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import unittest

from harness import StackTest

REPO = pathlib.Path(__file__).resolve().parents[2]
VERIFY = REPO / "tests/support/node/verify.cjs"
NODE_PATH = os.environ.get("NODE_PATH", str(REPO / "build/node/node_modules"))
REFUSAL = "No matching signature found"


def verify(*webhooks):
    """The package's verdict on each (secret, headers, body)."""
    lines = [json.dumps({"secret": secret, "headers": dict(headers),
                         "body": base64.b64encode(body).decode()}) for secret, headers, body in webhooks]
    done = subprocess.run(["node", VERIFY], input="\n".join(lines), env={**os.environ, "NODE_PATH": NODE_PATH},
                          capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class Signature(StackTest):
    def setUp(self):
        super().setUp()
        self.secret = self.stack.postern("secret", "show")["secret"]

    def webhook(self, **fields):
        """Headers and body of the webhook of a new task."""
        count = len(self.receiver.requests)
        self.create(**fields)
        request = self.receiver.wait_for(lambda requests: len(requests) > count)[-1]
        return request.headers, request.body

    def test_a_payload_and_a_raw_text(self):
        for fields in ({"payload": {"to": "ä\u0000😀"}}, {"body": "not JSON: é\r\n\u0000"}, {"body": ""},
                       {"method": "GET"}):
            headers, body = self.webhook(**fields)
            changed = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}
            self.assertEqual(
                verify((self.secret, headers, body), (self.secret, headers, body + b"."),
                       (self.secret, changed, body), ("whsec_" + 43 * "A" + "=", headers, body)),
                ["ok", REFUSAL, REFUSAL, REFUSAL])

    def test_a_binary_body(self):
        # The package decodes every body as UTF-8 and cannot verify this one; this is its algorithm on bytes.
        data = bytes(range(256))
        headers, body = self.webhook(payload_base64=base64.b64encode(data).decode())
        self.assertEqual(body, data)
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + data
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        digest = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        self.assertEqual(headers["webhook-signature"], f"v1,{digest}")

    def test_each_attempt_is_signed_with_the_same_id(self):
        self.receiver.on("/hook", 500, 200)
        self.create(payload={})
        first, second = self.receiver.wait_for(lambda requests: len(requests) == 2)
        self.assertEqual(first.headers["webhook-id"], second.headers["webhook-id"])
        self.assertLess(int(first.headers["webhook-timestamp"]), int(second.headers["webhook-timestamp"]))
        self.assertEqual(verify(*((self.secret, each.headers, each.body) for each in (first, second))),
                         ["ok", "ok"])

    def test_both_secrets_sign_during_a_rotation(self):
        rotated = self.stack.postern("secret", "rotate", "--overlap", "1h")
        self.assertEqual(rotated["previous"], self.secret)
        new = rotated["secret"]
        headers, body = self.webhook(payload={"a": 1})
        self.assertEqual(verify((new, headers, body), (self.secret, headers, body)), ["ok", "ok"])
        newest = self.stack.postern("secret", "rotate", "--force")["secret"]
        headers, body = self.webhook(payload={"a": 1})
        self.assertEqual(verify((newest, headers, body), (new, headers, body), (self.secret, headers, body)),
                         ["ok", "ok", REFUSAL])

    def test_each_tenant_has_a_secret_of_its_own(self):
        self.stack.postern("tenant", "create", "--name", "acme")
        made = self.stack.postern("key", "create", "--name", "acme", "--role", "admin", "--tenant", "acme")
        theirs = self.stack.postern("secret", "show", "--tenant", "acme")["secret"]
        self.api.key = made["key"]
        headers, body = self.webhook(payload={})
        self.assertEqual(verify((theirs, headers, body), (self.secret, headers, body)), ["ok", REFUSAL])


if __name__ == "__main__":
    unittest.main()
