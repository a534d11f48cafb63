"""fcgi_socket.py SOCKET PID_FILE COMMAND...: what systemd's socket unit does, for `./dev`.

Keeps the listening socket while handlers come and go, and starts one, with the socket as its file
descriptor 0, whenever a connection waits and none runs. Connections made in between wait in the
socket's queue, so a restart of the handler loses none. SIGTERM ends the handler and then itself.
"""

import os
import select
import signal
import socket
import sys

from process import Process


def main(path, pid_file, *command):
    # Signals are only looked at where we wait, so that none can fall between a start and its record.
    signals, wake_up = os.pipe()
    os.set_blocking(wake_up, False)
    signal.set_wakeup_fd(wake_up)
    signal.signal(signal.SIGTERM, lambda *_: None)

    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(path):
        os.unlink(path)
    listener.bind(path)
    listener.listen(4096)  # a full queue is a 502 for the client

    handler = Process(pid_file)
    pause = 0
    while not select.select([signals], [], [], pause)[0]:
        ready = select.select([signals, listener], [], [])[0]
        if signals in ready:
            break
        child = handler.spawn(command, stdin=listener)
        ended = os.pidfd_open(child.pid)
        if signals in select.select([signals, ended], [], [])[0]:
            break
        os.close(ended)
        print(f"handler {child.pid} ended with status {child.wait()}", flush=True)
        pause = 1 if child.returncode > 0 else 0  # one that cannot start is not tried all the time
    handler.stop(signal.SIGTERM, timeout=35)
    os.unlink(path)


main(*sys.argv[1:])
