"""Records docs/images/first-task.svg: runs a whole Postern, types what the picture shows, and draws what came.

    python3 docs/images/record.py     after a build; POSTERN_BIN names another one

The addresses of the run are replaced by example names. The times are those of the run.
"""

import html
import json
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/support"))

from receiver import Answer, Receiver  # noqa: E402
from stack import Stack  # noqa: E402

COLUMNS, LINE, CHARACTER, MARGIN = 92, 19, 8.05, 18


def record():
    """Lines of (seconds, kind, text); kinds: prompt, answer, webhook."""
    lines = []
    start = time.monotonic()

    def say(kind, *texts):
        lines.extend((time.monotonic() - start, kind, text) for text in texts)

    with tempfile.TemporaryDirectory(prefix="postern-", dir="/tmp") as folder:
        arrived = []
        receiver = Receiver(on_request=arrived.append)
        receiver.on("/send", Answer(500), Answer(503), Answer(200))
        stack = Stack(pathlib.Path(folder))
        try:
            stack.start()
            start = time.monotonic()
            body = '{"queue": "emails", "webhook_url": "%s",\n         "payload": {"to": "a@b.example"}}'
            say("prompt", '$ curl https://app.example/v1/tasks -H "X-API-Key: $KEY" \\',
                *("    -d '" + body % "https://app.example/send" + "'").split("\n"))
            task = json.loads(subprocess.run(
                ["curl", "-sS", f"{stack.url}/v1/tasks", "-H", f"X-API-Key: {stack.env['POSTERN_ADMIN_KEY']}",
                 "-d", body % receiver.url("/send")], check=True, capture_output=True).stdout)
            shown = {key: task[key] for key in ("id", "queue", "status")}
            say("answer", json.dumps(shown)[:-1] + ", …}", "")
            for number, status in enumerate((500, 503, 200), 1):
                while len(arrived) < number:
                    time.sleep(0.005)
                say("webhook", f"→ POST https://app.example/send   attempt {number}   the receiver answers {status}")
            while task["status"] != "completed":
                task = json.loads(subprocess.run(
                    ["curl", "-sS", f"{stack.url}/v1/tasks/{task['id']}?wait=5", "-H",
                     f"X-API-Key: {stack.env['POSTERN_ADMIN_KEY']}"], check=True, capture_output=True).stdout)
            say("prompt", "", f"$ curl https://app.example/v1/tasks/{task['id']} -H \"X-API-Key: $KEY\"")
            shown = {key: task[key] for key in ("status", "attempt_count", "completed_at")}
            say("answer", json.dumps(shown)[:-1] + ", …}")
        finally:
            receiver.close()
            stack.stop()
    return lines


def draw(lines):
    """The lines appear when they came; the picture then stays for some seconds and begins again."""
    end = lines[-1][0] + 6
    width, height = MARGIN * 2 + COLUMNS * CHARACTER, MARGIN * 2 + LINE * len(lines)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
           'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13">',
           "<title>A task is created with curl, fails twice, and is delivered at the third attempt</title>",
           "<style>", "text { white-space: pre; fill: #d7dae0 } .prompt { fill: #ffffff } .webhook { fill: #8fd0ff }"]
    for at in sorted({round(at, 2) for at, _, _ in lines}):
        name = f"t{at * 100:.0f}"
        share = 100 * at / end
        out.append(f"@keyframes {name} {{ 0%, {share:.2f}% {{ opacity: 0 }} {share + 0.01:.2f}%, 100% {{ opacity: 1 }} }}"
                   f" .{name} {{ animation: {name} {end:.2f}s step-end infinite }}")
    # Who wants no movement sees the whole at once.
    out += ["@media (prefers-reduced-motion: reduce) { text { animation: none !important } }", "</style>",
            f'<rect width="100%" height="100%" rx="8" fill="#1b1e26"/>']
    for row, (at, kind, text) in enumerate(lines):
        name = f"t{round(at, 2) * 100:.0f}"
        y = MARGIN + LINE * row + 13
        out.append(f'<text class="{kind} {name}" x="{MARGIN}" y="{y}">{html.escape(text, quote=False)}</text>')
    return "\n".join(out + ["</svg>", ""])


if __name__ == "__main__":
    (HERE / "first-task.svg").write_text(draw(record()))
