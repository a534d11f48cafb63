#!/usr/bin/python3
"""What all dialects have in common (tests/e2e/conformance_test.py), through each of two cells behind one nginx: cell a and cell b
by the label in the key, at the vhost of both."""

import unittest

from pair import CellsTest

import conformance_test as one_cell
from harness import Api
from speakers import SPEAKERS


class ThroughTheFront(CellsTest):
    label = None

    def setUp(self):
        self.cell = self.stack.b if self.label == "b" else self.stack
        super().setUp()

    def client(self, role=None, url=None):
        key = self.cell.state[f"{role}_key"] if role else None
        if key:
            self.assertTrue(key.startswith(f"postern_{self.label}_"))
        api = Api(url or self.stack.front, key)
        self.addCleanup(api.close)
        return api


def classes():
    for speaker in SPEAKERS:
        for mount in (f"/{speaker.name}", "") if speaker.name != "native" else ("",):
            # That a cell without others speaks them all is shown in tests/e2e/.
            for label in "ab" if speaker.name == "native" or (speaker.name == "taskmq" and mount) else "b":
                name = f"{speaker.__name__}{'AtItsMount' if mount else 'AmongAll'}Of{label.upper()}"
                yield name, type(name, (one_cell.Conformance, ThroughTheFront),
                                 {"speaker_type": speaker, "mount": mount, "label": label})


globals().update(classes())
del one_cell

if __name__ == "__main__":
    unittest.main()
