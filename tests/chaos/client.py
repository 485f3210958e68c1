"""Many orders at once, by clients that behave well in bad times, and a history of what each of them was told.

A good client asks again after badNonce, 429, 5xx and a broken connection (after Retry-After, or a growing pause), looks at
the order before it repeats a finalize, and never gives an order up that it was given with 201. What it was told goes into
an OrderHistory: the checker compares it with the database.
"""

import hashlib
import http.client
import http.server
import os
import random
import ssl
import sys
import threading
import time
import uuid

from cryptography.hazmat.primitives import serialization

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from acme_client import AcmeClient, certificates, leaf_key, make_csr, pick  # noqa: E402

ATTEMPT_SECS = 15      # one HTTP request
PAUSE_SECS = (0.2, 2)  # between requests that failed: first and longest
POLL_SECS = 0.5
REPLAYS_KEPT = 400


class GaveUp(Exception):
    """The client's patience is over: for the checker this order is lost."""


class Unavailable(Exception):
    """No answer worth having; ask again."""


class OrderHistory:
    """One order as its client saw it."""

    def __init__(self, number, names, refuse):
        self.number, self.names, self.refuse = number, names, refuse
        self.url = None           # given with 201
        self.status = None        # the last one seen
        self.error = None         # of an invalid order, or what made the client stop
        self.key_sha256 = None    # of the key in the CSR
        self.certificate = None   # DER, as downloaded
        self.began = time.monotonic()
        self.ended = None
        self.events = []          # (seconds since the beginning, what, answer)

    def note(self, what, outcome):
        self.events.append((round(time.monotonic() - self.began, 3), what, outcome))

    def __str__(self):
        lines = [f"order {self.number} {self.url} {','.join(self.names)}: {self.status} {self.error or ''}"]
        return "\n".join(lines + [f"    {at:8.3f} {what}: {outcome}" for at, what, outcome in self.events[-25:]])


