"""kill -9 of an nginx worker: connections break in the middle of requests."""


def disturb(targets, pause):
    while pause(0.5, 3):
        targets.kill("nginx")
