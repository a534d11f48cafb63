"""Sends requests with `requests` or `httpx`: fetch.py requests|httpx CA 1.1|2. tests/clients/http_clients.py tells the lines."""

import base64
import sys


def sender(client, authority, version):
    if client == "requests":
        import requests

        session = requests.Session()

        def send(method, url, headers, body):
            # Not session.verify: a CA bundle named by the environment would win over it.
            reply = session.request(method, url, headers=headers, data=body, timeout=60, verify=authority)
            return reply.status_code, {10: "1.0", 11: "1.1"}[reply.raw.version], reply.headers, reply.content

        return send
    import httpx
    import ssl

    session = httpx.Client(verify=ssl.create_default_context(cafile=authority), http1=version == "1.1",
                           http2=version == "2", timeout=60)

    def send(method, url, headers, body):
        reply = session.request(method, url, headers=headers, content=body)
        return reply.status_code, reply.http_version.removeprefix("HTTP/"), reply.headers, reply.content

    return send


def encoded(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode() or "-"


send = sender(*sys.argv[1:])
for line in sys.stdin:
    method, url, headers, body = line.split()
    lines = base64.b64decode(headers).decode().splitlines() if headers != "-" else []
    if body.startswith("size:"):
        body = b"x" * int(body.removeprefix("size:"))
    else:
        body = None if body == "-" else base64.b64decode(body)
    try:
        status, version, headers, body = send(method, url, dict(each.split(": ", 1) for each in lines), body)
        told = "".join(f"{name}: {value}\n" for name, value in headers.items())
        print(status, version, encoded(told), encoded(body), flush=True)
    except Exception as error:  # whatever it is, the test compares it
        print("error", encoded(repr(error)), "-", "-", flush=True)
