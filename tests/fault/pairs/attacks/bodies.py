"""Large bodies: memory that is spent before it is known for whom, or for what."""

import collections
import json
import socket
import threading
import time

MIB = 1 << 20
BODY = 16 * MIB
PIECE = memoryview(bytes(MIB))


class _Upload:
    """A POST of a batch, of which as much is sent as is wanted."""

    def __init__(self, ground, key=None):
        credential = f"Authorization: Bearer {key}\r\n" if key else ""
        self.socket = socket.create_connection(("127.0.0.1", ground.port), timeout=60)
        self.send(f"POST /v1/tasks/batch HTTP/1.1\r\nHost: localhost\r\n{credential}Content-Type: application/json\r\n"
                  f"Content-Length: {BODY}\r\n\r\n".encode())

    def send(self, data):
        """False when nginx has closed the connection, as it may once it has answered."""
        try:
            self.socket.sendall(data)
            return True
        except ConnectionError:
            return False

    def answer(self, seconds):
        """The answer as in answer_of; `none` when there is none within so long."""
        self.socket.settimeout(seconds)
        text = b""
        try:
            while b"\r\n\r\n" not in text or b"}}" not in text:
                if not (more := self.socket.recv(65536)):
                    break
                text += more
        except TimeoutError:
            pass
        except ConnectionError:
            return "closed" if not text else _name(text)
        return _name(text) if text else "none"


def _name(text):
    head, _, body = text.partition(b"\r\n\r\n")
    try:
        return f"{head[9:12].decode()} {json.loads(body)['error']['details']['reason']}"
    except (ValueError, KeyError, TypeError):
        return head[9:12].decode()


def _together(count, work):
    threads = [threading.Thread(target=work, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def without_credential(ground):
    """Whole bodies all at once; and as many of which only a part comes, until the end."""
    seen, lock = collections.Counter(), threading.Lock()
    until = time.monotonic() + ground.seconds
    count = ground.size(128, 16)

    def work(whole):
        upload = _Upload(ground)
        for _ in range(BODY // MIB if whole else BODY // MIB // 2):
            if not upload.send(PIECE):
                break
        answer = upload.answer(60 if whole else max(0.1, until - time.monotonic()))
        with lock:
            seen[answer if whole else f"{answer}, body half sent"] += 1
        time.sleep(max(0, until - time.monotonic()))
        upload.socket.close()

    _together(2 * count, lambda number: work(number % 2 == 0))
    return seen


def refused_before_the_body(pair, seen):
    """nginx may close the connection of one that goes on sending, who then reads no answer."""
    half = {answer: count for answer, count in seen.items() if answer.endswith("half sent")}
    assert set(half) <= {"401 credential_missing, body half sent", "closed, body half sent"}, f"not refused at once: {half}"
    assert set(seen) - set(half) <= {"401 credential_missing", "closed"}, f"not refused: {seen}"
    grown = pair.grown()
    most = pair.size(256, 64)
    assert max(grown.values()) < most, f"memory grew, by more than {most} MiB: {_text(grown)}"


def batches_of_ones(ground):
    """An admin's batches of eight million numbers instead of tasks."""
    ones = b'{"tasks":[' + b"1," * ((BODY - 16) // 2) + b"1]}"
    ones += b" " * (BODY - len(ones))
    seen, lock = collections.Counter(), threading.Lock()

    def work(_):
        upload = _Upload(ground, ground.keys["admin"])
        upload.send(ones)
        answer = upload.answer(60)
        with lock:
            seen[answer] += 1

    begun = time.monotonic()
    _together(ground.size(16, 6), work)
    time.sleep(max(0, begun + ground.seconds - time.monotonic()))
    return seen


def refused_by_count(pair, seen):
    """Some may be told to come again, because there are too many bodies already."""
    assert seen["400 tasks_too_many"] > 0, f"no batch was refused for its size: {seen}"
    others = {answer for answer in seen if answer[:3] not in ("400", "413", "429", "503")}
    assert not others, f"not a clear error: {seen}"
    grown = pair.grown()["handlers"]
    most = pair.size(700, 200)  # two copies of each body, and some
    assert grown < most, f"the handlers grew by {grown:.0f} MiB, more than {most}"


def _text(grown):
    return ", ".join(f"{program} {size:.0f} MiB" for program, size in grown.items())
