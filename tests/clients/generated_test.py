#!/usr/bin/python3
"""Clients that generators make of the API descriptions: compiled, and run against the whole stack.

openapi-typescript and tsc are in tests/e2e/openapi_test.py.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import tools
from harness import StackTest

DOCUMENTS = {"native": "/v1/openapi.json", "asyncqueue": "/asyncqueue/v1/openapi.json", "taskmq": "/taskmq/openapi.json",
             "asyncjobs": "/asyncjobs/v1/openapi.json"}


class Generated(StackTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
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
        said = self.run_tool(self.folder / "run", self.stack.url, self.stack.state["admin_key"], self.receiver.url("/hook"))
        self.assertEqual(len(said.splitlines()), 27, said)


if __name__ == "__main__":
    tools.main()
