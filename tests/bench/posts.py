"""The load: POSTs of tasks by bench-load."""

import dataclasses
import json
import os
import subprocess
import tempfile

from harness import key_header, output_and_cpu_of
from stack import BIN
from target import stamps

CONNECTIONS = 64
CREATE = "/v1/tasks"
BATCH = "/v1/tasks/batch?atomic=true"


def task(port, **more):
    """The body of a task for a receiver, with marks that bench-load replaces."""
    fields = {"queue": "bench", "webhook_url": f"http://{{host}}:{port}/", **more}
    if "body" not in more:
        fields["payload"] = {"order": 1001, "total": "12.50", "n": "{n}"}
    body = json.dumps(fields, separators=(",", ":"))
    return body.replace('"{n}"', "{n}", 1)


@dataclasses.dataclass
class Load:
    """One bench-load: where it posts, and what."""

    port: int
    path: str
    body: str
    headers: list = dataclasses.field(default_factory=list)
    options: dict = dataclasses.field(default_factory=dict)  # of bench-load: seconds, rate, hosts, count, batch, first …

    def command(self, save=None):
        command = [BIN / "bench-load", "--port", self.port, "--path", self.path, "--body", self.body]
        for header in ("Content-Type: application/json", *self.headers):
            command += ["--header", header]
        for name, value in {"connections": CONNECTIONS, **self.options, **({"save": save} if save else {})}.items():
            command += [f"--{name}", value]
        return [str(part) for part in command]

    def run(self):
        """Runs to the end. All must be answered with 2xx. Returns what bench-load reports, with its CPU seconds."""
        text, seconds = output_and_cpu_of(*self.command())
        return {**checked(text, self), "cpu": seconds}

    def run_and_stamps(self):
        """The same, with the time of each acknowledgement."""
        with Background(self) as load:
            return load.result(), load.acknowledged()


class Background:
    """A bench-load that runs while the block does something else."""

    def __init__(self, load):
        self.load = load
        self.folder = tempfile.TemporaryDirectory(prefix="postern-bench-")
        self.save = os.path.join(self.folder.name, "acknowledged")
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.load.command(self.save), stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    @property
    def runs(self):
        return self.process.poll() is None

    def result(self):
        """Waits for the end."""
        text = self.process.stdout.read()
        if self.process.wait():
            raise subprocess.CalledProcessError(self.process.returncode, self.process.args)
        return checked(text, self.load)

    def acknowledged(self):
        return stamps(self.save)


def checked(text, load):
    result = json.loads(text)
    if result["not_2xx"] or result["unanswered"]:
        raise RuntimeError(f"{load.path} at port {load.port}: not every POST was answered with 2xx: {result}")
    return result


def creates(stack, body, path=CREATE, **options):
    """A load on Postern through nginx, with key authentication."""
    return Load(stack.state["http_port"], path, body, [key_header(stack)], options)
