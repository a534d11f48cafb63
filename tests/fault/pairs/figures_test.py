#!/usr/bin/python3
"""What the table of the attacks rests on: phases are cut where they should be, and what never came shows."""

import math
import unittest

from figures import figures, memory_limits, quantile, slower
from report import table


def report(**samples):
    return {"create": [], "read": [], "delivery": [], "chain": [], "late": [], "twice": 0, **samples}


class Figures(unittest.TestCase):
    def test_a_phase_has_what_was_due_in_it(self):
        phase = figures(report(create=[(9, 500, 201), *((10 + n / 100, n, 201) for n in range(100)), (11, 500, 201)]), [], 10, 11)
        self.assertEqual((phase["create"], phase["create_p99"], phase["created"]), (50, 99, 100))
        self.assertEqual((phase["failed"], phase["refused"], phase["longest"]), (0, 0, 99))

    def test_errors_are_counted_and_refusals_apart(self):
        phase = figures(report(create=[(1, 1, 201), (1, 1, 503), (1, 1, 0)], read=[(1, 1, 404), (1, 1, 200), (1, 1, 502)]), [], 0, 2)
        self.assertEqual((phase["failed"], phase["refused"]), (3, 1))

    def test_what_never_came_is_infinitely_late(self):
        phase = figures(report(delivery=[(1, 5), (1, None)], chain=[(1, None)]), [(1, 70), (3, 900)], 0, 2)
        self.assertEqual((phase["missing"], phase["chains_missing"], phase["late"]), (1, 1, 70))
        self.assertEqual((phase["schedule"], phase["schedule_p99"]), (70, 70))
        self.assertEqual((phase["delivery_p99"], phase["chain"]), (math.inf, math.inf))
        self.assertTrue(math.isnan(phase["create_p99"]))

    def test_slower_is_three_times_or_a_tenth_of_a_second_or_the_schedules_resolution(self):
        def p99(create, delivery, schedule=400):
            return {"create_p99": create, "delivery_p99": delivery, "schedule_p99": schedule}

        self.assertEqual(slower(p99(10, 40), p99(30, 100)), "")
        self.assertEqual(slower(p99(10, 40), p99(31, 110)), "create 3.1 x, delivery 110 ms")
        self.assertEqual(slower(p99(10, 40), p99(10, math.inf)), "delivery: never")
        self.assertEqual(slower(p99(10, 40), p99(10, 40, 1000)), "")
        self.assertEqual(slower(p99(10, 40), p99(10, 40, 1001)), "schedule 1001 ms")
        self.assertEqual(slower(p99(10, 40), p99(10, 40, 1300)), "schedule 3.2 x")

    def test_quantiles(self):
        self.assertEqual([quantile([3, 1, 2], part) for part in (0, 0.5, 1)], [1, 2, 3])
        self.assertTrue(math.isnan(quantile([], 0.5)))

    def test_the_units_have_limits(self):
        self.assertEqual(set(memory_limits()), {"handlers", "scheduler", "nginx"})
        self.assertGreaterEqual(min(memory_limits().values()), 64 << 20)

    def test_a_row_of_the_table(self):
        phase = figures(report(create=[(1, 5, 201)], delivery=[(1, None)]), [(1, 1234)], 0, 2)
        row = {"row": 7, "what": "a | b", "before": phase, "during": phase, "after": phase, "seen": "2 x 200", "broken": "", "slower": "",
               "memory": {"handlers": 1 << 20, "scheduler": 2 << 20, "nginx": 3 << 20}}
        self.assertEqual(table([row]).splitlines()[2].split(" | ")[:7], [
            "| 7", "a \\| b", "5.0 / 5.0 / 5.0", "never / never / never", "– / – / –", "1,234 / 1,234 / 1,234",
            "1,234 / 1,234 / 1,234"])
        self.assertIn("| NO: x |", table([{**row, "broken": "x", "slower": "y"}]))


if __name__ == "__main__":
    unittest.main()
