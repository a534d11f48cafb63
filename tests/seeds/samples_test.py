#!/usr/bin/python3
"""Runs the code samples of the seed documents unchanged against the whole stack.

Only these are replaced: base URLs, credentials, ids that a sample leaves open, and the hosts of
webhooks, which become a local receiver; handlers are registered before. The documents have lost
some line breaks of the samples, which are put back. Samples that cannot be run (commands of other
programs, shapes of answers) are listed with the test that covers them.
"""

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import tempfile
import unittest

from covers import NAMES, text_of

from harness import StackTest


@dataclasses.dataclass
class Sample:
    seed: str
    lines: tuple  # first and last, from 1
    kind: str  # bash, node, python; or none: it is not run
    digest: str  # of the text, so that a changed document is noticed
    stands: str = ""  # for a sample that is not run: what covers it instead


SAMPLES = [
    Sample("000", (18, 20), "node", "f19a5bc961f0"),
    Sample("000", (21, 25), "python", "d4c9f13e613f"),
    Sample("000", (25, 28), "bash", "a02e1d367333"),
    Sample("001", (16, 25), "bash", "6acdf3d5d712"),
    Sample("001", (26, 33), "none", "7eac7bf4c80e", "answer of the creation above, whose keys are compared"),
    Sample("001", (39, 40), "bash", "27d290a71246"),
    Sample("001", (41, 57), "none", "ff0f81aa9b47", "answer of the request above, whose keys are compared"),
    Sample("002", (9, 9), "none", "89ee139404f4", "./dev start, and systemctl start postern-fcgi.socket"),
    Sample("002", (24, 34), "python", "694a5893bbec"),
    Sample("002", (40, 43), "bash", "8af63d5748ab"),
    Sample("002", (61, 63), "none", "61ac5857feb1", "rows_taskmq.py, endpoint GET /health"),
    Sample("002", (76, 83), "none", "d0b4c36e79e2", "rows_taskmq.py, the fields of a job"),
    Sample("002", (94, 97), "none", "dbd6645efdcc", "rows_taskmq.py, endpoint POST /add-job"),
    Sample("002", (110, 112), "none", "594055c9d34a", "rows_taskmq.py, endpoint POST /cancel"),
    Sample("002", (116, 119), "none", "260881259ac7", "rows_taskmq.py, endpoint POST /cancel"),
    Sample("002", (134, 136), "none", "594055c9d34a", "rows_taskmq.py, endpoint POST /retry"),
    Sample("002", (140, 143), "none", "f2eab4e40318", "rows_taskmq.py, endpoint POST /retry"),
    Sample("002", (156, 164), "none", "c07bdc308c3f", "rows_taskmq.py, endpoint GET /monitor/metrics"),
    Sample("002", (173, 194), "python", "0f73a11b91df"),
    Sample("002", (198, 217), "python", "37c6d8fa4cf2"),
    Sample("002", (221, 241), "python", "05df7df4288a"),
    Sample("002", (247, 249), "none", "dfd1057492ae", "rows_taskmq.py, error 401"),
    Sample("002", (253, 255), "none", "21d2a09c0f82", "rows_taskmq.py, error 403"),
    Sample("002", (259, 261), "none", "2dc8f7d4519d", "rows_taskmq.py, error 404"),
    Sample("002", (265, 273), "none", "4ec2aa446672", "rows_taskmq.py, error 422"),
    Sample("002", (286, 290), "none", "a933c9d04ab0", "rows_taskmq.py, the variables; ./dev start"),
    Sample("003", (11, 13), "none", "6c243a962cc3", "postern queue add EMAIL --max-runtime 1h, with asyncjobs_queue = EMAIL"),
    Sample("003", (14, 14), "bash", "87c33a2f121c"),
    Sample("003", (15, 15), "none", "ef5dfe53ead2", "answer of the request above, whose keys are compared"),
    Sample("003", (101, 109), "none", "8c9ca1e473ba", "rows_asyncjobs.py, endpoint GET /v1/tasks/{id}"),
    Sample("003", (133, 136), "none", "bad130259c6f", "rows_asyncjobs.py, endpoint GET /v1/openapi.json, which any generator reads"),
]

# Matches lines that look like code or data and not like a sentence.
CODE = re.compile(r"curl |^import |^from \w+ import|[;{}\\]$|^[{}\"\])]|^\s*\"|^export |^\$ |=> |^# HELP|await ")


