"""up.py: runs a stack in a temporary folder and a receiver until Ctrl-C, then deletes the folder.

Creates a first task over https and shows that its webhook arrives.
"""

import json
import pathlib
import queue
import shutil
import signal
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.request

from postgres import SupportError, tail
from receiver import Receiver
from stack import Stack


def main():
    def interrupt(*_):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-", dir="/tmp"))
    arrived = queue.SimpleQueue()
    receiver = Receiver(on_request=arrived.put)
    stack = Stack(folder)
    try:
        print("starting PostgreSQL, nginx, postern-fcgi and postern-scheduler ...", flush=True)
        stack.start()
        first_task(stack, receiver, arrived)
        explain(stack, receiver)
        while True:
            request = arrived.get()
            print(f"webhook: {request.method} {request.path} {request.body.decode(errors='replace')}",
                  flush=True)
    except KeyboardInterrupt:
        print("\nstopping ...", flush=True)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the clean-up
        receiver.close()
        stack.stop()
        shutil.rmtree(folder)


def first_task(stack, receiver, arrived):
    task = {"queue": "hello", "webhook_url": receiver.url("/hello"), "payload": {"hello": "world"}}
    request = urllib.request.Request(
        f"{stack.tls_url}/v1/tasks", json.dumps(task).encode(),
        {"Authorization": f"Bearer {stack.env['POSTERN_ADMIN_KEY']}",
         "Content-Type": "application/json"})
    sent = time.monotonic()
    trust = ssl.create_default_context(cafile=stack.certificate)
    try:
        answer = urllib.request.urlopen(request, timeout=10, context=trust)
    except urllib.error.HTTPError as refusal:
        raise SupportError(f"the first task was refused: {refusal.read().decode()}") from None
    print(f"\na first task:   POST {stack.tls_url}/v1/tasks -> {answer.status}\n"
          f"                {answer.read().decode().strip()}")
    try:
        webhook = arrived.get(timeout=10)
    except queue.Empty:
        raise SupportError("its webhook did not arrive within 10 s; what the scheduler said:\n"
                           + tail(stack.log / "scheduler.log")) from None
    print(f"its webhook:    POST {receiver.url('/hello')}"
          f" arrived {1000 * (webhook.time - sent):.0f} ms after the task was sent\n"
          f"                {webhook.body.decode()}")


def explain(stack, receiver):
    env = stack.env
    print(f"""
Postern is up:
  API           {env['POSTERN_TLS_URL']}/v1   (certificate: {env['POSTERN_CA']})
                {env['POSTERN_URL']}/v1
  dashboard     {env['POSTERN_URL']}/ui/   (sign in with {env['POSTERN_ADMIN_KEY']})
  to read       {env['POSTERN_URL']}/docs and /redoc
  receiver      {receiver.url('/')}   (what it gets is shown here)
  database      psql '{env['DATABASE_URL']}'
  all of this   {stack.dir}/env   (a read-only key and a JWT secret, too)

Try:
  curl --cacert {env['POSTERN_CA']} {env['POSTERN_TLS_URL']}/v1/tasks \\
    -H 'Authorization: Bearer {env['POSTERN_ADMIN_KEY']}' -H 'Content-Type: application/json' \\
    -d '{{"queue": "hello", "webhook_url": "{receiver.url('/hello')}", "payload": {{"hello": "again"}}, "delay": 3}}'

Ctrl-C stops it and removes {stack.dir}.
""", flush=True)


try:
    main()
except SupportError as error:
    sys.exit(f"dev: {error}")
