#!/usr/bin/python3
"""An upgrade host after host, under load: the next version migrates the schema first, and both versions work side by side."""

import unittest

import network
import skips  # from tests/support, which network.py has made importable
from cell_proof import CellProof, request_on
from postgres import run
from stack import BIN

NEXT = BIN.parent / "next/bin"  # made by `ninja -C build next_programs`


class Upgrade(unittest.TestCase):
    def test_host_after_host_loses_nothing(self):
        with CellProof(["web1", "web2"]) as proof:
            web1, web2 = proof.cell.stacks
            old = run([BIN / "postern", "--version"]).split()[-1]
            new = run([NEXT / "postern", "--version"]).split()[-1]
            self.assertNotEqual(old, new)
            proof.load(clients=8, rate=300, calm=True)
            proof.more(200)
            self.assertEqual(self.versions(proof), {"web1": {old}, "web2": {old}})
            run([NEXT / "postern", "migrate"], env=web1._environment("postgres"))
            self.both_work(proof)
            web1.upgrade(NEXT)
            self.both_work(proof)
            self.assertEqual(self.versions(proof), {"web1": {new}, "web2": {old}})
            web2.upgrade(NEXT)
            self.both_work(proof)
            self.assertEqual(self.versions(proof), {"web1": {new}, "web2": {new}})
            checker = proof.finish()
            self.assertEqual(checker.report(), "")
            self.assertEqual(checker.lost, 0)
            self.assertEqual(len(checker.repeats), 0)
            answers = {line["status"] for line in checker.outcomes.values()}
            self.assertLessEqual(answers, {200, 201, 207, 409, 422}, "no request failed")
            print(f"{len(checker.acked)} acknowledged, {checker.lost} lost, {len(checker.repeats)} repeated; {old} and {new}")

    def both_work(self, proof):
        """Both hosts' handlers answer, and both schedulers deliver while load comes in."""
        for stack in proof.cell.stacks:
            proof.wait_until(lambda: request_on(stack, "GET", "/readyz")[0] == 200)
            self.assertEqual(request_on(stack, "GET", "/v1/tasks?limit=5")[0], 200)
            instance = proof.instance_of(stack)
            proof.wait_until(lambda: proof.leases(instance))
        proof.more(200)

    def versions(self, proof):
        """What runs on each host, by the newest heartbeats of each program."""
        rows = proof.psql("SELECT DISTINCT ON (name, program) name || ' ' || version FROM postern.instance "
                          "ORDER BY name, program, started_at DESC").splitlines()
        found = {}
        for row in rows:
            host, version = row.split()
            found.setdefault(host, set()).add(version)
        return found


if __name__ == "__main__":
    if not (NEXT / "postern-scheduler").exists():
        skips.now("without the next version's programs; ninja next_programs makes them")
    network.main()
