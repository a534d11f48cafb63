#!/usr/bin/python3
"""fcgi/openapi/bundle.py: how the parts of a description become one document, and what it refuses."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCES = pathlib.Path(__file__).resolve().parents[3] / "fcgi/openapi"
DIALECTS = ("native", "asyncqueue", "taskmq", "asyncjobs")

HEAD = {"openapi": "3.0.3", "parts": ["zebras.json", "apes.json"],
        "components": {"securitySchemes": {"bearer": {}}}}
ZEBRAS = {"paths": {"/zebras": {"post": {"tags": ["Zebras"]}}}, "components": {"schemas": {"Zebra": {}}}}
APES = {"paths": {"/apes": {"get": {"tags": ["Apes"]}}, "/zebras": {"get": {"tags": ["Zebras"]}}},
        "components": {"schemas": {"Ape": {}}, "headers": {"Zebra": {}}}}


class BundleTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "zoo").mkdir()
        self.write("document.json", HEAD)
        self.write("zebras.json", ZEBRAS)
        self.write("apes.json", APES)

    def write(self, name, content):
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / "zoo" / name).write_text(text)

    def bundle(self, source, *names):
        return subprocess.run([sys.executable, SOURCES / "bundle.py", source, self.folder / "out", *names],
                              capture_output=True, text=True, check=False)

    def joined(self):
        done = self.bundle(self.folder, "zoo")
        self.assertEqual(done.returncode, 0, done.stderr)
        return (self.folder / "out/zoo.json").read_text()

    def refused(self, *said):
        """The parts as they are now are an error of one line that holds all of `said`; nothing is written."""
        done = self.bundle(self.folder, "zoo")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for each in said:
            self.assertIn(each, done.stderr)
        self.assertFalse((self.folder / "out/zoo.json").exists())

    def test_the_parts_are_joined_in_the_order_that_is_listed(self):
        document = json.loads(self.joined())
        self.assertEqual(document, {
            "openapi": "3.0.3",
            "paths": {"/zebras": {**ZEBRAS["paths"]["/zebras"], **APES["paths"]["/zebras"]},
                      "/apes": APES["paths"]["/apes"]},
            "components": {"securitySchemes": {"bearer": {}}, "schemas": {"Zebra": {}, "Ape": {}},
                           "headers": {"Zebra": {}}}})
        self.assertEqual(list(document), ["openapi", "paths", "components"])
        self.assertEqual(list(document["paths"]), ["/zebras", "/apes"])

    def test_the_same_parts_make_the_same_text(self):
        self.assertEqual(self.joined(), self.joined())

    def test_an_operation_that_two_parts_define_names_both(self):
        self.write("apes.json", {"paths": {"/zebras": {"post": {"tags": ["Zebras"]}}}})
        self.refused("/zebras post", "zebras.json", "apes.json")

    def test_a_component_that_two_parts_define_names_both(self):
        self.write("apes.json", {"components": {"schemas": {"Zebra": {}}}})
        self.refused("schemas Zebra", "zebras.json", "apes.json")
        self.write("apes.json", {"components": {"securitySchemes": {"bearer": {}}}})
        self.refused("securitySchemes bearer", "document.json", "apes.json")

    def test_a_key_that_is_twice_in_one_part(self):
        self.write("apes.json", '{"components": {"schemas": {"Ape": {}, "Ape": {}}}}')
        self.refused("apes.json", '"Ape"')

    def test_a_part_says_nothing_of_the_whole(self):
        self.write("apes.json", {**APES, "servers": []})
        self.refused("apes.json", '"servers"')

    def test_each_part_is_listed_once_and_is_there(self):
        self.write("lions.json", {})
        self.refused("lions.json", "not listed")
        (self.folder / "zoo/lions.json").unlink()
        (self.folder / "zoo/apes.json").unlink()
        self.refused("apes.json")
        self.write("document.json", {**HEAD, "parts": ["zebras.json", "zebras.json"]})
        self.refused("zebras.json")

    def test_what_is_no_json_is_named(self):
        self.write("apes.json", "{")
        self.refused("apes.json")

    def test_every_dialects_parts_fit_together(self):
        done = self.bundle(SOURCES, *DIALECTS)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in DIALECTS:
            # Whatever the encoding of who reads it: embed.cmake cuts the text into pieces of so many bytes.
            self.assertTrue((self.folder / f"out/{name}.json").read_bytes().isascii(), name)


if __name__ == "__main__":
    unittest.main()
