#!/usr/bin/python3
"""A host whose link is lost in mid-delivery, and one that loses PostgreSQL alone: others take over, nothing is lost, and what
the lost ones learn too late changes nothing."""

import signal
import threading
import time
import unittest

import network
from cell import Cell, receiver
from cell_proof import BOUND, CellProof, request_on
from harness import wait_until
from receiver import Answer

RESCUE_AFTER = 4


class CutOff(unittest.TestCase):
    def test_others_take_over_and_late_results_change_nothing(self):
        settings = {"POSTERN_RESCUE_AFTER": f"{RESCUE_AFTER}s"}
        with CellProof(["stays", "cut", "blind"], settings) as proof:
            _, cut, blind = proof.cell.stacks
            proof.load(clients=8, rate=300, calm=True)
            proof.more(300)
            request_on(cut, "GET", "/v1/tasks?limit=1")  # nginx of this one knows the key for 5 s
            lost = {stack: proof.instance_of(stack) for stack in (cut, blind)}
            for instance in lost.values():
                proof.wait_until(lambda: proof.leases(instance) >= 3)
            fault = proof.note("hosts cut off", 2 * BOUND)
            cut.host.cut()
            blind.host.lose(proof.cell.db)
            asked = {stack: self.asked_meanwhile(stack) for stack in lost}
            under_way = {stack.host.name: proof.leases(instance) for stack, instance in lost.items()}
            proof.wait_until(lambda: not any(map(proof.leases, lost.values())), 60, "their attempts are rescued")
            rescued = time.monotonic() - fault.at
            proof.more(300)  # the others go on
            for each in asked.values():
                each.join()
            cut.host.mend()
            blind.host.find(proof.cell.db)
            mended = fault.end = time.monotonic()
            for stack, instance in lost.items():
                proof.wait_until(lambda: request_on(stack, "GET", "/readyz")[0] == 200)
                ready = time.monotonic() - mended
                proof.wait_until(lambda: proof.leases(instance), 30, f"{stack.host.name} claims again")
                print(f"{stack.host.name}: {under_way[stack.host.name]} under way; handlers ready after {ready:.1f} s, "
                      f"scheduler claims after {time.monotonic() - mended:.1f} s; meanwhile: {asked[stack].answers}")
            proof.more(200)
            checker = proof.finish()
            print(f"{len(checker.acked)} acknowledged, {checker.lost} lost, {len(checker.repeats)} repeated, "
                  f"rescued after {rescued:.1f} s")
            self.assertEqual(checker.report(), "")
            self.assertEqual(checker.lost, 0)
            self.assertGreater(len(checker.repeats), 0)  # the fault was no pretence
            self.assertLessEqual(len(checker.repeats), sum(under_way.values()) + 2 * BOUND)
            self.assertLess(rescued, RESCUE_AFTER + 15)
            # It knew results, and reported them again when it was back.
            self.assertIn("settle failed", (blind.log / "scheduler.log").read_text())
            for each in asked.values():
                for status, _, took in each.answers:
                    self.assertEqual(status, 503, each.answers)
                    self.assertLess(took, 15, each.answers)

    def test_a_result_that_comes_late_changes_nothing(self):
        with Cell({"POSTERN_RESCUE_AFTER": "3s"}) as cell:
            stays, blind = cell.stack("stays"), cell.stack("blind")
            stays.programs["scheduler"].stop(signal.SIGTERM)
            hooks, api = receiver(), cell.api(stays)
            self.addCleanup(hooks.close)
            to_blind, to_other = threading.Event(), threading.Event()
            hooks.on("/hook", Answer(410, b"to the one cut off", until=to_blind), Answer(200, b"to the other", until=to_other))
            path = f"/v1/tasks/{api.post('/v1/tasks', {'queue': 'q', 'webhook_url': hooks.url('/hook')}).json['id']}"
            hooks.wait_for(lambda requests: requests)
            stays._start_scheduler()
            blind.host.lose(cell.db)
            hooks.wait_for(lambda requests: len(requests) == 2)
            # Its answer would end the task. It cannot report it, and does when it is back.
            to_blind.set()
            wait_until(lambda: "settle failed" in (blind.log / "scheduler.log").read_text())
            since = cell.psql("SELECT clock_timestamp()")
            blind.host.find(cell.db)
            wait_until(lambda: cell.psql(f"SELECT 1 FROM pg_stat_activity WHERE client_addr = '{blind.host.address}' AND state = 'idle' "
                                         f"AND query_start > '{since}' AND query ~ 'FROM postern.lease l WHERE l.task = r.id' LIMIT 1"))
            now = api.get(path).json
            self.assertEqual((now["status"], now["attempt_count"]), ("active", 2))
            to_other.set()
            over = wait_until(lambda: (now := api.get(path).json)["status"] != "active" and now)
            self.assertEqual((over["status"], over["result"]["body"]), ("completed", "to the other"))
            self.assertEqual([each["status"] for each in over["attempts"]], ["lost", "success"])
            api.close()

    def asked_meanwhile(self, stack):
        """Requests on a host that does not reach PostgreSQL."""
        def ask():
            for method, path, body in (("POST", "/v1/tasks", {"queue": "x", "webhook_url": "http://10.77.0.1:9/"}),
                                       ("GET", "/v1/tasks?limit=1", None), ("GET", "/readyz", None)):
                thread.answers.append(request_on(stack, method, path, body))

        thread = threading.Thread(target=ask, daemon=True)
        thread.answers = []
        thread.start()
        return thread


if __name__ == "__main__":
    network.main()
