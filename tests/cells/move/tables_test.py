#!/usr/bin/python3
"""Each table that knows a tenant or a task moves with it, or is known not to; rows_test.py shows that those which do arrive."""

import unittest

from two_databases import TABLES, TwoDatabases

MOVED = {*TABLES, "dependency", "counter"}  # the last two are compared by other means: TwoDatabases.rows

NOT_MOVED = {
    "role_tenant": "names roles of this server",
    "move": "is of this end",
    "move_change": "is of this end",
    "moved_task": "is of this end",
    "lane": "is made by who needs one",
    "minute_pass": "is where the schedulers of this cell are",
    "queue_gauge": "is measured anew",
    "tenant_gauge": "is measured anew",
}

UNFENCED = {
    "counter": "is written with a row that is fenced",
    "dependency": "is written with a task",
    "sequel": "is written with a task's end, and taken away by schedulers, who rest",
    "queue_mark": "is written by schedulers, who rest",
    "queue_minute": "is written by schedulers, who rest",
    "endpoint_minute": "is written with ends of attempts; the last minutes are copied in the pause",
}


class Tables(TwoDatabases):
    def test_each_table_is_in_a_list(self):
        found = set(self.sql("a", """
            SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'postern'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
               AND a.attname IN ('tenant', 'task') AND NOT a.attisdropped""").splitlines())
        self.assertEqual(MOVED & NOT_MOVED.keys(), set())
        self.assertEqual(found, MOVED | NOT_MOVED.keys(), "a table is in no list, or is no more: see db/move, and two_databases.py")

    def test_what_moves_is_fenced(self):
        fenced = set(self.sql("a", "SELECT name FROM postern.fenced_tables()").splitlines())
        self.assertEqual(fenced | UNFENCED.keys(), MOVED)
        self.assertEqual(fenced & UNFENCED.keys(), set())


if __name__ == "__main__":
    unittest.main()
