"""Redis dies and comes back with the end of its append-only file missing, or without any of it."""


def disturb(targets, pause):
    while pause(5, 9):
        targets.lose_append_only_tail(targets.dice.choice((0.001, 0.1, 0.5, 1)))
