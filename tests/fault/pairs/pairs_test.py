#!/usr/bin/python3
"""Each attack of table.py beside a victim, on a stack of its own: pairs_test.py [Pairs.test_NAME...].

What fails a test holds on any machine: the victim gets no error, all its webhooks come, once, and it goes on; the programs stay
within their units' memory; the attacker gets a clear error or his fair share. How much slower the victim becomes stands in
the table that report.py prints, and fails nothing. POSTERN_PAIRS=long: the attacks at their full size, for longer.
"""

import os
import unittest

from pair import Pair
from report import table
from table import ATTACKS

FULL = os.environ.get("POSTERN_PAIRS") in ("long", "full")


class Pairs(unittest.TestCase):
    pass


def _test_of(attack):
    def test(self):
        row = Pair(attack, FULL).run()
        if row["broken"]:
            self.fail(row["broken"])
        if not os.environ.get("POSTERN_ATTACKS"):
            print("\n" + table([row]))

    return test


for each in ATTACKS:
    setattr(Pairs, f"test_{each.name}", _test_of(each))

if __name__ == "__main__":
    unittest.main()
