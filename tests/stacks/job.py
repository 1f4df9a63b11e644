"""A thread that waits, deep in functions of each kind, for a child that ends when
the file with this name is there."""

import os
import sys
import threading
import time


def child(end):
    pid = os.fork()
    if pid == 0:
        while not os.path.exists(end):
            time.sleep(0.01)
        os._exit(0)
    return pid


class Job:
    def __init__(self, pid):
        self.statuses = list(self.warte_für(pid))

    def warte_für(self, pid):
        yield from sorted([pid], key=lambda pid: os.waitpid(
            pid,
            0,
        ))


def others():
    event = threading.Event()
    for _ in range(3):
        threading.Thread(target=event.wait).start()
    return event


pid = child(sys.argv[1])
event = others()
thread = threading.Thread(target=Job, args=(pid,), name="job")
thread.start()
thread.join()
event.set()
