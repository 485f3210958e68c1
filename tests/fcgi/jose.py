"""Signed ACME requests (RFC 8555 section 6.2), for tests: every member can be left out or replaced."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key:
    """An ES256 account key."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.jwk = {"crv": "P-256", "kty": "EC", "x": b64url(numbers.x.to_bytes(32, "big")),
                    "y": b64url(numbers.y.to_bytes(32, "big"))}

    @property
    def canonical(self):
        return json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))

    @property
    def thumbprint(self):
        return hashlib.sha256(self.canonical.encode()).digest()

    def sign(self, data):
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def request(self, url, nonce, payload=b"", kid=None, break_signature=False, **header):
        """The body of a POST. Header members given as None are left out."""
        protected = {"alg": "ES256", "nonce": nonce, "url": url,
                     **({"kid": kid} if kid else {"jwk": self.jwk}), **header}
        protected = {name: value for name, value in protected.items() if value is not None}
        head, body = b64url(json.dumps(protected).encode()), b64url(payload)
        signature = self.sign(f"{head}.{body}".encode())
        if break_signature:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        return json.dumps({"protected": head, "payload": body, "signature": b64url(signature)}).encode()
