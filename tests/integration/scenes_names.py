"""dns-01, tls-alpn-01 (RFC 8737) and CAA (RFC 8659, RFC 8657): records and certificates of every kind."""

import hashlib

from acme_client import Key, b64url
from cryptography import x509
from responders import AlpnAnswer
from scene import Invalid, Valid, case, dns01, http01, tlsalpn01
from steps import fresh


# --- dns-01 ----------------------------------------------------------------------------------------------------------


@dns01
def the_right_record_among_others(w):
    w.txt("something", "x" * 600, b64url(w.digest), "else")
    return Valid()


@dns01
def the_record_behind_an_alias(w):
    target = fresh("alias")
    w.dns("set-cname", host="_acme-challenge." + w.name, target=target)
    w.dns("set-txt", host=target, value=b64url(w.digest))
    return Valid()


@dns01
def the_record_for_the_key_of_the_moment_of_the_response(w):
    """RFC 8555 section 8.1: a key change afterwards does not matter."""
    def then():
        assert w.client.key_change(Key()).status == 200
        w.txt(b64url(w.digest))
    w.then = then
    return Valid(tries=None)


@dns01
def a_wrong_record(w):
    w.txt(b64url(hashlib.sha256(b"x").digest()))
    return Invalid("incorrectResponse", "none of which", 4)


@dns01
def the_key_authorization_itself(w):
    w.txt(w.good)
    return Invalid("incorrectResponse")


@dns01
def no_record(w):
    return Invalid("dns", "no TXT record", 4)


@dns01
def a_challenge_zone_that_fails(w):
    w.dns("set-servfail", host="_acme-challenge." + w.name)
    return Invalid("dns", "SERVFAIL", 4)


# --- tls-alpn-01 -----------------------------------------------------------------------------------------------------


def alpn(w, **options):
    w.tls.answers[w.name] = AlpnAnswer(**{"digest": w.digest, **options})


@tlsalpn01
def the_certificate_of_rfc_8737_proves_control(w):
    alpn(w)
    w.seen = lambda: w.name in w.tls.hellos
    return Valid()


@tlsalpn01
def a_certificate_with_the_wrong_oid(w):
    alpn(w, oid="1.3.6.1.5.5.7.1.30.1")  # of a draft
    return Invalid("incorrectResponse", "acmeIdentifier", 4)


@tlsalpn01
def a_certificate_without_the_extension(w):
    alpn(w, extension=False)
    return Invalid("incorrectResponse", "acmeIdentifier")


@tlsalpn01
def a_certificate_whose_extension_is_not_critical(w):
    alpn(w, critical=False)
    return Invalid("incorrectResponse", "critical")


@tlsalpn01
def a_certificate_with_two_names(w):
    alpn(w, sans=(w.name, "other.proto.test"))
    return Invalid("incorrectResponse")


@tlsalpn01
def a_certificate_with_a_name_and_a_mail_address(w):
    alpn(w, sans=(w.name, x509.RFC822Name("a@proto.test")))
    return Invalid("incorrectResponse")


@tlsalpn01
def a_certificate_with_another_name(w):
    alpn(w, sans=("other.proto.test",))
    return Invalid("incorrectResponse", "other.proto.test")


@tlsalpn01
def a_certificate_with_a_wildcard(w):
    alpn(w, sans=("*." + w.name.split(".", 1)[1],))
    return Invalid("incorrectResponse")


@tlsalpn01
def a_certificate_without_names(w):
    alpn(w, sans=())
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_of_31_bytes(w):
    alpn(w, digest=w.digest[:31])
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_of_something_else(w):
    alpn(w, digest=hashlib.sha256(b"x").digest())
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_with_bytes_behind_it(w):
    alpn(w, content=b"\x04\x20" + w.digest + b"\0")
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_without_its_octet_string(w):
    alpn(w, content=w.digest)
    return Invalid("incorrectResponse")


