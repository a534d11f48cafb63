#!/usr/bin/python3
"""Dependencies, ordering keys and callbacks, with two schedulers."""

import collections
import os
import signal
import subprocess
import time
import unittest

from harness import Answer, StackTest

FAST = {"intervals": [0.1], "jitter": 0}


class FlowTest(StackTest):
    settings = {"POSTERN_RESCUE_AFTER": "2s"}

    def setUp(self):
        super().setUp()
        self.another_scheduler("second")

    def batch(self, tasks):
        made = self.api.post("/v1/tasks/batch?atomic=true", {"tasks": tasks})
        self.assertEqual(made.status, 200, made.body[:500])
        return [result["task"] for result in made.json["results"]]

    def begin(self, task):
        """Starts a task that was created with a delay, so that what depends on it was there before."""
        self.assertEqual(self.api.post(f"/v1/tasks/{task['id']}/run").status, 200)

    def ends(self, tasks, timeout=30):
        """Waits for the ends of the tasks and returns (status, reason) of each."""
        return [(end["status"], end.get("reason")) for end in (self.finished(task, timeout) for task in tasks)]

    def came_to(self, path):
        return [request.json["task_id"] for request in self.receiver.at(path)]


class Dependencies(FlowTest):
    def test_a_chain_of_a_hundred_runs_in_order(self):
        chain = [self.create(delay=3600)]
        for _ in range(99):
            chain.append(self.create(dependencies=[chain[-1]["id"]]))
        self.assertEqual({task["status"] for task in chain[1:]}, {"blocked"})
        self.begin(chain[0])
        self.assertEqual(self.finished(chain[-1], 60)["status"], "completed")
        self.assertEqual(self.came_to("/hook"), [task["id"] for task in chain])

    def test_a_diamond_waits_for_both_sides(self):
        self.receiver.on("/slow", Answer(delay=1))
        top = self.create(webhook_url=self.receiver.url("/top"), delay=1)
        sides = [self.create(webhook_url=self.receiver.url(path), dependencies=[top["id"]])
                 for path in ("/quick", "/slow")]
        bottom = self.create(webhook_url=self.receiver.url("/bottom"), dependencies=[side["id"] for side in sides])
        self.assertEqual(self.finished(bottom)["status"], "completed")
        paths = [request.path for request in self.receiver.requests]
        self.assertEqual((paths[0], sorted(paths[1:3]), paths[3:]), ("/top", ["/quick", "/slow"], ["/bottom"]))
        times = {request.path: request.time for request in self.receiver.requests}
        self.assertGreaterEqual(times["/bottom"], times["/slow"] + 1)

    def family(self, **root):
        """A root, two children and a grandchild of each."""
        top = self.create(webhook_url=self.receiver.url("/root"), **root)
        children = [self.create(dependencies=[top["id"]]) for _ in range(2)]
        return top, children + [self.create(dependencies=[child["id"]]) for child in children]

    def test_a_retry_revives_the_unreachable_dependents_of_a_task(self):
        self.receiver.on("/root", 500, 200)
        root, rest = self.family(max_retries=0, delay=3600)
        self.begin(root)
        self.assertEqual(self.ends([root]), [("failed", "exhausted")])
        self.assertEqual(self.ends(rest), [("failed", "unreachable")] * 4)
        self.assertEqual(self.came_to("/hook"), [])
        self.assertEqual(self.api.post(f"/v1/tasks/{root['id']}/retry").status, 200)
        self.wait_until(lambda: [self.get(task)["status"] for task in (root, *rest)] == ["completed"] * 5, 30)
        self.assertEqual(collections.Counter(self.came_to("/hook")), {task["id"]: 1 for task in rest})

    def test_dependents_of_cancelled_and_deleted_are_unreachable(self):
        for end in (lambda task: self.api.post(f"/v1/tasks/{task['id']}/cancel"),
                    lambda task: self.api.delete(f"/v1/tasks/{task['id']}")):
            root, rest = self.family(delay=3600)
            self.assertIn(end(root).status, (200, 204))
            self.assertEqual(self.ends(rest), [("failed", "unreachable")] * 4)
        self.assertEqual(self.receiver.requests, [])

    def test_a_missing_dependency_is_unreachable_a_completed_one_is_met(self):
        lost = self.create(dependencies=["task_01h455vb4pex5vsknk084sn02q"])
        self.assertEqual(self.ends([lost]), [("failed", "unreachable")])
        done = self.create()
        self.finished(done)
        self.assertEqual(self.ends([self.create(dependencies=[done["id"]])]), [("completed", None)])

    def test_a_hundred_children_in_one_batch(self):
        root = self.create(delay=1)
        children = self.batch([{"queue": "default", "webhook_url": self.receiver.url("/hook"),
                                "dependencies": [root["id"]]}] * 100)
        self.assertEqual(set(self.ends(children)), {("completed", None)})
        self.assertEqual(len(set(self.came_to("/hook"))), 101)

    def test_nothing_is_lost_when_a_scheduler_dies_before_it_wakes(self):
        # wake needs this lock: while the test holds it, ends are stored but dependents are not woken.
        connect = self.stack.postgres.url()
        psql = [self.stack.postgres.bin / "psql", "-Xqc",
                "SELECT pg_advisory_lock(hashtextextended('postern.wake', 0)), pg_sleep(120)", connect]
        with subprocess.Popen(psql, stdout=subprocess.DEVNULL, env=os.environ) as holder:
            self.addCleanup(holder.kill)
            held = ("SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
                    " AND wait_event = 'PgSleep'")
            self.wait_until(lambda: int(self.stack.postgres.psql(held)) > 0)
            root = self.create(on_complete_url=self.receiver.url("/told"))
            child = self.create(dependencies=[root["id"]])
            self.assertEqual(self.ends([root]), [("completed", None)])
            self.stack.programs["scheduler"].stop(signal.SIGKILL)
            self.assertEqual(self.get(child)["status"], "blocked")
            self.assertEqual(self.receiver.at("/told"), [])
            holder.kill()
        self.stack.postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                 " WHERE query LIKE '%pg_sleep(120)%' AND pid <> pg_backend_pid()")
        self.stack.start()
        self.assertEqual(self.ends([child]), [("completed", None)])
        self.receiver.wait_for(lambda _: len(self.receiver.at("/told")) == 1)


