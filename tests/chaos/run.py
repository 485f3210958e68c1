#!/usr/bin/python3
"""Runs experiments on a running stack and prints a table; exit status 1 when a rule was broken.

    run.py --env FOLDER/env [--experiment NAME …] [--minutes N | --orders N] [--rate N] [--threads N] …

An experiment is a file in experiments/ with one function disturb(targets, pause): it does harm until pause() says that the
clients have begun their last order. --minutes is shared by all the experiments.
"""

import argparse
import glob
import importlib
import json
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "experiments")]
from checker import SHOWN, Checker  # noqa: E402
from client import Load  # noqa: E402
from targets import StackEnv, Targets  # noqa: E402

KINDS = ("lost", "duplicate", "unknown", "broken")
COLUMNS = ("experiment", "accidents", "orders", "valid", "invalid", *KINDS, "turned away", "replays",
           "burnt", "p50 s", "p99 recovery s", "settled s", "longest stream")


def experiments():
    return sorted(os.path.basename(path)[:-3] for path in glob.glob(f"{HERE}/experiments/*.py"))


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def recoveries(histories, accidents):
    """For each order that an accident met, how long after the first one it was done; not for those that had to fail."""
    for history in histories:
        if history.refuse:
            continue
        met = [at for at, _, count in accidents if count and history.began <= at <= (history.ended or at)]
        if met and history.ended:
            yield history.ended - met[0]


def total(rows):
    """Counts add up; times and lengths are the worst."""
    summed = {"accidents", "orders", "valid", "invalid", "turned away", "replays", "burnt", *KINDS}
    return {"experiment": "all", **{c: (sum if c in summed else max)(row[c] for row in rows) for c in COLUMNS[1:]}}


class Outcome:
    """What one experiment showed. The seed repeats its choices, though not its moments."""

    def __init__(self, name, targets, checker, load, settled, seed):
        self.targets, self.load, self.seed = targets, load, seed
        self.violations = checker.check(load)
        statuses = [history.status for history in load.histories]
        kinds = [violation.kind for violation in self.violations]
        took = [h.ended - h.began for h in load.histories if h.ended]
        self.row = {
            "experiment": name, "accidents": targets.accidents, "orders": len(statuses), "valid": statuses.count("valid"),
            "invalid": statuses.count("invalid"), **{kind: kinds.count(kind) for kind in KINDS},
            "turned away": len(load.turned_away), "replays": load.replays,
            "burnt": sum(1 for row in checker.certificates if row.burnt_at), "p50 s": round(percentile(took, 0.5), 2),
            "p99 recovery s": round(percentile(list(recoveries(load.histories, targets.acts)), 0.99), 1),
            "settled s": round(settled, 1), "longest stream": checker.longest_stream}

    def description(self, slowest=0):
        start = self.load.histories[0].began if self.load.histories else 0
        lines = [f"seed {self.seed}"]
        lines += [f"{v.kind}, {v.rule}: {v.what}" for v in self.violations[:SHOWN]]
        if len(self.violations) > SHOWN:
            lines.append(f"… and {len(self.violations) - SHOWN} more")
        for history in sorted((h for h in self.load.histories if not h.refuse),
                              key=lambda h: h.began - (h.ended or h.began))[:slowest]:
            lines.append(f"began at {history.began - start:.2f}: {history}")
        acts = [f"{at - start:.2f} {what}" for at, what, _ in self.targets.acts[-60:]]
        return "\n  ".join([*lines, "accidents: " + ", ".join(acts)])


def watch(checker, done):
    while not done.wait(0.5):
        checker.sample()


def run(stack, name, seed=None, **load_options):
    """One experiment: clients order, accidents happen until they have begun their last order, everything settles."""
    seed = random.randrange(10 ** 6) if seed is None else seed
    targets = Targets(stack, random.Random(seed))
    checker = Checker(stack["DATABASE_URL"], stack["REDIS_SOCKET"])
    load = Load(stack, **load_options)
    done = threading.Event()
    sampler = threading.Thread(target=watch, args=(checker, done), daemon=True)

    def pause(least, most):
        end = time.monotonic() + targets.dice.uniform(least, most)
        while time.monotonic() < end and not load.begun_all():
            time.sleep(0.02)
        return not load.begun_all()

    sampler.start()
    load.start()
    importlib.import_module(f"experiments.{name}").disturb(targets, pause)
    load.join()
    settled = checker.settle()
    done.set()
    sampler.join()
    return Outcome(name, targets, checker, load, settled, seed)


def print_row(row):
    widths = [max(len(c), 18 if c == "experiment" else 5) for c in COLUMNS]
    print("  ".join(str(row[c]).ljust(w) if c == "experiment" else str(row[c]).rjust(w) for c, w in zip(COLUMNS, widths)),
          flush=True)


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", required=True)
    parser.add_argument("--experiment", action="append", choices=experiments())
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--orders", type=int)
    parser.add_argument("--rate", type=float, help="orders a second at most")
    parser.add_argument("--threads", type=int, default=48)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--slowest", type=int, default=0, help="show the histories of so many")
    parser.add_argument("--json")
    return parser.parse_args()


def main():
    args = options()
    names = args.experiment or experiments()
    seconds = None if args.orders else 60 * (args.minutes or len(names)) / len(names)
    stack, rows, bad = StackEnv(args.env), [], False
    print_row(dict(zip(COLUMNS, COLUMNS)))
    for name in names:
        outcome = run(stack, name, args.seed, orders=args.orders, seconds=seconds, rate=args.rate, threads=args.threads)
        rows.append({**outcome.row, "seed": outcome.seed})
        print_row(outcome.row)
        if outcome.violations or args.slowest:
            print("  " + outcome.description(args.slowest), flush=True)
        bad = bad or bool(outcome.violations)
    print_row(total(rows))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=1)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
