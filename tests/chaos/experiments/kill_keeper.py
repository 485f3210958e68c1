"""kill -9 of the keeper: nobody misses it for long."""


def disturb(targets, pause):
    while pause(0.5, 3):
        targets.kill("keeper")
