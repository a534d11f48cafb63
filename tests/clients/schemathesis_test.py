#!/usr/bin/python3
"""The API descriptions of all dialects, read by schemathesis, which draws requests from them, right and wrong ones, and
holds the answers to them: statuses, media types, headers and bodies, and that what breaks a schema is refused.

That each body that fits its schema is accepted is not checked: some rules are beyond a schema, as that of several fields
one is to be given.
"""

import json
import re
import subprocess
import tempfile

import tools
from harness import StackTest
from native_server import WithNative

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "negative_data_rejection"]


def without_long_polls(described):
    """Takes out the parameter `wait`: each answer would take up to 25 s."""
    polls = {f"#/components/parameters/{name}" for name, each in described["components"]["parameters"].items()
             if each["name"] == "wait"}
    for methods in described["paths"].values():
        for operation in methods.values():
            operation["parameters"] = [each for each in operation.get("parameters", [])
                                       if each.get("$ref") not in polls and each.get("name") != "wait"]


class Descriptions(StackTest):
    stack_type = WithNative

    def run_on(self, base, document, examples, without=()):
        """Runs it with a tenant of its own, since a key for idempotency means the same at each mount."""
        program = tools.part("python") / "bin/schemathesis"
        name = self._testMethodName.removeprefix("test_").replace("_", "-")
        self.stack.postern("tenant", "create", "--name", name)
        key = self.stack.postern("key", "create", "--name", name, "--role", "admin", "--tenant", name)["key"]
        with tempfile.TemporaryDirectory() as folder:
            described = self.client(url=base).get(document).json
            # An empty one counts as none, as nginx hands it over, though the pattern refuses it.
            described["components"]["parameters"]["IdempotencyKey"]["schema"] = {"type": "string", "maxLength": 128}
            without_long_polls(described)
            with open(f"{folder}/openapi.json", "w") as file:
                json.dump(described, file)
            command = [program, "--config-file", tools.HERE / "schemathesis.toml", "run", file.name, "--origin", base,
                       "--header", f"Authorization: Bearer {key}", "--phases", "examples,fuzzing", "--max-examples", str(examples),
                       "--checks", ",".join(each for each in CHECKS if each not in without), "--seed", "20261129",
                       "--generation-deterministic", "--no-shrink", "--continue-on-failure", "--request-timeout", "30",
                       "--warnings", "off", "--no-color"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        found = re.search(r"(\d+) generated", done.stdout)
        self.assertTrue(found, done.stdout[-3000:] + done.stderr[-1000:])
        print(f"{name}: {found[0]}")
        self.assertGreater(int(found[1]), 50)
        self.assertEqual(done.returncode, 0, done.stdout[-20_000:])

    def test_native(self):
        self.run_on(self.stack.native_url, "/v1/openapi.json", 7)

    def test_asyncqueue(self):
        self.run_on(self.stack.url, "/asyncqueue/v1/openapi.json", 30)

    def test_asyncjobs(self):
        self.run_on(self.stack.url, "/asyncjobs/v1/openapi.json", 20)

    def test_taskmq(self):
        # Texts pass for numbers and the other way round, as in the original.
        self.run_on(self.stack.url, "/taskmq/openapi.json", 30, without=("negative_data_rejection",))


if __name__ == "__main__":
    tools.main()
