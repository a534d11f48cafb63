#!/usr/bin/python3
"""Postern's answers beside those of TaskMQ itself (the package task-mq) and of a server written from its documentation
(reference_taskmq.py): the same requests, drawn from a seed. Each difference must be in differences.py by name, and each
named one must be seen.

POSTERN_SEED repeats a run.
"""

import collections
import copy
import json
import os
import subprocess
import tempfile
import unittest

import tools
from differences import TASKMQ
from harness import Api, StackTest, wait_until
from postgres import tail  # from tests/support, which harness.py has made importable
from stack import free_ports
from taskmq_cases import JOB, authorization, cases, view
from taskmq_permits import DOCUMENTATION, PACKAGE, PERMITS

SEED = int(os.environ.get("POSTERN_SEED", "20261129"))
COUNT = 1500


class Server:
    """A server of another's, in a process of its own; it keeps what it stores in a folder of its own."""

    def __init__(self, test, app, secret):
        python = tools.part("python") / "bin/python"
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        [port] = free_ports(1)
        log = open(f"{folder.name}/log", "wb")
        test.addCleanup(log.close)
        process = subprocess.Popen(
            [python, "-m", "uvicorn", "--app-dir", tools.HERE, "--port", str(port), "--log-level", "error", app],
            cwd=folder.name, stdout=log, stderr=log, env={**os.environ, "TASKMQ_JWT_SECRET": secret})
        test.addCleanup(process.wait)
        test.addCleanup(process.kill)
        self.api, self.mount, self.jobs = Api(f"http://127.0.0.1:{port}"), "", []
        test.addCleanup(self.api.close)

        def answers():
            if process.poll() is not None:
                raise AssertionError(f"{app} ended:\n{tail(log.name)}")
            try:
                return self.api.get("/health").status == 200
            except OSError:
                return False

        wait_until(answers, what=f"{app} answers")


class Postern:
    def __init__(self, test):
        self.api, self.mount, self.jobs = test.client(), "/taskmq", []


class Differential(StackTest):
    def ask(self, server, case, secret):
        body, path = copy.deepcopy(case.body), case.path
        if case.job is not None:
            path = path.replace(JOB, str(server.jobs[case.job]))
            body = body and {"job_id": server.jobs[case.job]}
        value = authorization(case.auth, secret)
        headers = {"Authorization": value} if value else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            return server.api.request(case.method, server.mount + path, body, headers=headers)
        finally:
            server.api.close()  # the package's server ends its connection after a fault of its own

    def compare(self, against, app):
        """Asks both servers the same; returns the names of the differences that were seen."""
        secret = self.stack.state["jwt_secret"]
        # Jobs stay as they are: no server runs any.
        self.assertIn(self.api.request("PUT", "/v1/queues/taskmq", {}).status, (200, 201))
        self.assertEqual(self.api.post("/v1/queues/taskmq/pause").status, 200)
        theirs, ours = Server(self, app, secret), Postern(self)
        seen, unexpected = collections.Counter(), collections.Counter()
        for case in cases(SEED, COUNT):
            if against == DOCUMENTATION and case.path.startswith("/job/"):
                continue  # it does not say how a job is read
            replies = [self.ask(server, case, secret) for server in (theirs, ours)]
            if case.what == "add-job":
                for server, reply in zip((theirs, ours), replies, strict=True):
                    self.assertEqual(reply.status, 200, f"{case}: {reply.body}")
                    server.jobs.append(reply.json["job_id"])
            they, we = map(view, replies)
            for aspect in differing(they, we):
                name = next((name for name, permit in PERMITS.items() if against in permit.against
                             and aspect in permit.aspects and permit.when(case, they, we)), None)
                if name:
                    seen[name] += 1
                else:
                    unexpected[f"{case.what}: {aspect}: {they.get(aspect)} is {we.get(aspect)} here"] += 1
        print(f"{COUNT} requests to {against}, seed {SEED}: {sum(seen.values())} permitted differences "
              f"of {len(seen)} kinds, {sum(unexpected.values())} unexpected")
        if unexpected:
            self.fail("unexpected:\n" + "\n".join(f"{times} x {what}" for what, times in sorted(unexpected.items())))
        return set(seen)

    def held(self, against, app):
        expected = {name for name, permit in PERMITS.items() if against in permit.against}
        self.assertEqual(self.compare(against, app), expected)

    def test_beside_the_package(self):
        self.held(PACKAGE, "taskmq.api_server:app")

    def test_beside_the_documentation(self):
        self.held(DOCUMENTATION, "reference_taskmq:app")


class TheList(unittest.TestCase):
    def test_what_is_permitted_is_in_the_list_and_the_other_way_round(self):
        self.assertEqual(sorted(PERMITS), sorted(each.name for each in TASKMQ if each.name))


def differing(theirs, ours):
    """What differs between two views; the status alone when that does."""
    if theirs["status"] != ours["status"]:
        return ["status"]
    return [aspect for aspect in sorted({*theirs, *ours}) if theirs.get(aspect) != ours.get(aspect)]


if __name__ == "__main__":
    tools.main()
