"""A small ACME client (RFC 8555) for tests: raw flattened JWS, every part of which can be tampered with.

    client = AcmeClient(directory_url, ca_file)         # a fresh ES256 key
    client.new_account()
    order = client.new_order(["a.test"])                # an Answer; order.json is the object
    for authz in client.authorizations(order):
        challenge = pick(authz, "http-01")
        ... publish client.key_authorization(challenge["token"]) ...
        client.respond(challenge)
    client.wait(order.location, "ready")
    client.finalize(order, make_csr(["a.test"], leaf_key))
    chain = certificates(client.download(client.wait(order.location, "valid")))

Nothing raises because of what the server answered: look at Answer.status, .problem and .json. Answers to badNonce are
retried, unless the test chose the nonce itself. What post() accepts beyond the payload:

    key=, kid=            sign with another key; name another account (kid=None: embed the JWK)
    alg=, nonce=          other values in the protected header; DROP leaves the member out
    header={...}          any other member: {"url": …}, {"jwk": …}, {"crit": …} (DROP again)
    signature=bytes       this instead of the right signature
    mutate=function       called with the JWS (a dict) before it is sent; may return another one
    body=bytes            these bytes instead of a JWS
    content_type=, headers={...}, method=
"""

import base64
import hashlib
import http.client
import json
import re
import ssl
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

USER_AGENT = "assay-tests/1"
JOSE = "application/jose+json"
URN = "urn:ietf:params:acme:error:"
DROP = object()   # leaves a member of the protected header out
_UNSET = object()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Key:
    """An account key. alg: ES256 ES384 ES512 RS256 EdDSA."""

    CURVES = {"ES256": (ec.SECP256R1, hashes.SHA256, "P-256", 32), "ES384": (ec.SECP384R1, hashes.SHA384, "P-384", 48),
              "ES512": (ec.SECP521R1, hashes.SHA512, "P-521", 66)}

    def __init__(self, alg="ES256", private=None, bits=2048):
        self.alg = alg
        if private is not None:
            self.private = private
        elif alg in self.CURVES:
            self.private = ec.generate_private_key(self.CURVES[alg][0]())
        elif alg == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            raise ValueError(alg)

    @property
    def jwk(self):
        public = self.private.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            _, _, curve, size = next(c for c in self.CURVES.values() if c[0].name == public.curve.name)
            numbers = public.public_numbers()
            return {"kty": "EC", "crv": curve, "x": b64url(numbers.x.to_bytes(size, "big")),
                    "y": b64url(numbers.y.to_bytes(size, "big"))}
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
                    "e": b64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big"))}
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw)}

    @property
    def thumbprint(self):
        """RFC 7638, base64url."""
        return b64url(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":"), sort_keys=True).encode()).digest())

    def sign(self, data):
        if self.alg in self.CURVES:
            _, digest, _, size = self.CURVES[self.alg]
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest())))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if self.alg == "RS256":
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(data)