class Web:
    """Answers http-01 for everybody; some tokens slowly, some wrongly."""

    def __init__(self, port):
        answers = self.answers = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body, delay = answers.get(self.path.rpartition("/")[2], (b"", 0))
                time.sleep(delay)
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, request, client_address):
                pass  # a validator was killed while it asked

        self.server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class GoodClient(AcmeClient):
    """AcmeClient that asks again, keeps what it was told, and remembers requests whose nonce was taken."""

    def __init__(self, load):
        super().__init__(load.directory_url, load.ca_file, timeout=ATTEMPT_SECS)
        self.load = load
        self.history = None

    def request(self, method, url, body=None, headers=None):
        try:
            answer = super().request(method, url, body, headers)
        except (OSError, http.client.HTTPException, ssl.SSLError) as err:
            self.close()
            raise Unavailable(f"{type(err).__name__} {err}") from None
        if answer.status == 429 or answer.status >= 500:
            raise Unavailable(f"{answer.status} {answer.detail}", answer.retry_after)
        if method == "POST" and answer.problem != "badNonce":
            self.load.remember(url, body)
        return answer

    def fresh_nonce(self):
        super().request("HEAD", self.directory["newNonce"])
        if not self.nonces:
            raise Unavailable("no nonce")
        return self.nonces.pop()

    def insist(self, what, act):
        """Does it until somebody answers; what the answer means is the caller's business."""
        pause = PAUSE_SECS[0]
        while True:
            try:
                answer = act()
                self.note(what, f"{answer.status} {answer.problem or ''}{answer.detail}")
                if answer.problem != "badNonce":
                    return answer
                wait = 0
            except (Unavailable, OSError, http.client.HTTPException) as err:
                self.note(what, err.args[0] if isinstance(err, Unavailable) else repr(err))
                self.load.turned_away.append((what, err))
                wait = self.pause_after(err, pause)
                pause = min(pause * 2, PAUSE_SECS[1])
            if self.load.out_of_patience():
                raise GaveUp(what)
            time.sleep(wait)

    @staticmethod
    def pause_after(err, pause):
        asked = err.args[1] if isinstance(err, Unavailable) and len(err.args) > 1 else None
        return float(asked) if asked and asked.isdigit() else pause * random.uniform(0.5, 1.5)

    def note(self, what, outcome):
        if self.history is not None:
            self.history.note(what, outcome)

    # --- an order ---

    def obtain(self, history):
        """The whole flow. However it ends, the history tells."""
        self.history = history
        try:
            if self.kid is None:
                self.insist("newAccount", self.new_account)
            self.go_through(history)
        except GaveUp as err:
            history.error = f"gave up: {err}"
        except (KeyError, ValueError, AssertionError, StopIteration) as err:
            history.error = f"made no sense of an answer: {err!r}"
        history.ended = time.monotonic()
        self.history = None

    def go_through(self, history):
        order = self.insist("newOrder", lambda: self.new_order(history.names))
        if order.status != 201:
            history.error = f"newOrder: {order!r}"
            return
        history.url = order.location
        for url in order.json["authorizations"]:
            self.authorize(url, history)
        state = self.follow(history, "pending")
        if state["status"] == "ready":
            key = leaf_key()
            history.key_sha256 = hashlib.sha256(key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
            csr = make_csr(history.names, key)
            state = self.finish(history, state, csr)
        if state["status"] == "valid":
            chain = self.insist("certificate", lambda: self.download(state))
            history.certificate = certificates(chain)[0].public_bytes(serialization.Encoding.DER)

    def authorize(self, url, history):
        authz = self.insist("authz", lambda: self.get(url)).json
        if authz["status"] != "pending":
            return
        challenge = pick(authz, "http-01")
        proof = b"" if history.refuse else self.key_authorization(challenge["token"]).encode()
        self.load.web.answers[challenge["token"]] = (proof, self.load.web_delay())
        self.insist("challenge", lambda: self.respond(challenge))

    def finish(self, history, order, csr):
        """Finalizes; a repetition that comes too late is told orderNotReady, and the order tells the rest."""
        answer = self.insist("finalize", lambda: self.finalize(order, csr))
        if answer.status != 200 and answer.problem != "orderNotReady":
            raise ValueError(repr(answer))
        return self.follow(history, "processing")

    def follow(self, history, *transient):
        """Polls the order while its status is one of these."""
        while True:
            answer = self.insist("order", lambda: self.get(history.url))
            if answer.status != 200:
                raise ValueError(repr(answer))
            state = answer.json
            history.status = state["status"]
            history.error = state.get("error")
            if state["status"] not in transient:
                return state
            if self.load.out_of_patience():
                raise GaveUp(f"still {state['status']}")
            time.sleep(POLL_SECS)


class Load:
    """Clients in threads, ordering until `orders` are begun or `seconds` are over, then finishing what they began.

    rate: no more orders a second than that.
    """

    def __init__(self, stack, threads=48, orders=None, seconds=None, rate=None, patience=90, refused=0.02, slow=0.05):
        self.directory_url, self.ca_file = stack["ACME_DIRECTORY"], stack["ACME_CA_ROOT"]
        self.web = Web(int(stack["HTTP01_PORT"]))
        self.limit, self.patience, self.refused, self.slow = orders, patience, refused, slow
        self.rate, self.began = rate, time.monotonic()
        self.until = None if seconds is None else self.began + seconds
        self.lock = threading.Lock()
        self.histories = []
        self.spent = []           # (url, body) of requests whose nonce was taken
        self.replays = 0
        self.replays_accepted = []
        self.finished_at = None
        self.turned_away = []     # requests that got no answer worth having
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.live, daemon=True) for _ in range(threads)]
        self.replayer = threading.Thread(target=self.replay, daemon=True)

    def start(self):
        for thread in [*self.threads, self.replayer]:
            thread.start()

    def begun_all(self):
        return (self.limit is not None and len(self.histories) >= self.limit) or (
            self.until is not None and time.monotonic() >= self.until)

    def out_of_patience(self):
        """Nobody waits for ever: what is not finished so long after the last order was begun is lost."""
        return self.finished_at is not None and time.monotonic() > self.finished_at + self.patience

    def web_delay(self):
        return random.uniform(0.5, 3) if random.random() < self.slow else 0

    def next_order(self, earlier):
        """Fresh names, mostly; sometimes one for which this client's account holds an authorization already."""
        with self.lock:
            if self.begun_all():
                self.finished_at = self.finished_at or time.monotonic()
                return None
            names = [f"{uuid.uuid4().hex[:12]}.chaos.test" for _ in range(random.choice((1, 1, 1, 2, 4)))]
            refuse = random.random() < self.refused
            if earlier and not refuse and random.random() < 0.1:
                names[0] = random.choice(earlier)
            self.histories.append(OrderHistory(len(self.histories), sorted(names), refuse))
            return self.histories[-1]

    def live(self):
        client, earlier = GoodClient(self), []
        while (history := self.next_order(earlier)) is not None:
            self.keep_pace(history)
            client.obtain(history)
            if history.certificate:
                earlier = history.names
        client.close()

    def keep_pace(self, history):
        if self.rate is not None:
            time.sleep(max(0, self.began + history.number / self.rate - time.monotonic()))
        history.began = time.monotonic()

    def join(self):
        for thread in self.threads:
            thread.join()
        self.stopping.set()
        self.replayer.join()
        self.web.close()

    # --- replayed requests ---

    def remember(self, url, body):
        with self.lock:
            if len(self.spent) < REPLAYS_KEPT:
                self.spent.append((url, body))
            else:
                self.spent[random.randrange(REPLAYS_KEPT)] = (url, body)

    def replay(self):
        """A stranger who recorded requests sends them again, all the time. badNonce is the only right answer."""
        client = AcmeClient(self.directory_url, self.ca_file, timeout=ATTEMPT_SECS)
        while not self.stopping.wait(0.05):
            if not self.spent:
                continue
            with self.lock:
                url, body = random.choice(self.spent)
            try:
                answer = client.request("POST", url, body, {"Content-Type": "application/jose+json"})
            except (OSError, http.client.HTTPException):
                client.close()
                continue
            self.replays += answer.problem == "badNonce"
            if answer.problem != "badNonce" and answer.status < 500 and answer.status != 429:
                self.replays_accepted.append(f"{url}: {answer!r}")
        client.close()
