"""Verifies webhooks with the Python library of Standard Webhooks; tests/clients/webhooks_test.py tells the lines."""

import base64
import sys

import standardwebhooks

for line in sys.stdin:
    # Python's split() would leave out an empty field.
    secret, *headers, body = (base64.b64decode(field) for field in line.rstrip("\n").split(" "))
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    try:
        standardwebhooks.Webhook(secret.decode()).verify(
            body, dict(zip(names, (each.decode() for each in headers), strict=True)), json_parse=False)
        print("ok")
    except standardwebhooks.WebhookVerificationError as error:
        print(error)
