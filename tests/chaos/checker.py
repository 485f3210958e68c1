"""What must be true after any accident: the database compared with what the clients were told.

    violations = Checker(database_url, redis_socket, marker).check(load)

One function a rule; each returns sentences, one for each order or row that breaks it. Kinds of rule: an order is "lost"
when it did not come to an end that its client can read; a "duplicate" is a second certificate, serial or use of a nonce; a
certificate is "unknown" when client and database do not know the same bytes; everything else is "broken".
"""

import base64
import collections
import hashlib
import time
import uuid

import psycopg2
import psycopg2.extras
import redis
from cryptography import x509
from cryptography.hazmat.primitives import serialization

INVALID, VALID = 4, 3
SETTLE_SECS = 30
SHOWN = 10

Violation = collections.namedtuple("Violation", "kind rule what")


def order_id(url):
    text = url.rpartition("/")[2]
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(text + "==")))


def names_of(certificate):
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(san.get_values_for_type(x509.DNSName))


class Database:
    """A superuser's connection; asks again when the server is away or was killed meanwhile."""

    def __init__(self, url):
        self.url, self.connection = url, None

    def rows(self, sql, *arguments):
        until = time.monotonic() + SETTLE_SECS
        while True:
            try:
                if self.connection is None:
                    self.connection = psycopg2.connect(self.url, options="-c search_path=assay,pg_catalog")
                    self.connection.autocommit = True
                with self.connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
                    cursor.execute(sql, arguments)
                    return cursor.fetchall()
            except psycopg2.Error as err:
                # A connection that was cut in the middle is a plain DatabaseError.
                cut = isinstance(err, psycopg2.OperationalError) or type(err) is psycopg2.DatabaseError
                if not cut or time.monotonic() > until:
                    raise
                self.connection = None
                time.sleep(0.2)

    def one(self, sql, *arguments):
        return self.rows(sql, *arguments)[0]


