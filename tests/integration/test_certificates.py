"""What is issued, how it is downloaded, how it is revoked, and that CAA is asked again before signing."""

import datetime
import hashlib
import json
import subprocess
import time

import pytest
from acme_client import Key, b64url, certificates, leaf_key, make_csr
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from steps import at_once_from_twins, fresh, issue, ready_order, uuid_of

DER = serialization.Encoding.DER


def assert_problem(answer, status, kind):
    assert (answer.status, answer.problem) == (status, kind), answer


def der(certificate):
    return certificate.public_bytes(DER)


def spki(key):
    return hashlib.sha256(key.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)).digest()


def serial_of(certificate):
    return certificate.serial_number.to_bytes(18, "big")


def row_of(db, certificate):
    return db.one("select revoked_at is not null, reason from assay.certificates where serial = %s", serial_of(certificate))


# --- what is issued --------------------------------------------------------------------------------------------------


KEYS = {"a P-256 key": lambda: leaf_key("ES256"), "a P-384 key": lambda: leaf_key("ES384"),
        "an RSA key": lambda: leaf_key("RS256"), "an RSA key of 3072 bits": lambda: rsa.generate_private_key(65537, 3072)}


@pytest.mark.parametrize("kind", KEYS)
def test_the_certificate_of_a_profile_without_options_for(client, dns, stack, db, kind, tmp_path):
    key, names = KEYS[kind](), sorted([fresh("profile"), "*." + fresh("profile")])
    # Whatever else a CSR asks for is not taken over.
    csr = make_csr(names, key, common_name=names[-1], extensions=[
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), True), (x509.BasicConstraints(False, None), True)])
    order, (leaf, *chain) = issue(client, dns, names, csr=csr)
    ours = {e.oid: (e.critical, e.value) for e in leaf.extensions}

    assert leaf.version is x509.Version.v3 and list(leaf.subject) == []
    critical, san = ours[ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
    assert critical and [type(n) for n in san] == [x509.DNSName, x509.DNSName]
    assert san.get_values_for_type(x509.DNSName) == names
    assert spki(leaf.public_key()) == spki(key.public_key())

    critical, usage = ours[ExtensionOID.KEY_USAGE]
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    assert critical and usage == x509.KeyUsage(True, False, is_rsa, False, False, False, False, False, False)
    critical, extended = ours[ExtensionOID.EXTENDED_KEY_USAGE]
    assert not critical and list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    critical, constraints = ours[ExtensionOID.BASIC_CONSTRAINTS]
    assert critical and not constraints.ca and constraints.path_length is None
    critical, policies = ours[ExtensionOID.CERTIFICATE_POLICIES]
    assert not critical and [p.policy_identifier.dotted_string for p in policies] == ["2.23.140.1.2.1"]
    issuer = chain[0]
    assert ours[ExtensionOID.AUTHORITY_KEY_IDENTIFIER][1].key_identifier == (
        issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest)
    assert set(ours) <= {ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
                         ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.CERTIFICATE_POLICIES,
                         ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
                         ExtensionOID.CRL_DISTRIBUTION_POINTS}

    # RFC 5280 section 4.1.2.5: both ends are included.
    valid_for = leaf.not_valid_after - leaf.not_valid_before + datetime.timedelta(seconds=1)
    assert valid_for == datetime.timedelta(days=90)
    now = datetime.datetime.utcnow()
    assert now - datetime.timedelta(hours=2) < leaf.not_valid_before <= now
    assert (leaf.serial_number.bit_length() + 7) // 8 == 18

    assert leaf.issuer == issuer.subject
    for name, certificate in (("leaf", leaf), ("issuer", issuer)):
        (tmp_path / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    host = [n for n in names if not n.startswith("*.")][0]
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host, "-CAfile",
                           stack["ISSUER_ROOT"], "-untrusted", tmp_path / "issuer.pem", tmp_path / "leaf.pem"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    # Recorded before it was signed, and once.
    rows = db.rows("select action, detail from assay.audit_log where object = %s order by at, action desc",
                   serial_of(leaf).hex())
    assert rows == [("certificate.reserve", uuid_of(order.location)),
                    ("certificate.issue", hashlib.sha256(der(leaf)).hexdigest())]
    assert db.one("select der = %s and tbs is null and spki_sha256 = %s from assay.certificates where serial = %s", der(leaf),
                  spki(key.public_key()), serial_of(leaf))


def test_the_chain_is_downloaded_in_the_format_that_is_asked_for(client, dns):
    order, (leaf, *chain) = issue(client, dns, [fresh("download")])
    chain_type, single_type = "application/pem-certificate-chain", "application/pkix-cert"
    for accept, kind in ((None, chain_type), ("*/*", chain_type), (chain_type, chain_type), (single_type, single_type),
                         (f"{single_type};q=0.5, {chain_type}", chain_type), (f"{chain_type};q=0, */*;q=0.1", single_type)):
        answer = client.download(order, accept)
        assert (answer.status, answer.type) == (200, kind), accept
        assert [der(c) for c in certificates(answer)] == [der(c) for c in ([leaf] if kind == single_type else [leaf, *chain])]
        assert answer.headers["Vary"] == "Accept" and answer.links("index")
    assert len(chain) == 1, "the root is not sent"
    assert_problem(client.download(order, "text/html"), 406, "malformed")
    assert_problem(client.post(order.json["certificate"], {}), 400, "malformed")


# --- CAA before signing ----------------------------------------------------------------------------------------------


def old_caa(db, order):
    """As if the order's authorizations had been validated nine hours ago."""
    for url in order.json["authorizations"]:
        db.rows("update assay.authorizations set caa_at = now() - interval '9 hours' where id = %s", uuid_of(url))


def test_before_signing_old_caa_results_are_looked_up_again_for_every_name(client, dns, db):
    names = sorted(fresh("again") for _ in range(5))
    order = ready_order(client, dns, names)
    old_caa(db, order)
    for name in names:
        dns("clear-request-history", host=name)
    client.finalize(order, make_csr(names))
    assert client.wait(order.location, "valid").json["status"] == "valid"
    for name in names:
        assert "CAA" in [h["type"] for h in dns("dns-request-history", host=name)]
    assert db.one("select bool_and(caa_at > now() - interval '1 minute') from assay.authorizations where id = any(%s::uuid[])",
                  [uuid_of(url) for url in order.json["authorizations"]])


def test_caa_that_now_forbids_one_of_many_names_ends_the_order_and_names_it(client, dns, db):
    names = sorted(fresh("forbidden") for _ in range(12))
    order = ready_order(client, dns, names)
    old_caa(db, order)
    dns("add-caa", host=names[7], policies=[{"tag": "issue", "value": ";"}])
    client.finalize(order, make_csr(names))
    failed = client.wait(order.location, "valid").json
    assert failed["status"] == "invalid" and failed["error"]["type"].endswith(":caa"), failed
    assert [s["identifier"]["value"] for s in failed["error"]["subproblems"]] == [names[7]]
    assert db.one("select count(*) from assay.certificates where order_id = %s", uuid_of(order.location)) == 0
    assert_problem(client.download({"certificate": order.location.replace("/order/", "/certificate/")}), 404, "malformed")


def test_caa_that_cannot_be_looked_up_again_is_no_permission(client, dns, db):
    name = fresh("servfail")
    order = ready_order(client, dns, [name])
    old_caa(db, order)
    dns("set-servfail", host=name)
    client.finalize(order, make_csr([name]))
    failed = client.wait(order.location, "valid", timeout=90).json
    assert failed["status"] == "invalid" and failed["error"]["type"].endswith(":dns"), failed


def test_fresh_caa_results_are_not_looked_up_again(client, dns):
    name = fresh("once")
    order = ready_order(client, dns, [name])
    dns("clear-request-history", host=name)
    client.finalize(order, make_csr([name]))
    assert client.wait(order.location, "valid").json["status"] == "valid"
    assert dns("dns-request-history", host=name) == []


# --- revocation ------------------------------------------------------------------------------------------------------


def test_the_account_revokes_its_certificate_once(client, dns, db):
    _, (leaf, *_) = issue(client, dns, [fresh("revoke")])
    for reason in (2, 6, 7, 8, 9, 10, 11, -1, 1000):
        assert_problem(client.revoke(leaf, reason), 400, "badRevocationReason")
    assert row_of(db, leaf) == (False, None)
    answer = client.revoke(leaf, 4)
    assert (answer.status, answer.body) == (200, b"") and answer.nonce
    assert row_of(db, leaf) == (True, 4)
    for reason in (None, 4, 1):
        assert_problem(client.revoke(leaf, reason), 400, "alreadyRevoked")
    assert row_of(db, leaf) == (True, 4)
    assert db.one("select count(*) from assay.audit_log where action = 'certificate.revoke' and object = %s",
                  serial_of(leaf).hex()) == 1


@pytest.mark.parametrize("bad", ["nothing", "no certificate", "PEM", "a byte too many", "a number as reason text"])
def test_a_revocation_is_malformed_with(client, dns, bad):
    _, (leaf, *_) = issue(client, dns, [fresh("revoke")])
    payload = {"nothing": {}, "no certificate": {"certificate": b64url(b"0\0")}, "PEM": {"certificate": "-----BEGIN"},
               "a byte too many": {"certificate": b64url(der(leaf) + b"\0")},
               "a number as reason text": {"certificate": b64url(der(leaf)), "reason": "1"}}[bad]
    assert_problem(client.post(client.directory["revokeCert"], payload), 400, "malformed")


def test_an_account_that_holds_every_name_now_may_end_the_former_use(client, new_client, dns, db):
    names = [fresh("taken"), "*." + fresh("taken")]
    _, (leaf, *_) = issue(client, dns, names)
    other = new_client()
    assert_problem(other.revoke(leaf), 403, "unauthorized")
    ready_order(other, dns, names[:1])
    assert_problem(other.revoke(leaf), 403, "unauthorized")
    ready_order(other, dns, names[1:])
    assert other.revoke(leaf, 1).status == 200
    assert row_of(db, leaf) == (True, 5), "it says nothing about the key"


def test_the_certificates_key_revokes_and_is_refused_from_then_on(client, new_client, dns, db):
    key, name = Key("ES256"), fresh("key")
    _, (leaf, *_) = issue(client, dns, [name], key.private)
    assert_problem(client.revoke(leaf, key=Key(), kid=None), 403, "unauthorized")
    assert_problem(client.revoke(leaf, key=client.key, kid=None), 403, "unauthorized")
    anybody = new_client(account=False)
    assert anybody.revoke(leaf, key=key, kid=None).status == 200
    assert row_of(db, leaf) == (True, 1)
    assert_problem(anybody.revoke(leaf, key=key, kid=None), 400, "alreadyRevoked")
    assert_problem(new_client(key, account=False).new_account(), 400, "badPublicKey")
    assert_problem(client.key_change(key), 400, "badPublicKey")
    order = client.new_order([name])
    assert_problem(client.finalize(order, make_csr([name], key.private)), 400, "badCSR")
    assert client.get(order.location).json["status"] == "ready"


def test_a_key_that_revokes_takes_the_certificates_of_others_with_it(client, new_client, dns, db):
    """The keeper finds them; one that was revoked for another reason becomes keyCompromise, too."""
    key, other = Key("ES256"), new_client()
    leaves = [issue(who, dns, [fresh("shared")], key.private)[1][0] for who in (client, other, other)]
    assert other.revoke(leaves[2], 4).status == 200
    assert new_client(account=False).revoke(leaves[0], 4, key=key, kid=None).status == 200
    end = time.monotonic() + 15
    while [row_of(db, leaf) for leaf in leaves] != [(True, 1)] * 3:
        assert time.monotonic() < end, [row_of(db, leaf) for leaf in leaves]
        time.sleep(0.1)
    assert db.one("select count(*) from assay.revocations where serial = any(%s)", [serial_of(leaf) for leaf in leaves]) == 4
    assert_problem(other.revoke(leaves[1]), 400, "alreadyRevoked")


def test_after_the_account_the_key_may_still_say_that_it_is_compromised(client, new_client, dns, db):
    key = Key("RS256")
    _, (leaf, *_) = issue(client, dns, [fresh("worse")], key.private)
    assert client.revoke(leaf, 4).status == 200
    assert new_client(account=False).revoke(leaf, key=key, kid=None).status == 200
    assert row_of(db, leaf) == (True, 1)


def test_a_forged_certificate_with_a_real_serial_revokes_nothing(client, dns, db):
    _, (leaf, issuer, *_) = issue(client, dns, [fresh("forged")])
    forger = ec.generate_private_key(ec.SECP256R1())
    forged = (x509.CertificateBuilder().subject_name(leaf.subject).issuer_name(leaf.issuer).public_key(forger.public_key())
              .serial_number(leaf.serial_number).not_valid_before(leaf.not_valid_before)
              .not_valid_after(leaf.not_valid_after).sign(forger, leaf.signature_hash_algorithm))
    spoilt = der(leaf)[:-1] + bytes([der(leaf)[-1] ^ 1])
    for answer in (client.revoke(forged), client.revoke(forged, key=Key(private=forger), kid=None), client.revoke(spoilt),
                   client.revoke(issuer)):
        assert_problem(answer, 404, "malformed")
    assert row_of(db, leaf) == (False, None)


def test_of_50_parallel_revocations_exactly_one_happens(client, dns, db):
    _, (leaf, *_) = issue(client, dns, [fresh("parallel")])
    answers = at_once_from_twins(client, 50, lambda c, i: c.revoke(leaf, 4))
    assert sorted(a.status for a in answers) == [200] + [400] * 49
    assert {a.problem for a in answers if a.status == 400} == {"alreadyRevoked"}
    assert db.one("select count(*) from assay.audit_log where action = 'certificate.revoke' and object = %s",
                  serial_of(leaf).hex()) == 1


def test_a_revoked_certificate_can_still_be_downloaded_and_its_order_stays_valid(client, dns):
    order, (leaf, *_) = issue(client, dns, [fresh("still")])
    assert client.revoke(leaf).status == 200
    assert client.get(order.location).json["status"] == "valid"
    assert client.download(order).status == 200


def test_an_authorization_that_ends_between_finalize_and_signing_is_noticed(client, dns, db, stack):
    """The signer believes only the rows of the moment: an order is made ready, then its authorization ends behind its back."""
    name = fresh("gone")
    order = ready_order(client, dns, [name])
    db.rows("update assay.authorizations set status = 5 where id = %s", uuid_of(order.json["authorizations"][0]))
    client.finalize(order, make_csr([name]))
    failed = client.wait(order.location, "valid").json
    assert failed["status"] == "invalid" and failed["error"]["type"].endswith(":unauthorized"), failed
    assert name in json.dumps(failed["error"])
    assert db.one("select count(*) from assay.certificates where order_id = %s", uuid_of(order.location)) == 0
