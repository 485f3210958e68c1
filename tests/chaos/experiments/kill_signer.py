"""kill -9 of a signer: what it had reserved is burnt, and the order goes on with a new serial."""


def disturb(targets, pause):
    while pause(0.5, 3):
        targets.kill("signer")