class Keys(FlowTest):
    KEYS = 5
    ANSWER = 0.02  # seconds

    def order_seen(self, created, ended_early=()):
        """Checks the receiver's requests: one at a time for each key, in the order of creation."""
        numbers = {task["id"]: place for place, task in enumerate(created)}
        for key in range(self.KEYS):
            requests = self.receiver.at(f"/{key}")
            places = [numbers[request.json["task_id"]] for request in requests]
            self.assertEqual(places, sorted(places), f"key {key}")
            expected = [place for place, task in enumerate(created)
                        if task["key"] == str(key) and task["id"] not in ended_early]
            self.assertEqual(sorted(set(places)), expected, f"key {key}")
            for before, after in zip(requests, requests[1:]):
                self.assertGreaterEqual(after.time - before.time, self.ANSWER * 0.9, f"key {key}")

    def tasks(self, count):
        return [{"queue": self.id().rpartition(".")[2][:64], "key": str(n % self.KEYS), "max_retries": 5, "retry_policy": FAST,
                 "webhook_url": self.receiver.url(f"/{n % self.KEYS}"), "payload": {"n": n}}
                for n in range(count)]

    def test_two_hundred_of_five_keys(self):
        for key in range(self.KEYS):
            self.receiver.on(f"/{key}", Answer(delay=self.ANSWER))
        created = self.batch(self.tasks(200))
        self.assertEqual({end for end in self.ends(created, 60)}, {("completed", None)})
        self.order_seen(created)

    def test_one_at_a_time_in_the_order_of_creation(self):
        for key in range(self.KEYS):
            self.receiver.on(f"/{key}", Answer(delay=self.ANSWER))
        created = []
        for task in self.tasks(60):
            reply = self.api.post("/v1/tasks", task)
            self.assertEqual(reply.status, 201)
            created.append(reply.json)
        self.assertEqual({end for end in self.ends(created, 60)}, {("completed", None)})
        self.order_seen(created)

    def test_a_retry_holds_back_the_next_of_its_key(self):
        bad, good = Answer(500, delay=self.ANSWER), Answer(delay=self.ANSWER)
        for key in range(self.KEYS):
            self.receiver.on(f"/{key}", *[bad, good] * 12)
        created = self.batch(self.tasks(60))
        self.assertEqual({end for end in self.ends(created, 60)}, {("completed", None)})
        self.order_seen(created)

    def test_the_next_runs_after_a_failed_cancelled_or_deleted_one(self):
        for key in range(self.KEYS):
            self.receiver.on(f"/{key}", Answer(delay=self.ANSWER))
        tasks = self.tasks(30)
        for task in tasks[:self.KEYS]:
            task["delay"] = 3600  # the head of each key
        created = self.batch(tasks)
        time.sleep(0.5)
        self.assertEqual(self.receiver.requests, [])
        heads = created[:self.KEYS]
        for head in heads[:2]:
            self.assertEqual(self.api.post(f"/v1/tasks/{head['id']}/cancel").status, 200)
        for head in heads[2:4]:
            self.assertEqual(self.api.delete(f"/v1/tasks/{head['id']}").status, 204)
        self.receiver.on("/4", *[Answer(500, delay=self.ANSWER)] * 6, Answer(delay=self.ANSWER))
        self.api.post(f"/v1/tasks/{heads[4]['id']}/run")
        self.assertEqual(self.ends([heads[4]]), [("failed", "exhausted")])
        self.assertEqual({end for end in self.ends(created[self.KEYS:])}, {("completed", None)})
        self.order_seen(created, {head["id"] for head in heads[:4]})

    def test_order_holds_when_schedulers_are_killed(self):
        for key in range(self.KEYS):
            self.receiver.on(f"/{key}", Answer(delay=self.ANSWER))
        created = []
        for _ in range(3):
            seen = len(self.receiver.requests)
            created += self.batch(self.tasks(35))  # the other scheduler may have ended all that there were
            self.receiver.wait_for(lambda requests: len(requests) >= seen + 10, 60)
            self.stack.programs["scheduler"].stop(signal.SIGKILL)
            self.stack.start()
        self.assertEqual({end for end in self.ends(created, 90)}, {("completed", None)})
        self.assertEqual({task for key in range(self.KEYS) for task in self.came_to(f"/{key}")},
                         {task["id"] for task in created})


