"""kill -9 of a PostgreSQL backend: the server ends every session and recovers from its log."""


def disturb(targets, pause):
    while pause(4, 8):
        targets.kill("backend")
