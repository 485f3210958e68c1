"""SIGTERM to every program, one process after the other, as an upgrade does; nginx reloads its workers."""

import signal

from targets import PROGRAMS


def disturb(targets, pause):
    while True:
        for name in PROGRAMS:
            for _ in range(2):
                if not pause(0.3, 1):
                    return
                targets.send(name, signal.SIGTERM)
        targets.send("supervised nginx", signal.SIGHUP)
