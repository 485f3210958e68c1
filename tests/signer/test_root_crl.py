"""The root's revocation list: made offline by assayctl root-crl, published by publish-crl and the keepers."""

import os
import subprocess

import pytest
from conftest import assayctl
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID

URL = "http://pki.example.org/root.crl"


@pytest.fixture
def offline(tmp_path):
    """A CA of its own, as assayctl init leaves it: root.key is where no program reads it."""
    assayctl("init", "--dir", f"{tmp_path}/etc", "--root-key", f"{tmp_path}/root.key", "--base-url", "https://acme.example.org",
             "--public-url", "http://pki.example.org")
    return tmp_path


def root_crl(offline, out, *words, **kwargs):
    return assayctl("root-crl", "--root", f"{offline}/etc/pki/root.pem", "--key", f"{offline}/root.key", "--out", f"{offline}/{out}",
                    *words, **kwargs)


def load(path):
    with open(path, "rb") as der:
        return x509.load_der_x509_crl(der.read())


def pem(path):
    with open(path, "rb") as text:
        return x509.load_pem_x509_certificate(text.read())


def number(crl):
    return crl.extensions.get_extension_for_oid(ExtensionOID.CRL_NUMBER).value.crl_number


def verify(offline, crl):
    """What openssl says of the issuing certificate, with this list of the root."""
    path = f"{offline}/checked.pem"
    with open(path, "wb") as out:
        out.write(crl.public_bytes(serialization.Encoding.PEM))
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", f"{offline}/etc/pki/root.pem", "-CRLfile", path,
                           f"{offline}/etc/pki/issuer.pem"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_init_makes_the_first_and_the_issuing_certificate_names_it(offline):
    crl, root = load(f"{offline}/etc/pki/root.crl"), pem(f"{offline}/etc/pki/root.pem")
    assert crl.is_signature_valid(root.public_key()) and not list(crl)
    # Twelve months at most, both ends included.
    assert (crl.next_update - crl.last_update).total_seconds() == 365 * 86400 - 1
    point = pem(f"{offline}/etc/pki/issuer.pem").extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS).value
    assert [name.value for name in point[0].full_name] == [URL] and len(point) == 1
    assert verify(offline, crl)[0] == 0
    with open(f"{offline}/etc/assay.conf", encoding="utf-8") as text:
        conf = text.read()
    assert "\ncrl_url = http://pki.example.org/main\n" in conf and "\nca_issuers_url = http://pki.example.org/main.cer\n" in conf


def test_an_intermediate_is_revoked_and_stays_so(offline):
    first = load(f"{offline}/etc/pki/root.crl")
    root_crl(offline, "second.crl", "--previous", f"{offline}/etc/pki/root.crl", "--revoke", f"{offline}/etc/pki/issuer.pem", "--reason",
             "cACompromise", "--days", "30")
    second = load(f"{offline}/second.crl")
    (entry,) = second
    assert entry.serial_number == pem(f"{offline}/etc/pki/issuer.pem").serial_number
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.ca_compromise
    assert number(second) > number(first)
    code, said = verify(offline, second)
    assert code != 0 and "certificate revoked" in said
    root_crl(offline, "third.crl", "--previous", f"{offline}/second.crl", "--days", "30")
    third = load(f"{offline}/third.crl")
    assert [(e.serial_number, e.revocation_date) for e in third] == [(entry.serial_number, entry.revocation_date)]
    assert number(third) > number(second)


def test_what_cannot_be_right_is_refused_and_leaves_no_file(offline, tmp_path):
    other = f"{tmp_path}/other"
    os.mkdir(other)
    assayctl("init", "--dir", f"{other}/etc", "--root-key", f"{other}/root.key", "--base-url", "https://other.example.org",
             "--public-url", "http://other.example.org")
    again = ["--previous", f"{offline}/second.crl", "--revoke", f"{offline}/etc/pki/issuer.pem"]
    root_crl(offline, "second.crl", "--revoke", f"{offline}/etc/pki/issuer.pem")
    for words, why in [
            (["--revoke", f"{other}/etc/pki/issuer.pem"], "was not issued by this root"),
            (["--previous", f"{other}/etc/pki/root.crl"], "is no list of this root"),
            (["--previous", f"{offline}/etc/pki/root.pem"], "is no list of this root"),
            (["--key", f"{other}/root.key"], "is not the key of"),
            (again, "is on the list before already"),
            (["--days", "366"], "from 1 to 365"),
            (["--days", "0"], "from 1 to 365"),
            (["--reason", "certificateHold"], "there is no reason"),
            (["--revoke", f"{offline}/missing.pem"], "cannot read")]:
        done = root_crl(offline, "bad.crl", *words, check=False)
        assert done.returncode != 0 and why in done.stderr, (words, done.stderr)
        assert not os.path.exists(f"{offline}/bad.crl")
    done = root_crl(offline, "second.crl", check=False)
    assert done.returncode != 0 and "second.crl" in done.stderr


