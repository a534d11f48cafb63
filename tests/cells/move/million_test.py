#!/usr/bin/python3
"""POSTERN_MOVE_ROWS (a million) tasks on their way from cell to cell: how long it takes, and for how long writes are refused."""

import os
import threading
import time
import unittest

from two_databases import TwoDatabases, Writer

ROWS = int(os.environ.get("POSTERN_MOVE_ROWS", "1000000"))


class MoveMillion(TwoDatabases):
    def test_the_pause_is_short_however_much_there_is(self):
        self.fill(ROWS // 2 * 10 // 9)
        for table in ("task", "task_finished"):
            self.sql("a", f"VACUUM ANALYZE postern.{table}")
        count = "SELECT (SELECT count(*) FROM postern.task_all WHERE tenant = 'acme')"
        tasks = int(self.sql("a", count))
        self.assertGreaterEqual(tasks, ROWS)
        wal = "SELECT pg_current_wal_lsn() - '0/0'"
        before, begun = int(self.sql("a", wal)), time.monotonic()
        ended = threading.Event()
        beside = threading.Thread(target=self.write_beside, args=(ended,))
        beside.start()
        writer = Writer(self)
        writer.start()
        try:
            done = self.move()
        finally:
            ended.set()
            beside.join()
            writer.end()
        seconds, written = time.monotonic() - begun, int(self.sql("a", wal)) - before
        print(f"tasks: {tasks}; rows: {done['rows']} copied in {seconds:.1f} s with their deletion,"
              f" WAL {written / 1e6:.0f} MB; pause {done['pause_ms']} ms, in which {len(writer.acknowledged)} writes one after the other"
              f" stood still for {writer.longest * 1e3:.0f} ms at most; others' inserts beside it: {self.beside}")
        self.assertLess(done["pause_ms"], 2000)
        self.assertLessEqual(writer.errors, {"PM001", "PM002"})
        self.assertEqual(int(self.sql("b", count)), tasks + len(writer.acknowledged))
        self.assertEqual(int(self.sql("a", count)), 0)

    def write_beside(self, ended):
        """Inserts of another tenant, each timed."""
        times = []
        while not ended.is_set():
            begun = time.monotonic()
            self.sql("a", "INSERT INTO postern.task (id, state, tenant, queue, url) VALUES"
                          " (postern.new_task_id(), 'ready', 'beside', 'q', 'http://receiver.test/')")
            times.append(time.monotonic() - begun)
            ended.wait(0.05)
        times.sort()
        self.beside = f"p50 {times[len(times) // 2] * 1e3:.0f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.0f} ms with psql's start"


if __name__ == "__main__":
    unittest.main()
