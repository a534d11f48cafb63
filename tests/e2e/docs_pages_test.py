#!/usr/bin/python3
"""The pages /docs and /redoc: nginx alone serves them, all their files exist, and they lead to every document."""

import html.parser
import re
import unittest
import urllib.parse

from harness import StackTest

PAGES = ("/docs", "/redoc")
LIST = "/docs/documents.json"


class Names(html.parser.HTMLParser):
    """Collects the URLs that a page loads, and inline code that its Content-Security-Policy would block."""

    def __init__(self, text):
        super().__init__()
        self.found, self.inline = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.found += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "style" or (tag == "script" and "src" not in attributes) or "style" in attributes:
            self.inline.append(tag)
        self.inline += [name for name in attributes if name.startswith("on")]


class DocsPages(StackTest):
    def setUp(self):
        super().setUp()
        self.api = self.client()  # no key is needed

    def read(self, path):
        reply = self.api.get(path)
        self.assertEqual(reply.status, 200, (path, reply.body[:200]))
        return reply

    def test_the_pages_exist_and_may_load_nothing_from_other_servers(self):
        for page in PAGES:
            reply = self.read(page)
            self.assertEqual(reply.headers.get_content_type(), "text/html")
            policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
            self.assertEqual(policy["default-src"], "'none'")
            self.assertEqual(policy["script-src"], "'self'")
            self.assertEqual(policy["connect-src"], "'self'")
            self.assertEqual(policy["frame-ancestors"], "'none'")
            sources = {source for sources in policy.values() for source in sources.split()}
            self.assertLessEqual(sources, {"'none'", "'self'", "'unsafe-inline'", "data:"})
            self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")

    def test_every_file_that_they_load_exists_with_its_type(self):
        kinds = {"css": "text/css", "js": "text/javascript", "json": "application/json", "svg": "image/svg+xml"}
        for page in PAGES:
            names = Names(self.read(page).body.decode())
            self.assertEqual(names.inline, [], page)
            self.assertTrue(names.found)
            files = {urllib.parse.urljoin(page, name) for name in names.found}
            own = "/docs/swagger.js" if page == "/docs" else "/docs/redoc.js"
            self.assertIn(own, files)
            imported = re.findall(r'from "(.*?)"', self.read(own).body.decode())
            for file in files | {urllib.parse.urljoin(own, name) for name in imported}:
                reply = self.read(file)
                self.assertTrue(reply.body, file)
                self.assertEqual(reply.headers.get_content_type(), kinds[file.rsplit(".", 1)[1]], file)
                self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")

    def test_every_document_that_they_list_exists(self):
        listed = self.read(LIST).json
        self.assertEqual([each["dialect"] for each in listed], ["native", "asyncqueue", "taskmq", "asyncjobs"])
        for each in listed:
            document = self.read(urllib.parse.urljoin("/", each["path"])).json
            self.assertEqual(document["openapi"], "3.0.3", each)
            mount = document["servers"][0]["url"].removesuffix("/")
            self.assertTrue(f"/{each['path']}".startswith(f"{mount}/"), each)
            self.assertIn(f"/{each['path']}".removeprefix(mount), document["paths"])

    def test_taskmqs_paths_redirect_to_them(self):
        for page in PAGES:
            reply = self.api.get(f"/taskmq{page}")
            self.assertEqual(reply.status, 302)
            self.assertEqual(urllib.parse.urljoin(f"/taskmq{page}", reply.headers["Location"]), f"/v1{page}?dialect=taskmq")
            self.read(f"/v1{page}?dialect=taskmq")

    def test_unknown_files_get_the_usual_error(self):
        for path in ("/docs/nothing.js", "/docs/../state.json", "/redoc/", "/docsx"):
            reply = self.api.get(path)
            self.assertEqual(reply.status, 404, path)
            self.assertEqual(reply.json["error"]["code"], "not_found")


if __name__ == "__main__":
    unittest.main()
