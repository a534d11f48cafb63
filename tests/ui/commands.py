"""What a test in the browser may have done to the stack that it looks at: functions, called by HTTP on loopback."""

import contextlib
import http.server
import json
import threading
import traceback


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            status, answer = 200, json.dumps(self.server.functions[self.path.removeprefix("/")](**body))
        except Exception:  # the test in the browser is what fails
            status, answer = 500, traceback.format_exc()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def Commands(functions):
    """Serves them while the context lasts: POST URL/name with a JSON object of arguments answers with its result."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.functions = functions
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
