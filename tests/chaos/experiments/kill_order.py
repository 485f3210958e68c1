"""kill -9 of assay-order: every order it answered with 201 was committed before."""


def disturb(targets, pause):
    while pause(0.5, 3):
        targets.kill("order")
