#!/usr/bin/python3
"""fcgi/openapi/bundle.py: how the parts of a description become one document, and what it refuses."""

import json
import pathlib
import re
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


def camel(*words):
    return "".join(part[:1].upper() + part[1:] for word in words for part in re.split("[^A-Za-z0-9]+", word))


def nodes(node):
    """Each object of a document, and the list of keys that leads to it."""
    todo = [([], node)]
    while todo:
        keys, node = todo.pop()
        if isinstance(node, dict):
            yield keys, node
            todo += [([*keys, key], value) for key, value in node.items()]
        elif isinstance(node, list):
            todo += [([*keys, str(at)], value) for at, value in enumerate(node)]


class GeneratorsTest(unittest.TestCase):
    """What makes clients' generators fail, or their clients send what nobody wrote."""

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        subprocess.run([sys.executable, SOURCES / "bundle.py", SOURCES, folder, *DIALECTS], check=True)
        self.documents = {name: json.loads((folder / f"{name}.json").read_text()) for name in DIALECTS}

    def test_no_component_has_the_name_that_a_generator_gives_to_a_property(self):
        # A property without a component of its own is named after its parent: one more of that name would be lost.
        shared = self.documents["native"]["components"]  # which the others refer to
        for document, content in self.documents.items():
            names = {camel(name) for components in (shared, content["components"])
                     for kind in ("schemas", "parameters", "responses", "headers") for name in components.get(kind, {})}
            for parent, schema in content["components"]["schemas"].items():
                for name, value in schema.get("properties", {}).items():
                    (reference,) = value.get("allOf", [value])[:1]
                    if reference.get("$ref", "").rpartition("/")[2] != camel(parent, name):
                        self.assertNotIn(camel(parent, name), names, f"{document}: {parent}.{name}")

    def test_an_answer_with_headers_has_a_name_of_its_own(self):
        # ogen calls it after its body, as it does the property "headers" of this body.
        for document, content in self.documents.items():
            schemas = {**self.documents["native"]["components"]["schemas"], **content["components"]["schemas"]}
            for keys, node in nodes(content):
                for media in node.get("content", {}).values() if "headers" in node else []:
                    name = media["schema"].get("$ref", "").rpartition("/")[2]
                    headers = schemas.get(name, {}).get("properties", {}).get("headers", {"$ref": ""})
                    self.assertIn("$ref", headers, f"{document}: {name} at {'/'.join(keys)}")

    def test_enumerations_that_may_be_null_have_names(self):
        for document, content in self.documents.items():
            for keys, node in nodes(content):
                where = f"{document}: {'/'.join(keys)}"
                self.assertFalse(node.get("nullable") is True and "enum" in node, where)
                if isinstance(node.get("enum"), list):
                    self.assertNotIn(None, node["enum"], where)

    def test_a_choice_has_no_default(self):
        for document, content in self.documents.items():
            for keys, node in nodes(content):
                if {"oneOf", "anyOf", "allOf"} & set(node):
                    self.assertNotIn("default", node, f"{document}: {'/'.join(keys)}")

    def test_a_503_says_what_the_table_of_errors_says(self):
        row = re.search(r"^\| 503 .*", (SOURCES.parents[1] / "docs/api/errors.md").read_text(), re.MULTILINE)[0]
        reasons = set(re.findall(r"`([a-z_]+)`", row)) - {"unavailable"}
        self.assertIn("database_unavailable", reasons)
        answers = self.documents["native"]["components"]["responses"]
        for name in ("Unavailable", "CreationUnavailable", "PurgeIncomplete"):
            said = set(re.findall(r"`([a-z_]+)`", answers[name]["description"]))
            self.assertEqual(reasons - said, set(), name)


if __name__ == "__main__":
    unittest.main()
