"""The schema as the migrations leave it, beside the one that was reviewed (schema.sql).

A change to the migrations changes both: `schema_test.py --write` writes the file anew.
"""

import difflib
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

from postgres import Postgres, run, scratch_folder  # noqa: E402
from stack import BIN  # noqa: E402

REVIEWED = pathlib.Path(__file__).with_name("schema.sql")


def migrated_schema():
    with scratch_folder() as folder:
        folder = pathlib.Path(folder)
        postgres = Postgres(folder / "pg", folder / "postgres.pid", folder / "postgres.log")
        try:
            postgres.start()
            subprocess.run([BIN / "postern", "migrate", "--database", postgres.url()], check=True,
                           stdout=subprocess.DEVNULL)
            # The partitions of the days are made as time goes by.
            dump = run([postgres.bin / "pg_dump", "--schema-only", "--schema=postern", "--no-owner",
                        "--exclude-table=postern.task_finished_*_2*", postgres.url()])
        finally:
            postgres.stop()
    # Without what depends on the version of pg_dump: comments, settings, empty lines.
    skipped = ("--", "SET ", "SELECT pg_catalog.set_config", "\\restrict", "\\unrestrict")
    return "".join(f"{line}\n" for line in dump.splitlines() if line and not line.startswith(skipped))


def main(arguments):
    schema = migrated_schema()
    if arguments == ["--write"]:
        REVIEWED.write_text(schema)
        return 0
    if schema == REVIEWED.read_text():
        return 0
    sys.stdout.writelines(difflib.unified_diff(REVIEWED.read_text().splitlines(True), schema.splitlines(True),
                                               "schema.sql", "the migrations"))
    print("The migrations lead to another schema than tests/db/schema/schema.sql: if that is wanted,"
          " run tests/db/schema/schema_test.py --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
