"""SIGSTOP of PostgreSQL, Redis, or a program for some seconds: alive for the kernel, dead for everybody else."""


def disturb(targets, pause):
    while True:
        for name in targets.dice.sample(("postgres", "redis", "validator", "signer", "order"), 5):
            if not pause(2, 4):
                return
            targets.freeze(name, targets.dice.uniform(2, 8))
