"""The processes of a running stack as targets: found by name, killed, frozen and thawed; each act is counted.

Names: directory account order validator signer keeper nginx (a worker of it) redis backend (of PostgreSQL, a program's)
postgres (the postmaster). The stack's supervisor brings back what dies and writes the new process ids into its env file.
"""

import glob
import os
import random
import shlex
import signal
import time

import redis

PROGRAMS = ("directory", "account", "order", "validator", "signer", "ocsp-signer", "keeper")
EVERYTHING = (*PROGRAMS, "nginx", "redis", "backend", "postgres")


class StackEnv:
    """The variables of the running stack, read anew each time."""

    def __init__(self, path):
        self.path = path

    def all(self):
        with open(self.path, encoding="utf-8") as text:
            return dict(word.split("=", 1) for word in shlex.split(text.read()))

    def __getitem__(self, name):
        return self.all()[name]


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as text:
            return text.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
            return [int(child) for child in text.read().split()]
    except OSError:
        return []


class Targets:
    def __init__(self, stack, dice=None):
        self.stack = stack
        self.dice = dice or random.Random()
        self.acts = []  # (monotonic seconds, what was done to whom)

    def pids(self, name):
        """Those that live now, and are what they should be: a pid in the file may be a moment old."""
        env = self.stack.all()
        if name in ("nginx", "backend"):
            parent = int(env["PID_NGINX" if name == "nginx" else "PID_POSTGRESQL"])
            sign = "nginx: worker" if name == "nginx" else "postgres: assay-"
            return [pid for pid in children(parent) if command_line(pid).startswith(sign)]
        variable, sign = {"redis": ("PID_REDIS", "redis-server"), "postgres": ("PID_POSTGRESQL", "postgres"),
                          "supervised nginx": ("PID_NGINX", "nginx")}.get(name, (f"PID_ASSAY_{name.upper().replace('-', '_')}_", f"assay-{name}"))
        return [int(pid) for key, pid in env.items() if key.startswith(variable) and sign in command_line(int(pid))]

    def send(self, name, number, everyone=False):
        """A signal to one process of that name, by lot, or to all; how many got it."""
        pids = self.pids(name)
        if pids and not everyone:
            pids = [self.dice.choice(pids)]
        sent = 0
        for pid in pids:
            try:
                os.kill(pid, number)
                sent += 1
            except ProcessLookupError:
                pass
        self.note(f"{signal.Signals(number).name} {name}", sent)
        return sent

    def kill(self, name):
        """kill -9 one process of that name; waits for it to come into being again when none is there."""
        for _ in range(100):
            if self.send(name, signal.SIGKILL):
                return
            time.sleep(0.1)
        done = ", ".join(what for _, what, _ in self.acts[-5:])
        raise AssertionError(f"no process of {name} to kill for 10 s, after {done}; the stack has {self.stack.all()}")

    def freeze(self, name, seconds):
        """SIGSTOP to the processes of that name, postgres with all its backends; SIGCONT after a while."""
        pids = self.pids(name)
        if name == "postgres":
            pids += [child for pid in pids for child in children(pid)]
        stopped = []
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
            self.note(f"frozen {seconds:.0f} s: {name}", 1)
            time.sleep(seconds)
        finally:
            for pid in stopped:
                if command_line(pid):
                    os.kill(pid, signal.SIGCONT)
        self.note(f"thawed: {name}", 0)

    def flushall(self):
        for _ in range(100):
            try:
                redis.Redis(unix_socket_path=self.stack["REDIS_SOCKET"]).flushall()
                self.note("FLUSHALL", 1)
                return
            except redis.RedisError:
                time.sleep(0.1)
        raise AssertionError("Redis did not take FLUSHALL for 10 s")

    def lose_append_only_tail(self, share):
        """kill -9 Redis, and the last part of its append-only file is gone before it comes back."""
        folder = os.path.join(os.path.dirname(self.stack.path), "redis", "appendonlydir")
        self.kill("redis")
        newest = max(glob.glob(f"{folder}/*.incr.aof"), key=os.path.getmtime)
        size = os.path.getsize(newest)
        os.truncate(newest, int(size * (1 - share)))
        self.note(f"append-only file cut from {size} to {int(size * (1 - share))} bytes", 0)

    def note(self, what, count):
        if count or "thawed" in what or "cut" in what:
            self.acts.append((time.monotonic(), what, count))

    @property
    def accidents(self):
        return sum(count for _, _, count in self.acts)