class Checker:
    """The marker divides the orders of this run from those before: order ids are times."""

    def __init__(self, database_url, redis_socket):
        self.database = Database(database_url)
        self.redis = redis.Redis(unix_socket_path=redis_socket)
        self.longest_stream = 0
        self.marker = self.database.one(
            "select rpad(lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0'), 32, '0')::uuid::text "
            "as id").id
        self.began = self.database.one("select clock_timestamp() as at").at

    # --- during and after the run ---

    def sample(self):
        """Called now and then: how long the job streams get."""
        try:
            self.longest_stream = max(self.longest_stream, *(self.redis.xlen(s) for s in ("q:val", "q:sign", "q:dead")))
        except redis.RedisError:
            pass

    def unfinished(self):
        """Rows in processing, and entries of the job streams."""
        rows = self.database.one("""select
            (select count(*) from orders where id >= %s and status = 2) +
            (select count(*) from authorizations where order_id >= %s and status = 0 and challenge = 1) as n""",
                                 self.marker, self.marker).n
        return rows + sum(self.redis.xlen(stream) for stream in ("q:val", "q:sign"))

    def settle(self):
        """Waits until nothing is in processing any more; how long it took."""
        began = time.monotonic()
        while time.monotonic() < began + SETTLE_SECS:
            try:
                if self.unfinished() == 0:
                    break
            except redis.RedisError:
                pass
            time.sleep(0.2)
        return time.monotonic() - began

    def check(self, load):
        self.histories = {order_id(h.url): h for h in load.histories if h.url}
        self.orders = {row.id: row for row in self.database.rows(
            "select id::text, status, error, names, authz_ids::text[], encode(serial, 'hex') as serial from orders "
            "where id >= %s", self.marker)}
        self.certificates = self.database.rows(
            """select encode(c.serial, 'hex') as serial, c.order_id::text, c.names, c.der, c.revoked_at, c.reason,
                encode(c.spki_sha256, 'hex') as spki_sha256, s.serial is not null as known, s.burnt_at,
                s.order_id::text as serial_order
            from certificates c left join serials s on s.serial = c.serial where c.order_id >= %s""", self.marker)
        found = []
        for kind, rule in (
                ("lost", self.orders_that_clients_know_exist), ("lost", self.orders_end),
                ("lost", self.nothing_is_left_in_processing),
                ("lost", self.clients_and_database_agree), ("lost", self.only_what_fails_validation_is_refused),
                ("unknown", self.downloads_are_recorded), ("unknown", self.certificates_have_valid_orders),
                ("duplicate", self.orders_have_one_certificate), ("duplicate", self.serials_are_unique),
                ("broken", self.certificates_say_what_was_ordered), ("broken", self.unused_serials_are_burnt),
                ("broken", self.audit_rows_are_complete), ("broken", self.validations_left_evidence),
                ("broken", self.seals_fit), ("broken", self.audit_rows_are_sealed), ("broken", self.streams_are_empty)):
            found += [Violation(kind, rule.__name__, what) for what in rule()]
        found += [Violation("duplicate", "nonces_are_used_once", what) for what in load.replays_accepted]
        return found

    # --- lost ---

    def orders_that_clients_know_exist(self):
        return [f"{h}" for id_, h in self.histories.items() if id_ not in self.orders]

    def orders_end(self):
        for id_, history in self.histories.items():
            row = self.orders.get(id_)
            if row is not None and not (row.status == VALID or (row.status == INVALID and row.error)):
                yield f"status {row.status} in the database; {history}"

    def nothing_is_left_in_processing(self):
        for row in self.database.rows("select id::text, attempt, due_at, held_until, now() from orders where id >= %s and "
                                      "status = 2", self.marker):
            yield f"order {row}"
        for row in self.database.rows("select id::text, order_id::text, attempt, tries, due_at, held_until, now() from "
                                      "authorizations where order_id >= %s and status = 0 and challenge = 1", self.marker):
            yield f"authorization {row}"

    def clients_and_database_agree(self):
        for id_, history in self.histories.items():
            row = self.orders.get(id_)
            told = {"valid": VALID, "invalid": INVALID}.get(history.status)
            if row is not None and (told != row.status or (told == VALID) != bool(history.certificate)):
                yield f"status {row.status} in the database; {history}"

    def only_what_fails_validation_is_refused(self):
        """An accident costs time, never an order that could have been issued."""
        for history in self.histories.values():
            if history.status == "invalid" and not history.refuse:
                yield str(history)

    # --- unknown ---

    def downloads_are_recorded(self):
        recorded = {(row.order_id, bytes(row.der)) for row in self.certificates if row.der}
        for id_, history in self.histories.items():
            if history.certificate and (id_, history.certificate) not in recorded:
                yield f"downloaded, not recorded: {history}"

    def certificates_have_valid_orders(self):
        for row in self.certificates:
            order = self.orders.get(row.order_id)
            if row.der and (order is None or order.status != VALID or order.serial != row.serial):
                yield f"certificate {row.serial} of order {row.order_id}: {order}"

    # --- duplicate ---

    def orders_have_one_certificate(self):
        count = collections.Counter(row.order_id for row in self.certificates if row.der)
        return [f"{n} certificates of order {id_}" for id_, n in count.items() if n > 1]

    def serials_are_unique(self):
        rows = self.database.rows("select encode(serial, 'hex') as serial, count(*) from certificates group by 1 having "
                                  "count(*) > 1")
        return [f"serial {row.serial} in {row.count} certificates" for row in rows]

    # --- broken ---

    def certificates_say_what_was_ordered(self):
        for row in self.certificates:
            if not row.der:
                continue
            try:
                certificate = x509.load_der_x509_certificate(bytes(row.der))
            except ValueError as err:
                yield f"{row.serial} is no certificate: {err}"
                continue
            spki = hashlib.sha256(certificate.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
            history = self.histories.get(row.order_id)
            order = self.orders.get(row.order_id)
            if not names_of(certificate) == sorted(row.names) == sorted(order.names if order else row.names):
                yield f"names of {row.serial}: {names_of(certificate)}, ordered {order}"
            if certificate.serial_number != int(row.serial, 16):
                yield f"serial of {row.serial}: {certificate.serial_number:x}"
            if spki != row.spki_sha256 or (history and history.key_sha256 not in (None, spki)):
                yield f"key of {row.serial} is not the one that was asked for"

    def unused_serials_are_burnt(self):
        for row in self.certificates:
            if not row.known or row.serial_order != row.order_id:
                yield f"{row.serial}: its serial is not recorded for its order"
            elif row.der and row.burnt_at:
                yield f"{row.serial}: issued with a burnt serial"
            elif not row.der and not (row.burnt_at and row.revoked_at and row.reason == 4):
                yield f"{row.serial}: reserved, never issued, and not burnt: {row}"
        for row in self.database.rows("select encode(s.serial, 'hex') as serial from serials s where s.order_id >= %s and not "
                                      "exists (select from certificates c where c.serial = s.serial) and not "
                                      "exists (select from responders r where r.id = s.order_id)", self.marker):
            yield f"{row.serial}: a serial without a certificate's row"

    def audit_rows_are_complete(self):
        """Each reserved serial once, each certificate once with the hash of its DER, each burnt serial once."""
        wanted = collections.Counter()
        for row in self.certificates:
            wanted["certificate.reserve", row.serial, row.order_id] += 1
            if row.der:
                wanted["certificate.issue", row.serial, hashlib.sha256(bytes(row.der)).hexdigest()] += 1
            if row.burnt_at:
                wanted["serial.burn", row.serial, row.order_id] += 1
        serials = {row.serial for row in self.certificates}
        logged = collections.Counter(
            (row.action, row.object, row.detail) for row in self.database.rows(
                "select action, object, detail from audit_log where at >= %s and action in "
                "('certificate.reserve', 'certificate.issue', 'serial.burn')", self.began) if row.object in serials)
        return [f"missing: {row}" for row in (wanted - logged)] + [f"too many: {row}" for row in (logged - wanted)]

    def validations_left_evidence(self):
        seen = {row.authz_id for row in self.database.rows(
            "select v.authz_id::text from validations v where v.outcome = 0 and v.evidence is not null")}
        for id_, order in self.orders.items():
            for authz in order.authz_ids:
                if order.status == VALID and authz not in seen:
                    yield f"order {id_}: nothing shows why authorization {authz} is valid"

    def seals_fit(self):
        seal = self.database.one("select audit_verify() as seal").seal
        return [] if seal is None else [f"seal {seal} does not fit its rows"]

    def audit_rows_are_sealed(self):
        """Old rows of transactions that have ended, and no seal behind them."""
        rows = self.database.rows("""select count(*) as n, min(at) as since from audit_log a
            where a.xid >= (select coalesce(max(to_xid::text::numeric), 0)::text::xid8 from audit_seals)
                and a.xid < pg_snapshot_xmin(pg_current_snapshot()) and a.at < now() - interval '1 minute'""")
        return [f"{row.n} rows since {row.since} are not sealed" for row in rows if row.n]

    def streams_are_empty(self):
        for stream in ("q:val", "q:sign", "q:dead"):
            length = self.redis.xlen(stream)
            if length:
                yield f"{stream} holds {length} entries after everything has ended: {self.redis.xrange(stream, count=3)}"
