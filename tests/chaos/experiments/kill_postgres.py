"""kill -9 of the postmaster: all of PostgreSQL goes away, and comes back from its log."""


def disturb(targets, pause):
    while pause(4, 8):
        targets.kill("postgres")
