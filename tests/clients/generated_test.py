#!/usr/bin/python3
"""Clients that generators make of the API descriptions: compiled, and run against the whole stack.

openapi-typescript and tsc are in tests/e2e/openapi_test.py.
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import tools
from harness import StackTest
from native_server import WithNative

DOCUMENTS = {"native": "/v1/openapi.json", "asyncqueue": "/asyncqueue/v1/openapi.json", "taskmq": "/taskmq/openapi.json",
             "asyncjobs": "/asyncjobs/v1/openapi.json"}
# Schemas within others that openapi-python-client would name like another, or twice, and then leave out with all that uses
# them. They get a name of their own before it reads the document.
NAMED = {"native": {("Task", "properties", "headers"): "HeadersOfTask"},
         "asyncqueue": {("TaskResult", "properties", "headers"): "HeadersOfResult"}}


def named(document, names):
    """The document with these schemas as components of their own; those that are not there, or are already, stay."""
    schemas = document["components"]["schemas"]
    for (*path, last), name in names.items():
        at = schemas
        with contextlib.suppress(KeyError, IndexError):
            for step in path:
                at = at[step]
            if "$ref" not in at[last]:
                schemas[name], at[last] = at[last], {"$ref": f"#/components/schemas/{name}"}
    return document


class Generated(StackTest):
    stack_type = WithNative

    def setUp(self):
        super().setUp()
        self.assertIn(self.api.request("PUT", "/v1/queues/HELD", {}).status, (200, 201))
        self.assertEqual(self.api.post("/v1/queues/HELD/pause").status, 200)  # so that its tasks can be cancelled
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.place = (self.stack.native_url, self.stack.url, self.stack.state["admin_key"], self.receiver.url("/hook"))
        for name, path in DOCUMENTS.items():
            (self.folder / f"{name}.json").write_bytes(self.api.get(path).body)

    def run_tool(self, *command, **options):
        done = subprocess.run(list(map(str, command)), cwd=self.folder, capture_output=True, text=True, timeout=240,
                              **options)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout[-8000:]}{done.stderr[-8000:]}")
        return done.stdout + done.stderr

    def test_go(self):
        generator = tools.part("go") / "bin/oapi-codegen"
        offline = {**os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
        for name in ("go.mod", "go.sum"):
            shutil.copy(tools.HERE / "go" / name, self.folder)
        steps = self.folder / "steps"
        for name in DOCUMENTS:
            (steps / name).mkdir(parents=True)
            said = self.run_tool(generator, "-generate", "types,client", "-package", name, "-o", steps / name / "api.go",
                                 f"{name}.json")
            self.assertEqual(said, "", name)
        shutil.copy(tools.HERE / "go/testdata/steps.go", steps)
        self.run_tool("go", "build", "-o", "run", "./steps", env=offline)
        said = self.run_tool(self.folder / "run", *self.place)
        self.assertEqual(len(said.splitlines()), 27, said)

    def test_python(self):
        bin_folder = tools.part("python") / "bin"
        path = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}  # it formats what it writes with ruff
        for name in DOCUMENTS:
            file = self.folder / f"{name}.json"
            file.write_text(json.dumps(named(json.loads(file.read_text()), NAMED.get(name, {}))))
            said = self.run_tool(bin_folder / "openapi-python-client", "generate", "--path", f"{name}.json",
                                 "--output-path", self.folder / name, "--meta", "none", env=path)
            left_out = [line for line in said.splitlines() if line.startswith(("WARNING", "Unable", "Cannot"))]
            # It knows no body of any type, which a receiver may send when it completes a task.
            self.assertEqual([line for line in left_out if "/complete" not in line], [], said[:8000])
        said = self.run_tool(*tools.python("generated_steps.py", self.folder, *self.place))
        self.assertEqual(len(said.splitlines()), 21, said)
        self.assertNotIn("untyped", said)


if __name__ == "__main__":
    tools.main()
