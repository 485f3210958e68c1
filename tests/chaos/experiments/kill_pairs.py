"""kill -9 of two kinds at the same moment: a worker and a server, a handler and a worker …"""

from targets import EVERYTHING


def disturb(targets, pause):
    while pause(2, 6):
        for name in targets.dice.sample(EVERYTHING, 2):
            targets.kill(name)
