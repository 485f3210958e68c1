"""The handler programs without a web server in front: an ACME client that speaks FastCGI, and somebody who does the work of
validator and signer by the same database functions and messages."""

import base64
import datetime
import email.message
import os
import sys
import uuid

import psycopg2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import BASE

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import acme_client  # noqa: E402

ACCOUNT_PATHS = ("/acme/new-account", "/acme/key-change", "/acme/account/")


def program_of(path):
    """As the locations of nginx/assay-server.conf have it."""
    if path.startswith("/acme/new-nonce") or not path.startswith("/acme/"):
        return "assay-directory"
    return "assay-account" if path.startswith(ACCOUNT_PATHS) else "assay-order"


class Client(acme_client.AcmeClient):
    """Each client has its own connections."""

    def __init__(self, programs, key=None):
        super().__init__(f"{BASE}/directory", key=key)
        self.programs = programs

    def request(self, method, url, body=None, headers=None):
        assert url.startswith(BASE), url
        path = url[len(BASE):]
        name = program_of(path)
        if name not in self.connections:
            self.connections[name] = self.programs[name].connect()
        headers = {name: value for name, value in (headers or {}).items() if value is not None}
        content_type = headers.pop("Content-Type", "")
        params = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
        got = self.connections[name](method, path, body or b"", content_type, **params)
        message = email.message.Message()
        for header, values in got.headers.items():
            for value in values:
                message[header] = value
        answer = acme_client.Answer(got.status, message, got.body)
        if answer.nonce:
            self.nonces.append(answer.nonce)
        return answer


def id_of(url, segment=-1):
    return uuid.UUID(bytes=base64.urlsafe_b64decode(url.split("/")[segment] + "=="))


def text_of(value):
    return base64.urlsafe_b64encode(uuid.UUID(str(value)).bytes).rstrip(b"=").decode()


def to_bytes(value):
    return bytes(value)


class Workers:
    """Validator and signer by hand."""

    def __init__(self, redis):
        self.redis = redis
        self.db = psycopg2.connect("")
        self.db.autocommit = True
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.issuer = self._make_issuer()
        self("SELECT assay.partitions(3, 86400 * 400)")
        pem = self.issuer.public_bytes(serialization.Encoding.PEM).decode()
        self("SELECT assay.issuer_record(%s, %s, %s, %s, %s)",
             self.issuer.fingerprint(hashes.SHA256()), self.issuer.public_bytes(serialization.Encoding.DER),
             pem, "test", [2 * pem, 3 * pem])

    def __call__(self, statement, *args):
        with self.db.cursor() as cursor:
            cursor.execute(statement, args)
            return cursor.fetchall() if cursor.description else None

    def close(self):
        self.db.close()

    def jobs(self, stream):
        """(kind, id) of what the handlers have queued, and forgets it."""
        words = self.redis("XRANGE", stream, "-", "+").split("\n")
        self.redis("DEL", stream)
        return "\n".join(words)

    def publish(self, *ids):
        self.redis("PUBLISH", "done", "".join(text_of(i) for i in ids))

    def validate(self, authz_url, problem=None, outcome=None):
        """The claimed authorization becomes valid, or invalid with the problem (JSON)."""
        outcome = (1 if problem else 0) if outcome is None else outcome
        authz = id_of(authz_url)
        (row,) = self("SELECT r_attempt FROM assay.validation_claim(%s::uuid[], 60)", [str(authz)])
        orders = self("SELECT assay.validation_finish(%s::uuid[], %s, %s, %s, %s::timestamptz[], ARRAY[now()], %s, "
                      "now() + interval '30 days')", [str(authz)], [row[0]], [outcome], [problem], [None], ["{}"])
        self.publish(authz, *(order for (order,) in orders))

    def issue(self, order_url):
        """Signs what the order asks for. Returns the certificate."""
        order = str(id_of(order_url))
        (row,) = self("SELECT r_attempt, r_csr, r_names FROM assay.issuance_claim(%s::uuid[], 60)", [order])
        csr = x509.load_der_x509_csr(to_bytes(row[1]))
        now = datetime.datetime.utcnow().replace(microsecond=0)
        serial = b"\x40" + int(now.timestamp()).to_bytes(4, "big") + os.urandom(13)
        cert = (x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(self.issuer.subject)
                .public_key(csr.public_key()).serial_number(int.from_bytes(serial, "big"))
                .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=90))
                .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in row[2]]), critical=True)
                .sign(self.key, hashes.SHA256()))
        der = cert.public_bytes(serialization.Encoding.DER)
        spki = hashes.Hash(hashes.SHA256())
        spki.update(csr.public_key().public_bytes(serialization.Encoding.DER,
                                                  serialization.PublicFormat.SubjectPublicKeyInfo))
        reserved = self("SELECT assay.issuance_reserve(%s::uuid[], %s, %s, %s, %s, %s, ARRAY[%s]::timestamptz[], "
                        "ARRAY[%s]::timestamptz[])", [order], [row[0]], [serial], [cert.tbs_certificate_bytes],
                        [spki.finalize()], [self.issuer.fingerprint(hashes.SHA256())], now, now + datetime.timedelta(days=90))
        assert len(reserved) == 1
        issued = self("SELECT assay.issuance_issue(%s::uuid[], %s, %s, %s)", [order], [row[0]], [serial], [der])
        assert len(issued) == 1
        self.publish(order)
        return cert

    def _make_issuer(self):
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "handler test issuer")])
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                .not_valid_after(now + datetime.timedelta(days=400))
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .sign(self.key, hashes.SHA256()))
