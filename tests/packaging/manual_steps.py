"""What package_test.py does by the manual's own commands: the blocks of shell behind `<!-- test: package NAME -->`, as
they are written."""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def manual(page, name=""):
    """The commands of that block of docs/PAGE, line by line."""
    mark = f"<!-- test: package {name}".rstrip() + " -->"
    block, = re.findall(re.escape(mark) + r"\n+```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return [line for line in block.splitlines() if line.strip() and not line.startswith("#")]


class ManualSteps:
    """Steps of a PackageTest, in this order."""

    def follow(self, page, name):
        """Pastes a block into a shell of root's."""
        return self.host.must("cd /root && set -ex\n" + "\n".join(manual(page, name)))

    def backup_and_restore(self):
        """What was there at the backup is there again, and what came later is not."""
        status, kept = self.request("POST", "/v1/tasks", {"queue": "emails", "webhook_url": self.receiver.url("/later"),
                                                          "payload": {}, "delay": 3600})
        self.assertEqual(status, 201, kept)
        finished = self.host.sql("SELECT count(*) FROM postern.task_finished", "postern")
        self.follow("operate.md", "backup")
        later = self.create("after the backup")[1]
        self.wait(lambda: self.request("GET", f"/v1/tasks/{later['id']}")[1]["status"] == "completed", "it is completed")
        said = self.follow("operate.md", "restore")
        self.assertIn(kept["id"], said)
        self.assertIn("1 task would be cancelled", said)
        self.assertEqual(self.request("GET", f"/v1/tasks/{kept['id']}")[1]["status"], "pending")
        self.assertEqual(self.request("GET", f"/v1/tasks/{later['id']}")[0], 404)
        self.assertEqual(self.host.sql("SELECT count(*) FROM postern.task_finished", "postern"), finished)
        self.assertEqual(self.host.sql("SELECT count(*) FROM pg_database WHERE datname = 'postern_before'"), "0")
        self.assertIn("etc/postern/postern.conf", self.host.must("tar -tzf /root/postern-etc.tar.gz"))
        task = self.create("after the restore")[1]
        self.wait(lambda: self.request("GET", f"/v1/tasks/{task['id']}")[1]["status"] == "completed", "it is completed")
        self.assertEqual(self.state_of_others(), self.before)

    def drop(self):
        """After the purge: nothing is left in PostgreSQL."""
        self.follow("install.md", "removal")
        self.assertEqual(self.roles(), "0")
        self.assertEqual(self.host.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'postern%'"), "0")

    def roles(self):
        return self.host.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'postern%'")

    def application(self):
        """Installed anew, into the application's database; the site has its line still."""
        self.host.must(f"cd /root && apt-get install -y ./{self.package.name}")
        self.host.must("nginx -t")
        said = self.follow("install.md", "application")
        self.assertRegex(said, r"(?m)^skipped +first task .*add `egress_allow = ")
        with open(self.host.path("etc/postern/postern.conf"), "a") as file:
            file.write("egress_allow = 127.0.0.0/8\n")
        self.host.must("systemctl try-restart 'postern-scheduler@*'")
        url = self.receiver.url("/sql")
        self.as_application(f"BEGIN; SELECT postern.enqueue('emails', '{url}', '{{\\\"n\\\":1}}'); ROLLBACK")
        self.as_application(f"BEGIN; SELECT postern.enqueue('emails', '{url}', '{{\\\"n\\\":2}}'); COMMIT")
        self.wait(lambda: self.receiver.at("/sql"), "the task of the committed transaction")
        self.assertEqual([request.json["payload"] for request in self.receiver.at("/sql")], [{"n": 2}])
        self.assertEqual(len(json.loads(self.host.must("postern task list --queue emails --json"))), 1)
        self.host.must("apt-get purge -y postern")
        self.follow("install.md", "removal from the application")
        self.host.must(manual("install.md", "removal")[-1])
        self.assertEqual(self.roles(), "0")
        self.assertEqual(self.state_of_others(), self.before)
