"""The operator's command in tests: on the host's database with the handlers' rights, and over HTTP with a key."""

import json
import os
import subprocess

from described import as_json_schema, faults
from harness import BIN, StackTest


class Commanding(StackTest):
    """`postern` on the host's database. The suites of the nouns run by this and by OverHttp."""

    def setUp(self):
        super().setUp()
        document = self.api.get("/v1/openapi.json").json
        self.document = as_json_schema(document, closed=True)

    def where(self):
        """The options and the environment that say where the API is."""
        return ["--database", self.stack.postgres.url("postern_api")], {}

    def run_postern(self, *arguments, env=None, stdin=None):
        where, variables = self.where()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        return subprocess.run([BIN / "postern", *where, *arguments], capture_output=True, text=True, check=False,
                              input=stdin, env={**clean, "TZ": "UTC", **variables, **(env or {})})

    def postern(self, *arguments, code=0, schema=None, stdin=None):
        """The JSON that it prints, which is as the API's description says of `schema` ([schema]: a list of it)."""
        done = self.run_postern("--json", *arguments, stdin=stdin)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if not done.stdout:
            return None
        told = json.loads(done.stdout)
        if code == 0 and schema:
            of_one = schema if isinstance(schema, str) else schema[0]
            wanted = {"$ref": f"#/components/schemas/{of_one}"}
            wanted = wanted if isinstance(schema, str) else {"type": "array", "items": wanted}
            self.assertEqual(faults(self.document, wanted, told), [], (arguments, done.stdout))
        elif code:
            self.assertIn("message", told["error"], done.stdout)
            self.assertTrue(done.stderr.startswith("postern: "), done.stderr)
        return told

    def refused(self, *arguments, code=2):
        """The sentence with which it ends."""
        self.postern(*arguments, code=code)
        done = self.run_postern(*arguments)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        return done.stderr.removeprefix("postern: ").rstrip("\n")

    def shown(self, *arguments, code=0, env=None, stdin=None):
        """What people see: the lines of a table or record."""
        done = self.run_postern(*arguments, env=env, stdin=stdin)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout.splitlines()

    def assert_as_the_api(self, path, shown, apart=()):
        """The command prints what the API answers."""
        told = self.api.get(path).json
        self.assertEqual({name: value for name, value in shown.items() if name not in apart},
                         {name: value for name, value in told.items() if name not in apart})


class OverHttp(Commanding):
    """The same from elsewhere: through nginx, with a key, and without any configuration of the server's."""

    def where(self):
        variables = {"POSTERN_URL": self.stack.url, "POSTERN_KEY": self.stack.state["admin_key"]}
        # Whoever reads them fails.
        return [], {**variables, "POSTERN_DATABASE": "host=/nonexistent", "POSTERN_LOG_LEVEL": "nonsense"}