def publish(ca, offline, path, url=URL, issuer="root", **kwargs):
    return assayctl("-c", ca.conf, "publish-crl", "--issuer", f"{offline}/etc/pki/{issuer}.pem", "--url", url, "--list", path, **kwargs)


def test_it_is_published_once_and_numbers_rise(ca, database, offline):
    url = f"http://pki.example.org/{os.path.basename(offline)}.crl"
    publish(ca, offline, f"{offline}/etc/pki/root.crl", url)
    row = database.one("SELECT * FROM crl_shards WHERE url = %s", url)
    parts = database("SELECT bytes FROM crl_parts WHERE shard_id = %s ORDER BY part", row.id)
    with open(f"{offline}/etc/pki/root.crl", "rb") as der:
        assert b"".join(bytes(p.bytes) for p in parts) == der.read()
    assert row.number == number(load(f"{offline}/etc/pki/root.crl")) and row.due_at is None
    done = publish(ca, offline, f"{offline}/etc/pki/root.crl", url, check=False)
    assert done.returncode != 0 and "this number or a higher one" in done.stderr
    root_crl(offline, "next.crl", "--previous", f"{offline}/etc/pki/root.crl", "--revoke", f"{offline}/etc/pki/issuer.pem")
    publish(ca, offline, f"{offline}/next.crl", url)
    assert database.one("SELECT number FROM crl_shards WHERE url = %s", url).number == number(load(f"{offline}/next.crl"))
    said = assayctl("-c", ca.conf, "status").stdout
    assert f"{os.path.basename(offline)}.crl" in said and "1 lists" in said


def test_a_list_of_another_program_is_published_too(ca, database, offline, tmp_path):
    """openssl ca: not in order of serial, with dates of invalidity."""
    folder = f"{tmp_path}/openssl"
    os.mkdir(folder)
    for name, text in {"index.txt": "", "crlnumber": "1000\n", "ca.cnf":
                       "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ncrlnumber = crlnumber\ndefault_md = sha384\ndefault_crl_days = 90\n"
                       "crl_extensions = e\n[e]\nauthorityKeyIdentifier = keyid:always\n"}.items():
        with open(f"{folder}/{name}", "w", encoding="ascii") as out:
            out.write(text)
    with open(f"{folder}/index.txt", "w", encoding="ascii") as out:
        for serial, why in (("7F01", "keyTime,20260101000000Z"), ("0102", "superseded"), ("55", "cessationOfOperation")):
            out.write(f"R\t360101000000Z\t260601000000Z,{why}\t{serial}\tunknown\t/CN={serial}\n")
    subprocess.run(["openssl", "ca", "-config", "ca.cnf", "-gencrl", "-cert", f"{offline}/etc/pki/root.pem", "-keyfile",
                    f"{offline}/root.key", "-out", "crl.pem"], cwd=folder, check=True, capture_output=True)
    subprocess.run(["openssl", "crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der"], cwd=folder, check=True, capture_output=True)
    url = f"http://pki.example.org/{os.path.basename(tmp_path)}-openssl.crl"
    publish(ca, offline, f"{folder}/crl.der", url)
    assert database.one("SELECT number, entries FROM crl_shards WHERE url = %s", url) == (0x1000, 3)
    # Taken over into a list of ours.
    root_crl(offline, "ours.crl", "--previous", f"{folder}/crl.der")
    assert sorted(e.serial_number for e in load(f"{offline}/ours.crl")) == [0x55, 0x102, 0x7F01]


def test_what_is_not_fit_is_not_published(ca, database, offline, tmp_path):
    before = database.one("SELECT count(*) FROM crl_shards").count
    junk = f"{tmp_path}/junk.crl"
    with open(f"{offline}/etc/pki/root.crl", "rb") as der:
        data = der.read()
    with open(junk, "wb") as out:
        out.write(data[:-1] + bytes([data[-1] ^ 1]))
    for path, issuer, url, why in [
            (junk, "root", URL, "crl_signature"),
            (f"{offline}/etc/pki/root.crl", "issuer", URL, "crl_issuer"),
            (f"{offline}/etc/pki/root.pem", "root", URL, "crl_structure"),
            (f"{offline}/etc/pki/root.crl", "root", "http://pki.example.org/../root.crl", "plain path"),
            (f"{offline}/etc/pki/root.crl", "root", "https://pki.example.org/root.crl", "plain path"),
            (f"{offline}/etc/pki/root.crl", "root", "http://pki.example.org", "plain path")]:
        done = publish(ca, offline, path, url, issuer, check=False)
        assert done.returncode != 0 and why in done.stderr, (path, done.stderr)
    assert database.one("SELECT count(*) FROM crl_shards").count == before
