"""core/time/zones: each of its zones has the offsets of Python's zoneinfo, which reads the same files and their rules.

    zones_test.py PROGRAM       the program is that of zone_spans.cpp
"""

import datetime as dt
import subprocess
import sys
import unittest
import zoneinfo

# With half hours, negative and far hours, a winter that is "summer time", changes of two hours, the south, none at all.
ODD = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Nuuk", "America/Godthab",
       "Asia/Gaza", "Europe/Dublin", "America/Santiago", "Antarctica/Troll", "Asia/Kolkata", "UTC"}
DAY = 86_400
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
PROGRAM = sys.argv.pop()


def spans():
    """Of each zone its [(begin, end, offset)], from 1970 to 2100."""
    names = sorted(zoneinfo.available_timezones())
    done = subprocess.run([PROGRAM], input="\n".join(names), capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        if line in names:
            found[line] = []
        else:
            found[list(found)[-1]].append(tuple(map(int, line.split())))
    return found


class ZonesTest(unittest.TestCase):
    def test_every_zone_has_the_offsets_that_python_has(self):
        found = spans()
        self.assertLessEqual(ODD, set(found))
        self.assertGreater(len(found), 400)
        for name, parts in found.items():
            zone = zoneinfo.ZoneInfo(name)
            step = (7 if name in ODD else 61) * DAY
            for begin, end, offset in parts:
                for at in {begin, end - 1, *range(begin, end, step)}:
                    there = (EPOCH + dt.timedelta(seconds=at)).astimezone(zone)
                    self.assertEqual(there.utcoffset().total_seconds(), offset, f"{name} at {there}")


if __name__ == "__main__":
    unittest.main()
