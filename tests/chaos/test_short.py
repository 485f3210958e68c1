"""The short run: 500 orders, every kind of process killed at least once, one FLUSHALL; no rule of the checker is broken."""

import os

import pytest

import run
from targets import EVERYTHING, StackEnv

ORDERS, ORDERS_A_SECOND = 500, 20


def test_nothing_is_lost_duplicate_or_unknown():
    path = os.environ.get("ASSAY_ENV")
    if not path:
        pytest.exit("no stack is running: use ./dev test integration", returncode=2)
    outcome = run.run(StackEnv(path), "kill_everything", orders=ORDERS, rate=ORDERS_A_SECOND)
    run.print_row(dict(zip(run.COLUMNS, run.COLUMNS)))
    run.print_row(outcome.row)
    assert not outcome.violations, outcome.description()
    done = " ".join(what for _, what, _ in outcome.targets.acts)
    assert all(f"SIGKILL {name}" in done for name in EVERYTHING) and "FLUSHALL" in done, done
    assert outcome.row["orders"] == ORDERS
    assert outcome.load.replays > 0, "no recorded request was sent again"
