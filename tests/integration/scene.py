"""What a validation case is: one order of one name, the servers and zones around it, and what is to come of it.

The cases themselves are in scenes_http01.py and scenes_names.py; test_validation.py runs them all at the same moment.
"""

import hashlib

from acme_client import pick
from responders import WebAnswer
from steps import fresh

CASES = {}


class Valid:
    def __init__(self, tries=1):
        self.tries = tries


class Invalid:
    """kind: the challenge's problem type. says: a part of its detail. tries: attempts that were made, when that matters."""

    def __init__(self, kind, says="", tries=None):
        self.kind, self.says, self.tries = kind, says, tries


class World:
    """One order of one name, and the servers around it."""

    def __init__(self, client, dns, web, tls, stack, wildcard=False):
        self.client, self.dns, self.web, self.tls, self.stack = client, dns, web, tls, stack
        self.name = fresh("case")
        self.order = client.new_order(["*." + self.name if wildcard else self.name])
        (self.authz,) = client.authorizations(self.order)
        self.expect = self.seen = None
        self.soon = self.then = lambda: None  # done a moment after the response was sent; after it was answered
        self.polls = []

    def take(self, method):
        self.challenge = pick(self.authz, method)
        self.token = self.challenge["token"]
        self.good = self.client.key_authorization(self.token)
        self.digest = hashlib.sha256(self.good.encode()).digest()

    def a(self, *addresses, name=None):
        self.dns("add-a", host=name or self.name, addresses=list(addresses))

    def caa(self, *policies, name=None):
        self.dns("add-caa", host=name or self.name,
                 policies=[{"flags": f, "tag": t, "value": v} for f, t, v in policies])

    def txt(self, *values):
        for value in values:
            self.dns("set-txt", host="_acme-challenge." + self.name, value=value)

    def answer(self, *args, **kwargs):
        self.web.answers[self.name] = WebAnswer(*args, **kwargs)

    def redirect(self, location, status=302):
        self.web.answers[self.name] = WebAnswer(status=status, location=location)

    def asked(self, host=None):
        return len(self.web.paths(host or self.name))


def case(method, wildcard=False):
    def add(function):
        CASES[function.__name__.replace("_", " ")] = (function, method, wildcard)
        return function
    return add


http01, dns01, tlsalpn01 = case("http-01"), case("dns-01"), case("tls-alpn-01")
