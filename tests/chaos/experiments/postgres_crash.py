"""SIGQUIT to the postmaster, which is pg_ctl stop -m immediate: no checkpoint, recovery at the next start."""

import signal


def disturb(targets, pause):
    while pause(5, 10):
        targets.send("postgres", signal.SIGQUIT)
