"""fcgi_socket.py SOCKET PID_FILE COMMAND...: socket activation as by systemd's socket unit, for `./dev`.

Holds the listening socket, and starts a handler, with the socket as file descriptor 0, whenever a
connection waits and no handler runs. Other connections wait in the socket's queue, so that a restart of
the handler loses none. SIGTERM ends the handler and then this program.
"""

import os
import select
import signal
import socket
import sys

from process import Process


def main(path, pid_file, *command):
    # Signals are handled only in the wait below, so that none arrives between a start and its record.
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
        pause = 1 if child.returncode > 0 else 0  # seconds; a failing handler is not restarted in a tight loop
    handler.stop(signal.SIGTERM, timeout=35)
    os.unlink(path)


main(*sys.argv[1:])
