#!/usr/bin/python3
"""Every row of every table of the seed documents has a test."""

import unittest

import coverage_page
from covers import COVERED, NAMES, rows_of, text_of
from rows_asyncjobs import FlagsOfTheServer, RowsOfAsyncJobs
from rows_asyncqueue import RowsOfAsyncQueue
from rows_taskmq import RowsOfTaskMq
from rows_tasks import RowsOfTasks

# Tests of one module share a stack.
for case in (FlagsOfTheServer, RowsOfAsyncJobs, RowsOfAsyncQueue, RowsOfTaskMq, RowsOfTasks):
    case.__module__ = __name__


class Coverage(unittest.TestCase):
    @unittest.skipUnless(text_of("000"), "the seed documents are not here")
    def test_no_row_is_missing(self):
        for seed in NAMES:
            rows = rows_of(seed)
            self.assertTrue(rows)
            self.assertEqual([row for row in rows if (seed, row) not in COVERED], [], seed)

    @unittest.skipUnless(text_of("000"), "the seed documents are not here")
    def test_no_test_covers_a_row_that_is_not_there(self):
        self.assertEqual([key for key in COVERED if key[1] not in rows_of(key[0])], [])

    def test_the_list_in_docs_is_current(self):
        self.assertEqual(coverage_page.PAGE.read_text(), coverage_page.text(),
                         "write it anew: tests/seeds/coverage_page.py")


if __name__ == "__main__":
    unittest.main()