class Callbacks(FlowTest):
    def told(self, path, count=1):
        """The callbacks received at `path`, once none is under way."""
        self.receiver.wait_for(lambda _: len(self.receiver.at(path)) >= count, 20)
        waiting = "SELECT (SELECT count(*) FROM postern.sequel) + (SELECT count(*) FROM postern.task)"
        self.wait_until(lambda: self.stack.postgres.psql(waiting).strip() == "0", 20, "all is over")
        return self.receiver.at(path)

    def create(self, **fields):
        urls = {"on_complete_url": self.receiver.url("/complete"), "on_failure_url": self.receiver.url("/failure")}
        return super().create(**urls, **fields)

    def test_each_end_makes_one_signed_callback(self):
        self.receiver.on("/bad", 500)
        good = self.create()
        bad = self.create(webhook_url=self.receiver.url("/bad"), max_retries=1, retry_policy=FAST)
        complete, failure = self.told("/complete"), self.told("/failure")
        self.assertEqual([request.json["task"]["id"] for request in complete], [good["id"]])
        self.assertEqual([request.json["task"]["id"] for request in failure], [bad["id"]])
        self.assertEqual(complete[0].json["event"], "task.completed")
        self.assertEqual((failure[0].json["event"], failure[0].json["task"]["reason"]), ("task.failed", "exhausted"))
        for request in complete + failure:
            self.assertTrue(request.headers["webhook-signature"].startswith("v1,"))
        # A second callback after a retry and its end.
        self.api.post(f"/v1/tasks/{bad['id']}/retry")
        self.assertEqual(len(self.told("/failure", 2)), 2)

    def test_is_repeated_until_the_receiver_accepts_it(self):
        self.receiver.on("/complete", 500, 503, 200)
        task = self.create()
        self.assertEqual([request.json["task"]["id"] for request in self.told("/complete", 3)], [task["id"]] * 3)

    def test_unreachable_tasks_call_back_too(self):
        self.receiver.on("/bad", 500)
        root = self.create(webhook_url=self.receiver.url("/bad"), max_retries=0, delay=3600)
        child = self.create(dependencies=[root["id"]])
        grandchild = self.create(dependencies=[child["id"]])
        self.begin(root)
        told = {request.json["task"]["id"]: request.json["task"]["reason"] for request in self.told("/failure", 3)}
        self.assertEqual(told, {root["id"]: "exhausted", child["id"]: "unreachable", grandchild["id"]: "unreachable"})
        self.assertEqual(len(self.receiver.at("/failure")), 3)

    def test_cancelled_tasks_do_not_call_back(self):
        task = self.create(delay=3600)
        self.api.post(f"/v1/tasks/{task['id']}/cancel")
        other = self.create()
        self.assertEqual([request.json["task"]["id"] for request in self.told("/complete")], [other["id"]])
        self.assertEqual(self.receiver.at("/failure"), [])


if __name__ == "__main__":
    unittest.main()
