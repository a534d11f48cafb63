"""What the benchmarks' figures rest on: the load generator, the receiver and the meter count and stamp what really happened."""

import os
import pathlib
import socket
import subprocess
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import cpu
from harness import output_of
from posts import Load
from stack import BIN
from target import latencies, quantile, receiver

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"n\":7}"


def post(host, port, within=60):
    """The status line of the answer; None when there is none within so many seconds."""
    with socket.create_connection((host, port)) as connection:
        connection.sendall(POST)
        connection.settimeout(within)
        try:
            return connection.recv(1000).split(b"\r\n")[0]
        except TimeoutError:
            return None


class Tools(unittest.TestCase):
    def load(self, target, body='{"n":{n}}', **options):
        return Load(target.port, "/", body, [], {"connections": 4, "seconds": 30, **options}).run_and_stamps()

    def test_every_post_is_stamped_on_both_sides(self):
        with receiver(save=True) as target:
            result, acknowledged = self.load(target, count=500, first=1000)
            arrived = target.arrivals()
            self.assertEqual(result["answers"], 500)
            self.assertEqual(target.count(), 500)
            self.assertEqual(sorted(number for number, _ in acknowledged), list(range(1000, 1500)))
            self.assertEqual(sorted(number for number, _ in arrived), list(range(1000, 1500)))
            took, lost = latencies(acknowledged, arrived)
            self.assertEqual(lost, 0)
            self.assertLess(took[-1], 0, "the receiver has each before the load has its answer")
            target.reset()
            self.assertEqual((target.count(), target.arrivals()), (0, []))

    def test_tasks_that_did_not_arrive_are_lost(self):
        took, lost = latencies([(1, 1_000_000), (2, 1_000_000), (3, 1_000_000)], [(2, 3_000_000), (2, 9_000_000), (1, 500_000)])
        self.assertEqual((took, lost), ([-0.5, 2.0], 1))
        self.assertEqual([quantile(took, part) for part in (0, 0.5, 1)], [-0.5, 2.0, 2.0])

    def test_a_paced_load_is_not_ahead_of_its_rate(self):
        with receiver() as target:
            result, acknowledged = self.load(target, count=51, rate=100)
            self.assertEqual(len(acknowledged), 51)
            self.assertGreaterEqual(result["seconds"], 0.5)

    def test_a_batch_has_numbers_of_its_own_and_hosts_in_turn(self):
        with receiver() as target:
            _, acknowledged = self.load(target, '{"n":{n},"at":"{host}"}', count=3, batch=10, hosts=300, connections=1)
            self.assertEqual([number for number, _ in acknowledged], list(range(30)))
        listener = socket.create_server(("127.0.0.1", 0))
        with listener, subprocess.Popen(Load(listener.getsockname()[1], "/", "{n}={host}", [], {
                "count": 1, "batch": 2, "hosts": 300, "first": 299, "connections": 1}).command(), stdout=subprocess.PIPE) as load:
            with listener.accept()[0] as connection:
                self.assertTrue(connection.recv(1000).endswith(b'\r\n\r\n{"tasks":[299=127.0.1.44,300=127.0.0.1]}'))
            load.kill()
            load.communicate()

    def test_failures_are_answered_and_not_counted(self):
        with receiver(fail_every=2, save=True) as target:
            with self.assertRaisesRegex(RuntimeError, "'not_2xx': 5,"):
                self.load(target, count=10)
            self.assertEqual((target.count(), len(target.arrivals())), (5, 5))

    def test_hanging_hosts_never_answer(self):
        with receiver(hosts=300, hanging=1, save=True) as target:
            self.assertIsNone(post("127.0.0.1", target.port, within=0.3))
            self.assertEqual(post("127.0.1.44", target.port), b"HTTP/1.1 200 OK")
            self.assertEqual([number for number, _ in target.arrivals()], [7])

    def test_libcurl_reaches_all_hosts(self):
        with receiver(hosts=300) as target:
            said = output_of(BIN / "bench-curl", "--port", target.port, "--hosts", 300, "--count", 600, "--body", "{}")
            self.assertIn('"answers":600,"failed":0', said)
            self.assertEqual(target.count(), 600)

    def test_the_meter_sees_children_that_live_and_that_have_ended(self):
        spend = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
        meter = cpu.Meter({"own": os.getpid(), "none": 0}).start()
        subprocess.run(spend, check=True)
        ended = meter.per_task(1)
        self.assertGreaterEqual(ended["own"], 0.25e6)
        with subprocess.Popen([*spend[:2], spend[2] + "\nprint(1, flush=True)\ntime.sleep(60)"], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            both = meter.per_task(1)["own"]
            child.kill()
        self.assertGreaterEqual(both, ended["own"] + 0.25e6)
        self.assertEqual(meter.per_task(1, load=2.0)["load"], 2e6)


if __name__ == "__main__":
    unittest.main()