class Answer:
    """What came back. Header names are case-insensitive in .headers."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0].strip()

    @property
    def nonce(self):
        return self.headers.get("Replay-Nonce")

    @property
    def location(self):
        return self.headers.get("Location")

    @property
    def retry_after(self):
        return self.headers.get("Retry-After")

    def links(self, rel):
        """Targets of the Link headers with that relation."""
        found = []
        for value in self.headers.get_all("Link") or []:
            match = re.fullmatch(r'\s*<([^>]*)>\s*;\s*rel="?([^"]*)"?\s*', value)
            if match and match.group(2) == rel:
                found.append(match.group(1))
        return found

    @property
    def problem(self):
        """The short type of a problem document ("badNonce"), or None."""
        if self.type != "application/problem+json":
            return None
        kind = self.json["type"]
        return kind[len(URN):] if kind.startswith(URN) else kind

    @property
    def detail(self):
        return self.json.get("detail", "") if self.problem else ""

    def __repr__(self):
        return f"<Answer {self.status} {self.type} {self.body[:300]!r}>"


class AcmeClient:
    def __init__(self, directory_url, ca_file=None, key=None, timeout=60):
        self.directory_url, self.timeout = directory_url, timeout
        self.key = key or Key()
        self.kid = None
        self.context = ssl.create_default_context(cafile=ca_file) if directory_url.startswith("https:") else None
        self.connections = {}
        self.nonces = []
        self._directory = None

    # --- HTTP ---

    def request(self, method, url, body=None, headers=None):
        """One plain HTTP request; a kept connection that the server has closed is opened again."""
        parts = urllib.parse.urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"User-Agent": USER_AGENT, **(headers or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        for attempt in (1, 2):
            kept = parts.netloc in self.connections
            connection = self.connections.pop(parts.netloc, None) or self._connect(parts)
            try:
                connection.request(method, target or "/", body=body, headers=sent)
                got = connection.getresponse()
                answer = Answer(got.status, got.msg, got.read())
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
                connection.close()
                if not kept or attempt == 2:
                    raise
                continue
            if not got.will_close:
                self.connections[parts.netloc] = connection
            if answer.nonce:
                self.nonces.append(answer.nonce)
            return answer
        raise AssertionError("not reached")

    def _connect(self, parts):
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=self.timeout, context=self.context)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.timeout)

    def close(self):
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()

    @property
    def directory(self):
        if self._directory is None:
            self._directory = self.request("GET", self.directory_url).json
        return self._directory

    def nonce(self):
        """A nonce that nobody has used: from an earlier answer, or a fresh one."""
        return self.nonces.pop() if self.nonces else self.fresh_nonce()

    def fresh_nonce(self):
        self.request("HEAD", self.directory["newNonce"])
        return self.nonces.pop()

    # --- JWS ---

    def jws(self, url, payload, *, key=None, kid=_UNSET, alg=_UNSET, nonce=_UNSET, header=None, signature=None):
        """A flattened JWS as a dict. payload: None or b"" (POST-as-GET), bytes, or something for json.dumps."""
        key = key or self.key
        kid = self.kid if kid is _UNSET else kid
        protected = {"alg": key.alg if alg is _UNSET else alg,
                     "nonce": self.nonce() if nonce is _UNSET else nonce, "url": url}
        protected.update({"jwk": key.jwk} if kid is None else {"kid": kid})
        protected.update(header or {})
        protected = {name: value for name, value in protected.items() if value is not DROP}
        if payload is None:
            payload = b""
        elif not isinstance(payload, bytes):
            payload = compact(payload)
        first, second = b64url(compact(protected)), b64url(payload)
        if signature is None:
            signature = key.sign(f"{first}.{second}".encode())
        return {"protected": first, "payload": second, "signature": b64url(signature)}

    def post(self, url, payload=None, *, mutate=None, body=None, content_type=JOSE, headers=None, method="POST",
             nonce=_UNSET, **options):
        """A signed POST; the options are described at the head of this file."""
        for _ in range(4):
            sent = body
            if sent is None:
                jws = self.jws(url, payload, nonce=nonce, **options)
                if mutate is not None:
                    jws = mutate(jws) or jws
                sent = json.dumps(jws).encode()
            answer = self.request(method, url, sent, {"Content-Type": content_type, **(headers or {})})
            if answer.problem != "badNonce" or nonce is not _UNSET or body is not None:
                break
        return answer

    def get(self, url, **options):
        """POST-as-GET."""
        return self.post(url, b"", **options)

    # --- accounts ---

    def new_account(self, contact=None, terms=True, **options):
        payload = {"termsOfServiceAgreed": terms}
        if contact is not None:
            payload["contact"] = contact
        payload.update(options.pop("more", {}))
        answer = self.post(self.directory["newAccount"], payload, kid=None, **options)
        if answer.status in (200, 201):
            self.kid = answer.location
        return answer

    def update_account(self, payload, **options):
        return self.post(self.kid, payload, **options)

    def deactivate_account(self):
        return self.post(self.kid, {"status": "deactivated"})

    def key_change(self, new_key, *, inner_header=None, inner_payload=None, inner_signer=None, mutate_inner=None, **options):
        """On success the client goes on with the new key."""
        url = self.directory["keyChange"]
        payload = {"account": self.kid, "oldKey": self.key.jwk}
        payload.update(inner_payload or {})
        payload = {name: value for name, value in payload.items() if value is not DROP}
        signer = inner_signer or new_key
        inner = self.jws(url, payload, key=signer, kid=None,
                         alg=new_key.alg, nonce=DROP, header={"jwk": new_key.jwk, **(inner_header or {})})
        if mutate_inner is not None:
            inner = mutate_inner(inner) or inner
        answer = self.post(url, inner, **options)
        if answer.status == 200:
            self.key = new_key
        return answer

    # --- orders ---

    def new_order(self, names, **options):
        """names: dns names, or whole identifier objects. more={…}: further members of the payload."""
        identifiers = [n if isinstance(n, dict) else {"type": "dns", "value": n} for n in names]
        return self.post(self.directory["newOrder"], {"identifiers": identifiers, **options.pop("more", {})}, **options)

    def authorizations(self, order):
        """The authorization objects of an order (an Answer or its JSON), each with its own URL as "url"."""
        order = order.json if isinstance(order, Answer) else order
        return [{**self.get(url).json, "url": url} for url in order["authorizations"]]

    def key_authorization(self, token):
        return f"{token}.{self.key.thumbprint}"

    def dns_value(self, token):
        """What dns-01 wants in its TXT record."""
        return b64url(hashlib.sha256(self.key_authorization(token).encode()).digest())

    def respond(self, challenge, payload=None, **options):
        return self.post(challenge["url"], {} if payload is None else payload, **options)

    def deactivate_authorization(self, url):
        return self.post(url, {"status": "deactivated"})

    def wait(self, url, *statuses, timeout=60):
        """Polls an object until its status is one of those named, or final; returns the last answer."""
        deadline = time.monotonic() + timeout
        while True:
            answer = self.get(url)
            if answer.status != 200 or answer.json["status"] in (*statuses, "invalid", "deactivated", "expired", "revoked"):
                return answer
            if answer.json["status"] == "valid" or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)

    def finalize(self, order, csr, **options):
        """csr: DER, or anything else that is sent as it is."""
        order = order.json if isinstance(order, Answer) else order
        return self.post(order["finalize"], {"csr": b64url(csr) if isinstance(csr, bytes) else csr}, **options)

    def download(self, order, accept=None, **options):
        order = order.json if isinstance(order, Answer) else order
        return self.get(order["certificate"], headers={"Accept": accept}, **options)

    def revoke(self, certificate, reason=None, **options):
        """certificate: DER or x509.Certificate. With key= and kid=None: by the certificate's own key."""
        if isinstance(certificate, x509.Certificate):
            certificate = certificate.public_bytes(serialization.Encoding.DER)
        payload = {"certificate": b64url(certificate)}
        if reason is not None:
            payload["reason"] = reason
        return self.post(self.directory["revokeCert"], payload, **options)

    def issue(self, names, solve, leaf_key=None, challenge_type="http-01", **options):
        """The whole flow. solve(client, authz, challenge) publishes the response. Returns the chain."""
        order = self.new_order(names, **options)
        assert order.status == 201, order
        for authz in self.authorizations(order):
            if authz["status"] == "pending":
                challenge = pick(authz, challenge_type)
                solve(self, authz, challenge)
                answer = self.respond(challenge)
                assert answer.status == 200, answer
        ready = self.wait(order.location, "ready")
        assert ready.json["status"] == "ready", ready
        answer = self.finalize(order, make_csr(names, leaf_key))
        assert answer.status == 200, answer
        done = self.wait(order.location, "valid")
        assert done.json["status"] == "valid", done
        return certificates(self.download(done))


# --- pieces ---


def pick(authz, challenge_type):
    return next(c for c in authz["challenges"] if c["type"] == challenge_type)


def leaf_key(alg="ES256"):
    """A private key for a certificate."""
    return Key(alg).private


def make_csr(names, key=None, common_name=None, extensions=(), digest=hashes.SHA256):
    """DER. extensions: further (extension, critical) pairs."""
    subject = [] if common_name is None else [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    key = key or leaf_key()
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else digest()).public_bytes(
        serialization.Encoding.DER)


def certificates(answer):
    """The certificates of a download, the end-entity's first."""
    assert answer.status == 200, answer
    if answer.type == "application/pkix-cert":
        return [x509.load_der_x509_certificate(answer.body)]
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----\n.+?-----END CERTIFICATE-----\n", answer.body, re.S)
    return [x509.load_pem_x509_certificate(block) for block in blocks]
