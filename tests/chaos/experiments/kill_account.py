"""kill -9 of assay-account while accounts are made."""


def disturb(targets, pause):
    while pause(0.5, 3):
        targets.kill("account")
