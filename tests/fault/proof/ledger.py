"""A file of JSON lines whose intents are on disk before what they announce begins."""

import asyncio
import json
import os


class Ledger:
    """For one event loop. Lines that come while a flush is under way share the next one."""

    def __init__(self, path):
        self._file = open(path, "ab", buffering=0)
        self._lines, self._waiting = [], []
        self._flushing = None

    async def intend(self, **fields):
        """Writes the line and returns when it is on disk."""
        done = asyncio.get_running_loop().create_future()
        self._lines.append(_line(fields))
        self._waiting.append(done)
        self._flushing = self._flushing or asyncio.create_task(self._flush())
        await done

    def note(self, **fields):
        """Writes the line with the next flush, or when the ledger is closed."""
        self._lines.append(_line(fields))

    def close(self):
        self._file.write(b"".join(self._lines))
        os.fsync(self._file.fileno())
        self._file.close()

    async def _flush(self):
        while self._waiting:
            lines, self._lines = self._lines, []
            waiting, self._waiting = self._waiting, []
            self._file.write(b"".join(lines))
            await asyncio.to_thread(os.fsync, self._file.fileno())
            for done in waiting:
                done.set_result(None)
        self._flushing = None


def _line(fields):
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def read(path):
    with open(path, "rb") as file:
        return [json.loads(line) for line in file]
