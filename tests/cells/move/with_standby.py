"""A cell b with a server of its own, which has a standby: for what a move makes of servers that fail over."""

import itertools
import signal
import subprocess

from two_databases import BIN, TwoDatabases

from postgres import Postgres, Standby


class WithStandby(TwoDatabases):
    """The cell b has a server of its own with an asynchronous standby, and `self.servers` the primary of each."""

    numbers = itertools.count()

    def setUp(self):
        self.servers = dict.fromkeys("ab", self.postgres)
        super().setUp()
        self.former = self.server()
        self.servers["b"] = self.former
        self.migrate("b")
        self.standby = Standby(self.former, *self.places())
        self.lead("b", self.former, self.standby)
        self.fill(40)

    # --- servers -----------------------------------------------------------------------------------

    def places(self):
        name = f"pg{next(self.numbers)}"
        return self.folder / name, self.folder / f"{name}.pid", self.folder / f"{name}.log"

    def server(self):
        server = Postgres(*self.places())
        server.start()
        self.addCleanup(server.stop, signal.SIGQUIT)
        return server

    def migrate(self, cell):
        server = self.servers[cell]
        if server is not self.postgres:
            server.psql(f"CREATE DATABASE {cell}", "postgres")
        subprocess.run([BIN / "postern", "migrate", "--database", server.url(database=cell)], check=True,
                       stdout=subprocess.DEVNULL)
        self.beat(cell)

    def follow(self):
        """The standby is there, and has all."""
        self.standby.start()
        self.addCleanup(self.standby.stop, signal.SIGQUIT)
        here = self.former.psql("SELECT pg_current_wal_lsn()", "postgres")
        self.until(lambda: self.standby.psql(f"SELECT pg_last_wal_replay_lsn() >= '{here}'", "postgres") == "t")

    def follow_synchronously(self):
        self.follow()
        self.former.psql("ALTER SYSTEM SET synchronous_standby_names = '*'", "postgres")
        self.former.psql("SELECT pg_reload_conf()", "postgres")
        self.until(lambda: self.former.psql("SELECT sync_state FROM pg_stat_replication", "postgres") == "sync")

    def take_over(self):
        """The standby, with what it has."""
        self.standby.start()
        self.standby.promote()
        self.servers["b"] = self.standby

    def lead(self, cell, *servers):
        """The command finds the cell's database on these."""
        hosts = ",".join(str(server.folder) for server in servers)
        (self.folder / "cells" / f"{cell}.conf").write_text(
            f"database = host={hosts} port=5432 dbname={cell} user=postern_operator\ncell = {cell}\n"
            f"public_url = https://{cell}.test\n")

    def server_of(self, cell):
        return self.servers.get(cell, self.postgres)

    # --- moves -------------------------------------------------------------------------------------

    def refused(self, *options):
        """What the command says that does nothing."""
        def things():
            return self.rows("a"), self.state("a"), self.sql("a", "SELECT id, step, rounds FROM postern.move")

        before = things()
        moving = self.command(*options)
        out, err = moving.communicate(timeout=200)
        self.assertEqual(moving.returncode, 1, out + err)
        self.assertEqual(things(), before)
        return err

    def assert_moved(self, before):
        self.assert_all_there(before, "b")
        self.assertEqual((self.state("a"), self.state("b")), ("moved", "here"))
        self.assert_nothing("a")
        for cell in "ab":
            self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move"), "0")

    # A move that is held up at the target, which has a standby.
    def command_that_waits(self):
        moving = self.command()
        self.until(lambda: self.waits("b"))
        self.follow()
        return moving
