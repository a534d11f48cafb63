"""Tests that are skipped for what a machine does not have, and ctest knows it.

    set_tests_properties(... SKIP_RETURN_CODE 77)

    if __name__ == "__main__":
        skips.main()        # instead of unittest.main()
"""

import sys
import unittest

SKIPPED = 77  # the exit status of a file all of whose tests were skipped


def main():
    """unittest.main() with a status of its own for "all skipped"."""
    result = unittest.main(module="__main__", exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    for _, reason in result.skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    # A class that is skipped as a whole counts as none that ran.
    sys.exit(SKIPPED if result.skipped and len(result.skipped) >= result.testsRun else 0)


def now(why):
    """Ends the file as skipped."""
    print(f"skipped: {why}")
    sys.exit(SKIPPED)