def text(sample):
    first, last = sample.lines
    return "\n".join(text_of(sample.seed)[first - 1:last])


def digest(sample):
    return hashlib.sha256(text(sample).encode()).hexdigest()[:12]


def restored(sample):
    """The sample's text, without other text that the document joined to it, and with its line breaks."""
    code = text(sample)
    if sample.seed != "000":
        return code.removeprefix("$ ")
    if sample.kind == "node":
        return code[code.index("const API_KEY"):code.rindex("Python")]
    if sample.kind == "python":
        code = code[code.index("import requests"):code.index("# Create a task")]
        code = re.sub(r"'(?=[A-Z_]+ = )", "'\n", code)
        return code.replace("): ", "):\n ").replace(") return", ")\n return")
    code = code[code.index("# Create a task"):]
    code = re.sub(r"(# [A-Za-z ]+?)curl ", r"\1\ncurl ", code)
    return code.replace("\\ -", "\\\n-")


@unittest.skipUnless(text_of("000"), "the seed documents are not here")
class Accounting(unittest.TestCase):
    def test_every_line_of_code_belongs_to_a_sample(self):
        for seed in NAMES:
            taken = {line for sample in SAMPLES if sample.seed == seed
                     for line in range(sample.lines[0], sample.lines[1] + 1)}
            for number, line in enumerate(text_of(seed), 1):
                if CODE.search(line) and number not in taken:
                    # Prose with an example in it: the shape of an error, a list of words.
                    self.assertRegex(line, r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", f"{seed} line {number}: {line}")

    def test_the_documents_are_those_that_the_samples_were_read_from(self):
        for sample in SAMPLES:
            self.assertEqual(digest(sample), sample.digest, f"{sample.seed} {sample.lines}")

    def test_what_is_not_run_says_what_stands_for_it(self):
        for sample in SAMPLES:
            self.assertEqual(sample.kind == "none", bool(sample.stands), sample)


@unittest.skipUnless(text_of("000"), "the seed documents are not here")
class Samples(StackTest):
    def setUp(self):
        super().setUp()
        for handler in ("dummy", "mytask", "batch"):
            self.assertIn(self.api.request("PUT", f"/v1/endpoints/{handler}", {
                "url": self.receiver.url(f"/{handler}")}).status, (200, 201))

    def adapted(self, sample, task="", token=None):
        code = restored(sample)
        token = token or self.stack.state["admin_key"]
        for old, new in {
            "https://api.asyncqueue.io": self.stack.url,
            "http://127.0.0.1:8000": self.stack.url,
            "http://127.0.0.1:8080": self.stack.url,
            "https://api.example.com/process": self.receiver.url("/process"),
            "https://api.example.com/webhook": self.receiver.url("/webhook"),
            "https://your-app.com/webhooks/send-email": self.receiver.url("/send-email"),
            "your-api-key": token, "YOUR_API_KEY": token, "<your-token>": token,
            "your-jwt-token": token, "your-token": token,
            "your-secret-key": self.stack.state["jwt_secret"],
            "TASK_ID": task, "task_abc123": task,
        }.items():
            code = code.replace(old, new)
        return code

    def run_sample(self, seed, first, behind="", **options):
        """Runs the sample that begins at line `first` and returns its output. `behind`: code appended to
        it, which prints the result."""
        sample = next(s for s in SAMPLES if (s.seed, s.lines[0]) == (seed, first))
        code = self.adapted(sample, **options) + "\n" + behind
        suffix = {"node": ".mjs", "python": ".py", "bash": ".sh"}[sample.kind]
        program = {"node": "node", "python": "/usr/bin/python3", "bash": "bash"}[sample.kind]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"sample{suffix}")
            with open(path, "w") as file:
                file.write(code)
            # curl commands without a credential get one from .curlrc.
            with open(os.path.join(folder, ".curlrc"), "w") as file:
                file.write("silent\nshow-error\n")
                if sample.seed == "003":
                    file.write(f'header = "Authorization: Bearer {self.stack.state["read_key"]}"\n')
            done = subprocess.run([program, path], capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "HOME": folder, "CURL_HOME": folder})
        self.assertEqual(done.returncode, 0, f"{code}\n{done.stdout}{done.stderr}")
        return done.stdout

    def keys_of_answer(self, seed, first):
        sample = next(s for s in SAMPLES if (s.seed, s.lines[0]) == (seed, first))
        return set(json.loads(text(sample)))

    def test_javascript_creates_a_task_with_fetch(self):
        task = json.loads(self.run_sample("000", 18, "console.log(JSON.stringify(task));"))
        self.assertEqual((task["maxRetries"], task["body"]), (5, '{"orderId":12345}'))
        self.receiver.wait_for(lambda _: self.receiver.at("/process"))
        self.assertEqual(self.receiver.at("/process")[0].json, {"orderId": 12345})

    def test_python_creates_a_task_with_requests(self):
        result = json.loads(self.run_sample("000", 21, "import json; print(json.dumps(result))"))
        self.assertEqual(result["task"]["maxRetries"], 5)
        self.receiver.wait_for(lambda _: self.receiver.at("/process"))

    def test_curl_creates_looks_lists_and_cancels(self):
        waiting = self.api.post("/v1/tasks", {"targetUrl": self.receiver.url("/later"),
                                              "delayUntil": "2030-01-01T00:00:00Z"}).json["task"]["id"]
        said = self.run_sample("000", 25, task=waiting).replace("}{", "}\n{").splitlines()
        created, looked, listed, cancelled = map(json.loads, said)
        self.assertIn("id", created["task"])
        self.assertEqual(looked["task"]["id"], waiting)
        self.assertLessEqual({"total", "limit", "offset", "hasMore"}, set(listed["pagination"]))
        self.assertEqual(listed["pagination"]["limit"], 10)
        self.assertEqual(cancelled["task"]["status"], "cancelled")

    def test_curl_creates_a_task_in_a_queue_and_reads_it(self):
        created = json.loads(self.run_sample("001", 16))
        self.assertLessEqual(self.keys_of_answer("001", 26), set(created))
        self.assertEqual((created["status"], created["delay"], created["priority"]), ("pending", 300, 8))
        self.assertEqual(self.api.post(f"/v1/tasks/{created['id']}/run").status, 200)
        self.finished(created)
        read = json.loads(self.run_sample("001", 39, task=created["id"]))
        self.assertLessEqual(self.keys_of_answer("001", 41), set(read))
        self.assertLessEqual({"number", "status", "response_code", "executed_at"}, set(read["attempts"][0]))
        self.assertEqual(read["status"], "completed")

    def test_python_makes_a_token_that_is_taken(self):
        token = self.run_sample("002", 24).strip()
        said = json.loads(self.run_sample("002", 40, token=token))
        self.assertEqual(said["status"], "ok")
        self.assertIsInstance(said["job_id"], int)
        self.receiver.wait_for(lambda _: self.receiver.at("/dummy"))

    def test_httpx_adds_a_job_and_cancels_it(self):
        # Only a job that waits can be cancelled.
        self.assertEqual(self.api.post("/v1/queues/taskmq/pause").status in (200, 404), True)
        self.api.post("/add-job", {"payload": {}, "handler": "dummy"})
        self.assertEqual(self.api.post("/v1/queues/taskmq/pause").status, 200)
        self.addCleanup(self.api.post, "/v1/queues/taskmq/resume")
        said = self.run_sample("002", 173, token=self.run_sample("002", 24).strip())
        self.assertRegex(said, r"Created job: \d+\n\{'status': 'cancelled', 'job_id': \d+\}")

    def test_requests_adds_a_job_for_later(self):
        said = self.run_sample("002", 198, token=self.run_sample("002", 24).strip())
        self.assertRegex(said, r"\{'status': 'ok', 'job_id': \d+\}")

    def test_an_async_client_adds_ten_jobs(self):
        said = self.run_sample("002", 221, token=self.run_sample("002", 24).strip()).splitlines()
        self.assertEqual(len(said), 10)
        self.receiver.wait_for(lambda _: len(self.receiver.at("/batch")) == 10)
        indexes = sorted(request.json["payload"]["index"] for request in self.receiver.at("/batch"))
        self.assertEqual(indexes, list(range(10)))

    def test_curl_asks_for_the_servers_facts(self):
        info = json.loads(self.run_sample("003", 14))
        self.assertLessEqual(self.keys_of_answer("003", 15), set(info))
        self.assertEqual(info["auth"], "none")


if __name__ == "__main__":
    unittest.main()
