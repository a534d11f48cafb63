#!/usr/bin/python3
"""The checker finds each broken promise in evidence that was doctored, and none in evidence that was not."""

import copy
import hashlib
import unittest

from proof import Checker, Evidence, Fault, payload, uuid_of

NAMES = [f"task_01jk{'0' * 21}{number}" for number in range(8)]
IDS = [uuid_of(name) for name in NAMES]


def sha(number):
    return hashlib.sha256(payload(number).encode()).hexdigest()


def post(number, **fields):
    return {"post": number, "t": number, "numbers": [number], "key": None, "delay": 0, "retries": 2, "path": "/ok",
            "after": None, "atomic": None} | fields


def row(number, attempts=(("success", "200", 0.5, 0.25),), state="completed", **fields):
    recorded = [[count, status, code, number + began, took]
                for count, (status, code, began, took) in enumerate(attempts, 1)]
    return {"id": IDS[number], "queue": "q", "state": state, "reason": "", "attempt": len(recorded), "most": 3,
            "sha": sha(number), "key": None, "created": number, "attempts": recorded} | fields


def received(request, number, attempt, came, status, **fields):
    first = {"request": request, "t": came, "task": NAMES[number], "attempt": attempt, "path": "/ok",
             "sha": sha(number), "inside": NAMES[number], "signed": True}
    return [first | fields, {"answer": request, "t": came + 0.1, "status": status}]


def sound():
    """1: delivered; 2: with a key, twice; 3: fails once; 4: cancelled; 5: lost with its scheduler; 6: after 1;
    7: refused, because its key is that of 2."""
    ledger = [post(1), post(2, key="key-0-2"), post(8, numbers=[2], key="key-0-2"), post(3), post(4, delay=5), post(5),
              post(6, after=[NAMES[1]]), post(7, key="key-0-2")]
    ledger += [{"outcome": number, "t": number + 0.2, "status": 201, "ids": [NAMES[number]]} for number in range(1, 7)]
    ledger += [{"outcome": 8, "t": 8.2, "status": 200, "ids": [NAMES[2]]},
               {"outcome": 7, "t": 7.2, "status": 422, "ids": []},
               {"cancel": NAMES[4], "t": 4.5}, {"cancelled": NAMES[4], "t": 4.6, "status": 200}]
    sink = [*received(1, 1, 1, 1.6, 200), *received(2, 2, 1, 2.6, 200), *received(3, 3, 1, 3.6, 500),
            *received(4, 3, 2, 5.6, 200), *received(5, 5, 1, 5.6, 200), *received(6, 5, 2, 9.6, 200),
            *received(7, 6, 1, 6.6, 200)]
    rows = [row(1), row(2, key="key-0-2"), row(3, [("failed", "500", 0.5, 0.25), ("success", "200", 2.5, 0.25)]),
            row(4, [], "cancelled"), row(5, [("lost", None, 0.5, 0), ("success", "200", 4.5, 0.25)]), row(6),
            row(0, [], queue="schedule")]
    return Evidence(ledger, sink, rows, [{"nominal": 1.0, "task": IDS[0], "skipped": None}], [],
                    [Fault("kill", 7.0, 1)])


class CheckerTest(unittest.TestCase):
    def found(self, evidence):
        return set(Checker(evidence).check().violations)

    def test_sound_evidence(self):
        self.assertEqual(Checker(sound()).check().report(), "")

    def assert_finds(self, invariant, doctor):
        evidence = copy.deepcopy(sound())
        doctor(evidence)
        self.assertIn(invariant, self.found(evidence))

    def test_each_broken_promise(self):
        def set_row(index, **fields):
            return lambda evidence: evidence.rows[index].update(fields)

        def set_sink(index, **fields):
            return lambda evidence: evidence.sink[index].update(fields)

        def set_ledger(index, **fields):
            return lambda evidence: evidence.ledger[index].update(fields)

        cases = [
            ("I1", lambda evidence: evidence.rows.pop(0)),
            ("I1", set_row(0, sha=sha(2))),
            ("I2", set_row(0, sha="other")),
            ("I2", lambda evidence: evidence.rows.append(row(7))),
            ("I2", lambda evidence: evidence.rows.append(row(7, sha=sha(1)))),
            ("I2", set_ledger(0, numbers=[1, 9], atomic=True)),
            ("I3", lambda evidence: evidence.rows.append(row(7, sha=sha(2)))),
            ("I3", lambda evidence: evidence.rows.append(row(7, key="key-0-2"))),
            ("I3", lambda evidence: evidence.ledger[-4].update(ids=[NAMES[7]])),
            ("I3", lambda evidence: evidence.ledger[-3].update(status=200)),
            ("I4", set_row(0, state="ready")),
            ("I4", set_row(0, state="failed")),
            ("I4", set_row(0, state="cancelled")),
            ("I4", set_row(2, state="failed", reason="exhausted")),
            ("I4", set_sink(1, status=500)),
            ("I4", set_sink(0, sha="other")),
            ("I5", set_ledger(0, delay=1)),
            ("I6", set_row(0, most=0)),
            ("I6", set_row(0, most=9)),
            ("I6", lambda evidence: evidence.sink.extend(received(9, 1, 1, 1.8, 200))),
            ("I7", lambda evidence: evidence.sink.extend(received(9, 4, 1, 9.8, 200))),
            ("I7", set_row(3, state="completed")),
            ("I8", lambda evidence: evidence.changed.append({"id": IDS[1], "what": "UPDATE"})),
            ("I10", set_row(0, attempt=2)),
            ("I10", lambda evidence: evidence.sink.extend(received(9, 1, 2, 1.8, 200))),
            ("I11", lambda evidence: evidence.faults.clear()),
            ("I11", lambda evidence: setattr(evidence.faults[0], "at", 10.0)),
            ("I11", lambda evidence: setattr(evidence.faults[0], "repeats", 0)),
            ("I12", set_sink(5, t=5.7)),
            ("I13", set_sink(0, signed=False)),
            ("I13", set_sink(0, inside=NAMES[2])),
            ("I14", lambda evidence: evidence.rows[2]["attempts"][1].__setitem__(3, 4.0)),
            ("I17", lambda evidence: evidence.runs.append({"nominal": 3.0, "task": None, "skipped": "late"})),
            ("I17", lambda evidence: evidence.runs.clear()),
            ("I19", set_ledger(6, after=[NAMES[4]])),
            ("I20", set_ledger(-3, status=503, polite=False)),
        ]
        for invariant, doctor in cases:
            with self.subTest(invariant):
                self.assert_finds(invariant, doctor)


if __name__ == "__main__":
    unittest.main()