@tlsalpn01
def a_server_of_tls_1_1(w):
    alpn(w, tls="1.1")
    return Invalid("tls", "", 4)


@tlsalpn01
def a_server_that_ignores_alpn(w):
    alpn(w, alpn=())
    return Invalid("tls", "acme-tls/1")


@tlsalpn01
def a_server_of_another_protocol(w):
    alpn(w, alpn=("h2", "http/1.1"))
    return Invalid("tls", "acme-tls/1")


@tlsalpn01
def a_server_that_closes_at_once(w):
    return Invalid("tls connection")


@tlsalpn01
def a_server_that_never_finishes_the_handshake(w):
    alpn(w, hang=True)
    return Invalid("tls connection", "timeout", 4)


@tlsalpn01
def a_tls_server_at_a_forbidden_address(w):
    alpn(w)
    w.a("0.0.0.0")
    w.seen = lambda: w.name not in w.tls.hellos
    return Invalid("connection", "0.0.0.0", 1)


# --- CAA -------------------------------------------------------------------------------------------------------------


def proven(w):
    """The challenge itself is met; what is left is CAA."""
    w.answer(w.good.encode())
    w.txt(b64url(w.digest))


def caa_case(function):
    def scene(w):
        proven(w)
        return function(w)
    scene.__name__ = function.__name__
    return scene


@http01
@caa_case
def caa_that_permits_us(w):
    w.caa((0, "issue", "other.example"), (0, "issue", "assay.test"))
    return Valid()


@http01
@caa_case
def caa_that_permits_our_account_and_method(w):
    w.caa((0, "issue", f"assay.test; validationmethods=http-01,dns-01; accounturi={w.client.kid}"))
    return Valid()


@http01
@caa_case
def caa_with_an_unknown_tag_that_is_not_critical(w):
    w.caa((0, "tbs", "unknown"), (0, "iodef", "mailto:a@proto.test"))
    return Valid()


@http01
@caa_case
def caa_for_wildcards_does_not_concern_other_names(w):
    w.caa((0, "issuewild", ";"))
    return Valid()


@http01
@caa_case
def caa_that_permits_nobody(w):
    w.caa((0, "issue", ";"))
    return Invalid("caa", "forbids every CA", 1)


@http01
@caa_case
def caa_that_permits_another_ca(w):
    w.caa((0, "issue", "other.example"))
    return Invalid("caa", "permits another CA", 1)


@http01
@caa_case
def caa_that_is_malformed(w):
    w.caa((0, "issue", "assay.test; %%%"))
    return Invalid("caa", "malformed", 1)


@http01
@caa_case
def caa_with_an_unknown_tag_that_is_critical(w):
    w.caa((128, "tbs", "unknown"), (0, "issue", "assay.test"))
    return Invalid("caa", "critical", 1)


@http01
@caa_case
def caa_that_permits_another_account(w):
    w.caa((0, "issue", "assay.test; accounturi=https://localhost/acme/account/AAAAAAAAAAAAAAAAAAAAAA"))
    return Invalid("caa", "accounturi", 1)


@http01
@caa_case
def caa_that_permits_another_method(w):
    w.caa((0, "issue", "assay.test; validationmethods=dns-01"))
    return Invalid("caa", "validationmethods", 1)


@dns01
@caa_case
def caa_that_permits_this_method(w):
    w.caa((0, "issue", "assay.test; validationmethods=dns-01"))
    return Valid()


@case("dns-01", wildcard=True)
@caa_case
def caa_that_permits_nobody_a_wildcard(w):
    w.caa((0, "issue", "assay.test"), (0, "issuewild", ";"))
    return Invalid("caa", "forbids every CA", 1)


@case("dns-01", wildcard=True)
@caa_case
def caa_that_permits_us_a_wildcard_alone(w):
    w.caa((0, "issue", ";"), (0, "issuewild", "assay.test"))
    return Valid()
