"""kill -9 of Redis: nonces are refused afterwards, jobs come back from its file or by the sweep."""


def disturb(targets, pause):
    while pause(4, 8):
        targets.kill("redis")
