"""FLUSHALL again and again: delay and badNonce, nothing else."""


def disturb(targets, pause):
    while pause(2, 6):
        targets.flushall()
