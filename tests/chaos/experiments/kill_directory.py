"""kill -9 of assay-directory: newNonce and the directory come from the other process or after its return."""


def disturb(targets, pause):
    while pause(0.5, 3):
        targets.kill("directory")
