"""Compares the answers of the server with the description of its API."""

import json
import re
import urllib.parse

import jsonschema

from harness import StackTest


def as_json_schema(node, closed=False):
    """Translates OpenAPI 3.0's nullable to JSON Schema. `closed`: objects may have no undescribed members. The
    document allows new fields in answers, but this server must describe all of its own."""
    if isinstance(node, list):
        return [as_json_schema(each, closed) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: as_json_schema(value, closed) for key, value in node.items()}
    if closed and node.get("type") == "object" and "properties" in node:
        node.setdefault("additionalProperties", False)
    if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
        return {"anyOf": [node, {"type": "null"}]}
    return node


FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time")
def is_time(value):
    utc = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"
    return not isinstance(value, str) or re.fullmatch(utc, value) is not None


def faults(document, schema, value):
    """The errors of `value` against `schema`, which may refer to the rest of the document."""
    resolver = jsonschema.RefResolver("", document)
    found = jsonschema.Draft7Validator(schema, resolver=resolver, format_checker=FORMATS).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def examples(node):
    """All pairs of a schema and its example, in bodies, answers, parameters and the schemas themselves."""
    if isinstance(node, list):
        for each in node:
            yield from examples(each)
    elif isinstance(node, dict):
        if "example" in node:
            yield node.get("schema", node), node["example"]
        for key, each in node.items():
            if key != "example":
                yield from examples(each)


class Described(StackTest):
    """A client of the API at `mount` that compares every answer with the description served there."""

    mount = ""
    document_path = "/v1/openapi.json"

    def setUp(self):
        super().setUp()
        self.document = as_json_schema(self.api.get(self.mount + self.document_path).json, closed=True)
        self.patterns = sorted(
            ((re.compile("^" + re.sub(r"\{\w+\}", "[^/]+", path) + "$"), path) for path in self.document["paths"]),
            key=lambda pair: pair[1].count("{"))
        self.seen = set()

    def resolved(self, node):
        if "$ref" not in node:
            return node
        _, _, kind, name = node["$ref"].split("/")
        return self.document["components"][kind][name]

    def assert_names_the_reason(self, description, reply):
        if "ErrorBody" not in self.document["components"]["schemas"]:
            return  # this API's errors have only a text for people
        details = self.document["components"]["schemas"]["ErrorBody"]["properties"]["details"]
        anywhere = details["properties"]["reason"]["description"]
        self.assertIn(f"`{reply.json['error']['details']['reason']}`", description + anywhere, reply.body)

    def ask(self, method, path, body=None, status=200, **options):
        reply = (options.pop("client", None) or self.api).request(method, self.mount + path, body, **options)
        self.assertEqual(reply.status, status, (method, path, reply.body))
        plain = urllib.parse.urlsplit(path).path
        template = next(template for pattern, template in self.patterns if pattern.match(plain))
        described = self.document["paths"][template][method.lower()]["responses"]
        self.assertIn(str(status), described, (method, template))
        answer = self.resolved(described[str(status)])
        kind = reply.headers.get_content_type()
        self.assertEqual(bool(reply.body), "content" in answer, (method, path))
        if reply.body:
            self.assertIn(kind, answer["content"], (method, path))
            schema = answer["content"][kind]["schema"]
            for text in reply.body.splitlines() if kind == "application/x-ndjson" else [reply.body]:
                value = text.decode() if kind == "text/plain" else json.loads(text)
                self.assertEqual(faults(self.document, schema, value), [], (method, path, reply.body))
        if status >= 400:
            self.assert_names_the_reason(answer["description"], reply)
        for header in answer.get("headers", {}):
            self.assertIn(header, reply.headers, (method, path))
        if status < 300:
            self.seen.add((template, method.lower()))
        return reply

    def assert_limits_of_a_queue(self, made, limits, described):
        """Checks what a queue was given for which nothing was said, and what the description says of it."""
        fields = self.document["components"]["schemas"]["QueueCreateRequest"]["properties"]
        names = ("max_concurrent", "max_runtime")
        self.assertEqual(tuple(made[name] for name in names), limits)
        self.assertEqual(tuple(fields[name]["anyOf"][0].get("default") for name in names), described)

    def ask_other(self, method, path, status):
        """A request that belongs to no operation."""
        reply = self.api.request(method, self.mount + path)
        self.assertEqual(reply.status, status, (method, path, reply.body))
        other = self.document["components"]["responses"]["Other"]
        schema = other["content"]["application/json"]["schema"]
        self.assertEqual(faults(self.document, schema, reply.json), [], (method, path))
        if status == 405:
            self.assertIn("Allow", reply.headers)
        self.assert_names_the_reason(other["description"], reply)
