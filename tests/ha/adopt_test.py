#!/usr/bin/python3
"""The manual's way of a single PostgreSQL into a cluster with Patroni, with the manual's passwords and its pg_hba."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "e2e"), str(HERE.parent / "hosts"), str(HERE)]

import network  # noqa: E402

network.enter("patroni", "etcd")

from cluster import MANUAL, Cluster  # noqa: E402
from network import NETWORK  # noqa: E402
from postgres import run, scratch_folder  # noqa: E402

SYSTEM = "SELECT system_identifier FROM pg_control_system()"
TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"


def blocks():
    """What the manual has behind `<!-- test: adopt -->`: the SQL and the commands."""
    return re.findall(r"<!-- test: adopt -->\n```\w+\n(.*?)```", MANUAL.read_text(), re.S)


class Adopt(unittest.TestCase):
    def setUp(self):
        folder = scratch_folder()
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        root.chmod(0o711)
        self.cluster = Cluster(root / "postgresql")
        self.addCleanup(self.cluster.close)
        self.cluster.start_etcd()
        for node in self.cluster.nodes:
            node.configure(self.cluster.etcd, self.cluster.changes)
            self.as_in_the_manual(node)
        os.environ["PGPASSWORD"] = "a-secret"

    def as_in_the_manual(self, node):
        """Who may log in, and where PostgreSQL listens."""
        manual = yaml.safe_load(MANUAL.read_text().split("```yaml")[1].split("```")[0])["postgresql"]
        file = node.folder / "patroni.yml"
        settings = yaml.safe_load(file.read_text())
        settings["postgresql"]["listen"] = manual["listen"]
        settings["postgresql"]["pg_hba"] = [line.replace("10.0.0.0/24", NETWORK) for line in manual["pg_hba"]]
        file.write_text(yaml.safe_dump(settings))

    def alone(self, node, *command):
        return run(["runuser", "-u", "postgres", "--", *command])

    def make_single(self, node):
        """As Debian makes one: its settings are not in its folder."""
        main, programs = node.folder / "main", self.cluster.bin
        self.alone(node, programs / "initdb", "-D", main, "--auth", "peer")
        with open(main / "postgresql.conf", "a") as file:
            file.write(f"listen_addresses = ''\nunix_socket_directories = '{node.folder}'\n")
        self.alone(node, programs / "pg_ctl", "-D", main, "-w", "-l", node.folder / "main.log", "start")
        return main

    def sql(self, node, text):
        """By the Unix socket, as the programs of that host."""
        return self.alone(node, self.cluster.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", node.folder, "-c", text)

    def test_the_tasks_of_a_single_server_are_those_of_the_cluster(self):
        sql, commands = blocks()
        [node, *others] = self.cluster.nodes
        main = self.make_single(node)
        self.sql(node, "CREATE TABLE task AS SELECT generate_series(1, 1000)")
        system, timeline = self.sql(node, SYSTEM), self.sql(node, TIMELINE)
        self.sql(node, sql)
        self.alone(node, self.cluster.bin / "pg_ctl", "-D", main, "-w", "stop")
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            (main / name).unlink()
        for line in commands.splitlines():
            if line.startswith(("mv ", "install ")):
                line = line.replace("/var/lib/postgresql/15/cell", str(node.folder / "data"))
                subprocess.run(line.replace("/var/lib/postgresql/15/main", str(main)).split(), check=True)
        node.start()
        self.assertEqual(self.cluster.leader().name, node.name)
        self.assertEqual(self.sql(node, "SELECT count(*) FROM task"), "1000")
        for other in others:
            other.start()
        self.cluster.wait_whole(90)
        # To the programs it is the same system, no earlier.
        self.assertEqual(self.sql(node, SYSTEM), system)
        self.assertGreaterEqual(int(self.sql(node, TIMELINE)), int(timeline))
        self.cluster.switch_over()
        self.cluster.wait_whole(90)  # its former primary too, by the roles for replication and for pg_rewind
        self.assertNotEqual(self.cluster.leader().name, node.name)
        self.assertEqual(self.cluster.psql("SELECT count(*) FROM task", "postgres"), "1000")


if __name__ == "__main__":
    unittest.main()
