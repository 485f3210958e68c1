"""kill -9 of a validator: what it had claimed is taken over by another."""


def disturb(targets, pause):
    while pause(0.5, 3):
        targets.kill("validator")
