"""kill -9 of every kind of process in turn, in random order, at random moments, and one FLUSHALL a round."""

from targets import EVERYTHING


def disturb(targets, pause):
    while True:
        for name in targets.dice.sample((*EVERYTHING, "flushall"), len(EVERYTHING) + 1):
            if not pause(0.5, 2):
                return
            if name == "flushall":
                targets.flushall()
            else:
                targets.kill(name)
