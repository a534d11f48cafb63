"""A client of each dialect, with the packages that openapi-python-client makes of its description: generated_steps.py
FOLDER-OF-THEM NATIVE-URL URL KEY RECEIVER. generated_test.py reads the line that each step prints.
"""

import importlib
import json
import pkgutil
import sys

folder, native_url, url, key, receiver = sys.argv[1:]
sys.path.insert(0, folder)


class Speaker:
    def __init__(self, name, base):
        self.name = name
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
        self.models = importlib.import_module(f"{name}.models")
        self.client = package.AuthenticatedClient(base_url=base, token=key, follow_redirects=True)

    def step(self, status, operation, *arguments, body=None, **options):
        """Calls an operation; `body` is (its model, its fields). Prints the step, and whether its answer was read into a
        type. Returns it as JSON."""
        if body:
            options["body"] = getattr(self.models, body[0]).from_dict(body[1])
        module = importlib.import_module(f"{self.name}.api.{operation}")
        reply = module.sync_detailed(*arguments, client=self.client, **options)
        if reply.status_code != status:
            sys.exit(f"{self.name} {operation}: {reply.status_code}, not {status}: {reply.content}")
        print(self.name, operation, status, "untyped" if reply.parsed is None else "typed")
        return json.loads(reply.content)


native = Speaker("native", native_url)
task = native.step(201, "tasks.create_task", body=("TaskCreateRequest", {
    "queue": "generated", "webhook_url": receiver, "delay": 3600, "payload": {"n": 1}, "tags": ["a"],
    "headers": {"X-One": "1"}}))["id"]
native.step(200, "tasks.get_task", task)
native.step(200, "tasks.list_tasks")
native.step(200, "tasks.cancel_task", task)
native.step(409, "tasks.cancel_task", task)
native.step(404, "tasks.get_task", "nobody")
native.step(200, "queues.list_queues")
native.step(200, "meta.get_stats")

asyncqueue = Speaker("asyncqueue", f"{url}/asyncqueue")
task = asyncqueue.step(201, "tasks.create_task", body=("TaskCreateRequest", {
    "targetUrl": receiver, "body": "{}", "delayUntil": "2030-06-01T00:00:00Z", "headers": {"X-One": "1"}}))["task"]["id"]
asyncqueue.step(200, "tasks.get_task", task)
asyncqueue.step(200, "tasks.list_tasks")
asyncqueue.step(200, "tasks.cancel_task", task)
asyncqueue.step(409, "tasks.cancel_task", task)

taskmq = Speaker("taskmq", f"{url}/taskmq")
job = taskmq.step(200, "jobs.add_job", body=("JobRequest", {"payload": {"n": 1}, "handler": "generated",
                                                          "scheduled_for": "2030-06-01T00:00:00Z"}))["job_id"]
taskmq.step(200, "jobs.get_job", str(job))
taskmq.step(404, "jobs.get_job", "999999999")

asyncjobs = Speaker("asyncjobs", f"{url}/asyncjobs")
asyncjobs.step(201, "queues.create_queue", body=("QueueCreateRequest", {"name": "PYTHON"}))
task = asyncjobs.step(201, "tasks.create_task", body=("TaskCreateRequest", {
    "type": "generated:none", "queue": "HELD", "payload": {"n": 1}}))["id"]
asyncjobs.step(200, "tasks.get_task", task)
asyncjobs.step(200, "tasks.list_tasks")
asyncjobs.step(200, "tasks.cancel_task", task)
