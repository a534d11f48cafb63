#!/usr/bin/python3
"""Large bodies, whatever they hold: the memory of the handlers stays within a factor of the bodies and within the
service's MemoryMax, and small requests have an answer beside them."""

import pathlib
import re
import threading
import unittest

from harness import Api, StackTest

MIB = 1024 * 1024
SIZE = 16 * MIB - 1024
# What may be made of a body, in bytes for each of its own. Measured: up to 2.
FACTOR = 4


def filled(before, part, after):
    return (before + part * ((SIZE - len(before) - len(after)) // len(part)) + after).encode()


TASK = '{"queue":"bodies","webhook_url":"http://a.test/","delay":3600,"payload":%s}'
SHAPES = {
    "numbers": filled('{"tasks":[', "1,", "1]}"),
    "objects": filled('{"tasks":[', "{},", "{}]}"),
    "strings": filled('{"tasks":[', '"",', '""]}'),
    "nested": filled('{"tasks":[', "[" * 60 + "]" * 60 + ",", "1]}"),
    "tags": filled('{"tasks":[{"tags":[', '"",', '""]}]}'),
    "headers": filled('{"tasks":[{"headers":{', '"a":"",', '"b":""}}]}'),
    "escapes": filled('{"tasks":[{"webhook_url":"', "\\u00e4", '"}]}'),
    "keys": ("{" + ",".join(f'"k{n}":1' for n in range(1_200_000)) + ',"tasks":[]}').encode()[:SIZE],
    "keys of a task": ('{"tasks":[{' + ",".join(f'"k{n}":1' for n in range(1_100_000)) + "}]}").encode(),
    "payloads": ('{"tasks":[' + ",".join([TASK % ("[" + "1," * 8_000 + "1]")] * 1000) + "]}").encode(),
    "payload of one": filled('{"tasks":[' + TASK[:-4] + "[", "1,", "1]}]}"),
}


class Bodies(StackTest):
    def handler(self):
        return pathlib.Path(f"/proc/{self.stack.programs['fcgi'].pid}")

    def memory(self, name):
        """Of the handler, in bytes."""
        return int(re.search(rf"{name}:\s+(\d+) kB", (self.handler() / "status").read_text())[1]) * 1024

    def forget_peak(self):
        (self.handler() / "clear_refs").write_text("5")

    def test_a_body_becomes_a_bounded_multiple(self):
        self.api.get("/readyz")
        before = self.memory("VmRSS")
        for name, body in SHAPES.items():
            with self.subTest(name):
                self.forget_peak()
                reply = self.api.post("/v1/tasks/batch", body)
                grown = self.memory("VmHWM") - before
                print(f"{name}: {reply.status} {grown / len(body):.1f} bytes for each byte of {len(body) / MIB:.0f} MiB")
                self.assertIn(reply.status, (200, 400))
                if name in ("numbers", "objects", "strings", "nested"):
                    details = reply.json["error"]["details"]
                    self.assertEqual((details["reason"], details["field"]), ("tasks_too_many", "tasks"))
                self.assertLess(grown, FACTOR * len(body) + 16 * MIB)

    def test_many_at_once_fit_into_memory(self):
        """As many as nginx lets through, with small requests beside them."""
        self.forget_peak()
        seen = []
        shapes = [SHAPES["numbers"], SHAPES["payloads"], SHAPES["keys"], SHAPES["payload of one"]]

        def send(number):
            api = Api(self.stack.url, self.stack.state["admin_key"])
            for body in (shapes[number % 4], shapes[(number + 1) % 4]):
                reply = api.post("/v1/tasks/batch", body)
                reason = reply.json["error"]["details"]["reason"] if reply.status != 200 else ""
                seen.append((reply.status, reason))
            api.close()

        senders = [threading.Thread(target=send, args=(number,)) for number in range(24)]
        for sender in senders:
            sender.start()
        small = 0
        while any(sender.is_alive() for sender in senders):
            reply = self.api.post("/v1/tasks", {"queue": "s", "webhook_url": "http://a.test/", "delay": 3600})
            self.assertEqual(reply.status, 201, reply.body)
            small += 1
        peak = self.memory("VmHWM")
        print(f"peak {peak / MIB:.0f} MiB, {small} small ones beside, {dict.fromkeys(sorted(seen))}")
        self.assertEqual(len(seen), 48)
        self.assertIn((503, "bodies_in_flight"), seen)
        self.assertEqual({status for status, _ in seen} - {200, 400, 503}, set())
        self.assertLess(peak, 1024 * MIB)  # MemoryMax of systemd/postern-fcgi.service


if __name__ == "__main__":
    unittest.main()
