"""PostgreSQL as three hosts with Debian's Patroni, and a host with etcd.

    cluster = Cluster(folder)
    cluster.create()
    stack = Stack(folder, settings, postgres=cluster)
    cluster.leader().kill()
"""

import json
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hosts"))

from network import NETWORK, Host  # noqa: E402
from postgres import Postgres, SupportError, run, tail  # noqa: E402

# The log contains no parameters of statements, because these are payloads.
QUIET = {"log_parameter_max_length": 0, "log_parameter_max_length_on_error": 0, "log_min_error_statement": "panic"}
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs/high-availability.md"
# Patroni's own defaults, to compare with the manual's.
DEFAULT_TIMES = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}


class Node(Host):
    def __init__(self, folder, name):
        super().__init__(name)
        self.folder = folder / name
        self.log = folder / f"{name}.log"
        self.patroni = self.process(folder / f"{name}.pid")

    def start(self):
        with open(self.log, "ab") as log:
            self.patroni.spawn(["/usr/bin/patroni", self.folder / "patroni.yml"], user="postgres",
                               stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/",
                               env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})

    def configure(self, etcd, changes):
        """Writes the manual's patroni.yml with this node's addresses and folders. `changes`: of the section `dcs`."""
        settings = yaml.safe_load(MANUAL.read_text().split("```yaml")[1].split("```")[0])
        settings["name"] = self.name
        settings["etcd"] = {"hosts": f"{etcd.address}:2379"}
        settings["bootstrap"]["dcs"].update(changes)
        for section, port in (("restapi", 8008), ("postgresql", 5432)):
            settings[section].update(listen=f"{self.address}:{port}", connect_address=f"{self.address}:{port}")
        settings["postgresql"].update(data_dir=str(self.folder / "data"), pgpass=str(self.folder / "pgpass"), pg_hba=[
            "local all all trust", f"host all all {NETWORK} trust", f"host replication all {NETWORK} trust"])
        settings["postgresql"]["parameters"] = {"unix_socket_directories": str(self.folder), **QUIET}
        self.folder.mkdir(mode=0o700)
        (self.folder / "patroni.yml").write_text(yaml.safe_dump(settings))
        for path in (self.folder, self.folder / "patroni.yml"):
            shutil.chown(path, "postgres", "postgres")


class Cluster(Postgres):
    """A Stack's PostgreSQL. The stack neither starts nor stops it."""

    def __init__(self, folder, synchronous=True, times=None):
        super().__init__(folder, folder / "postgres.pid", folder / "postgres.log")
        folder.mkdir()
        folder.chmod(0o711)
        self.synchronous = synchronous
        self.changes = {"synchronous_mode": synchronous, **(times or {})}
        self.etcd = Host("etcd")
        self.nodes = [Node(folder, f"node{number}") for number in (1, 2, 3)]

    def start_etcd(self):
        data = self.folder / "etcd"
        data.mkdir(mode=0o700)
        shutil.chown(data, "postgres", "postgres")
        url = f"http://{self.etcd.address}"
        with open(self.folder / "etcd.log", "ab") as log:
            self.etcd.process(self.folder / "etcd.pid").spawn([
                "/usr/bin/etcd", "--enable-v2", "--name", "etcd", "--data-dir", data, "--listen-client-urls", f"{url}:2379",
                "--advertise-client-urls", f"{url}:2379", "--listen-peer-urls", f"{url}:2380",
                "--initial-advertise-peer-urls", f"{url}:2380", "--initial-cluster", f"etcd={url}:2380"],
                user="postgres", stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")

    def create(self):
        """Starts everything with an empty database `postern`, and returns when it is whole."""
        self.start_etcd()
        for node in self.nodes:
            node.configure(self.etcd, self.changes)
            node.start()
        self.wait_whole(90)
        self.psql("CREATE DATABASE postern", "postgres")

    def start(self):
        pass

    stop = start

    def url(self, user="postgres", database="postern", nodes=None):
        """A connection string that names all nodes, or some."""
        hosts = ",".join(f"{node.address}:5432" for node in nodes or self.nodes)
        return f"postgresql://{user}@{hosts}/{database}"

    def psql(self, sql, database="postern", node=None):
        """Runs a statement on the leader, or on another node, and returns what psql prints, without headings."""
        url = self.url(database=database, nodes=[node or self.leader()])
        return run([self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, f"{url}?connect_timeout=5"])

    # --- its members -----------------------------------------------------------------------------

    def close(self):
        """Ends it, for a folder that is about to be deleted."""
        for host in (*self.nodes, self.etcd):
            host.kill()

    def members(self):
        """What Patroni says of its members, as a node sees it that answers; [] if none does."""
        for node in self.nodes:
            try:
                with urllib.request.urlopen(f"http://{node.address}:8008/cluster", timeout=1) as answer:
                    return json.load(answer)["members"]
            except (urllib.error.URLError, OSError, ValueError, KeyError):
                continue
        return []

    def role(self, *roles):
        """The node that has one of these roles; None if there is none."""
        names = [member["name"] for member in self.members() if member["role"] in roles]
        return next((node for node in self.nodes if node.name in names), None)

    def leader(self):
        end = time.monotonic() + 60
        while not (leader := self.role("leader")):
            if time.monotonic() > end:
                raise SupportError(f"the cluster has no leader; {self.nodes[0].log}:\n{tail(self.nodes[0].log)}")
            time.sleep(0.1)
        return leader

    def is_whole(self):
        """Whether there is a leader whom two nodes follow without lag, and a synchronous standby if there is to be."""
        members = self.members()
        return (sorted(member["role"] for member in members) ==
                ["leader", "replica", "sync_standby" if self.synchronous else "replica"]
                and all(member["state"] in ("running", "streaming") for member in members)
                and len({member.get("timeline") for member in members}) == 1
                and all(isinstance(member.get("lag", 0), int) and member.get("lag", 0) < 1 << 20 for member in members)
                and self._follow())

    def _follow(self):
        return self.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "postgres") == "2"

    def wait_whole(self, timeout=90):
        end = time.monotonic() + timeout
        while not self._is_whole_now():
            if time.monotonic() > end:
                said = "".join(f"\n{node.log}:\n{tail(node.log)}" for node in self.nodes)
                raise SupportError(f"the cluster is not whole after {timeout} s: {self.members()}{said}")
            time.sleep(0.2)

    def _is_whole_now(self):
        try:
            return self.is_whole()
        except SupportError:  # the leader does not answer yet
            return False

    def switch_over(self):
        """A planned switchover to a standby; returns when it is done."""
        leader = self.leader()
        candidate = self.role("sync_standby" if self.synchronous else "replica")
        request = urllib.request.Request(f"http://{leader.address}:8008/switchover", json.dumps(
            {"leader": leader.name, "candidate": candidate.name}).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
