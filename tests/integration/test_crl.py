"""Revocation lists as clients get them: from the URL that a certificate names, over plain HTTP, from the running stack."""

import http.client
import subprocess
import time
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID
from responders import until
from steps import fresh, issue

# crl.delay of the stack, a sweep to collect, one to queue, one to publish, and the making.
SHOWN_SECS = 2 + 3 * 3 + 5


def fetch(url, method="GET", headers=None, body=None):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request(method, parts.path, body=body, headers=headers or {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data


def crl_url(certificate):
    (point,) = certificate.extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS).value
    (name,) = point.full_name
    return name.value


def listed(certificate):
    return x509.load_der_x509_crl(fetch(crl_url(certificate))[2]).get_revoked_certificate_by_serial_number(
        certificate.serial_number) is not None


def verify(stack, folder, leaf, issuer, *crls):
    """openssl verify of the whole chain, every certificate checked against its list."""
    def pem(name, *things):
        with open(f"{folder}/{name}", "wb") as out:
            out.writelines(thing.public_bytes(serialization.Encoding.PEM) for thing in things)
        return f"{folder}/{name}"

    done = subprocess.run(["openssl", "verify", "-x509_strict", "-crl_check_all", "-extended_crl", "-CAfile", stack["ISSUER_ROOT"],
                           "-untrusted", pem("issuer.pem", issuer), "-CRLfile", pem("crls.pem", *crls), pem("leaf.pem", leaf)],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_a_certificate_names_is_there_and_verifies(stack, client, dns, tmp_path):
    _, (leaf, issuer, *_) = issue(client, dns, [fresh("crl")])
    assert crl_url(leaf).startswith(stack["PUBLIC_URL"] + "/main/")
    status, headers, data = fetch(crl_url(leaf))
    assert status == 200 and headers["content-type"] == "application/pkix-crl"
    assert headers["cache-control"] == "max-age=300" and "etag" in headers and "last-modified" in headers
    crl = x509.load_der_x509_crl(data)
    point = crl.extensions.get_extension_for_oid(ExtensionOID.ISSUING_DISTRIBUTION_POINT)
    assert [name.value for name in point.value.full_name] == [crl_url(leaf)] and point.critical
    root = x509.load_der_x509_crl(fetch(crl_url(issuer))[2])
    code, said = verify(stack, tmp_path, leaf, issuer, crl, root)
    assert code == 0, said
    # Nothing to be had without them: the check is really made.
    assert verify(stack, tmp_path, leaf, issuer, root)[0] != 0 and verify(stack, tmp_path, leaf, issuer, crl)[0] != 0


def test_a_revocation_shows_within_the_delay(stack, client, dns, tmp_path):
    _, (leaf, issuer, *_) = issue(client, dns, [fresh("crl")])
    assert not listed(leaf)
    assert client.revoke(leaf, 4).status == 200
    began = time.monotonic()
    assert until(lambda: listed(leaf), 2 * SHOWN_SECS)
    assert time.monotonic() - began < SHOWN_SECS
    crl = x509.load_der_x509_crl(fetch(crl_url(leaf))[2])
    code, said = verify(stack, tmp_path, leaf, issuer, crl, x509.load_der_x509_crl(fetch(crl_url(issuer))[2]))
    assert code != 0 and "certificate revoked" in said
    entry = crl.get_revoked_certificate_by_serial_number(leaf.serial_number)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.superseded


def test_the_issuing_certificate_is_where_certificates_say(client, dns):
    _, (leaf, issuer, *_) = issue(client, dns, [fresh("aia")])
    access = leaf.extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_INFORMATION_ACCESS).value
    (url,) = [one.access_location.value for one in access if one.access_method == AuthorityInformationAccessOID.CA_ISSUERS]
    status, headers, data = fetch(url)
    assert status == 200 and headers["content-type"] == "application/pkix-cert"
    assert x509.load_der_x509_certificate(data) == issuer


def test_only_files_are_served_and_only_read(stack, client, dns):
    _, (leaf, *_) = issue(client, dns, [fresh("http")])
    url = crl_url(leaf)
    status, headers, data = fetch(url)
    assert fetch(url, "HEAD")[0] == 200 and fetch(url, "HEAD")[2] == b""
    assert fetch(url, headers={"If-None-Match": headers["etag"]})[0] == 304
    assert fetch(url, headers={"If-Modified-Since": headers["last-modified"]})[0] == 304
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert fetch(url, method, body=b"x")[0] in (403, 405)
    base = stack["PUBLIC_URL"]
    for path in ("/", "/main/", "/main", "/.new/", "/.new/x", "/main/0.crl", "/main/../root.crl/", "/%2e%2e/etc/assay.conf", "/x"):
        assert fetch(base + path)[0] in (301, 400, 403, 404), path
        assert not fetch(base + path)[2].startswith(b"0\x82")
    assert fetch(url)[2] == data


def test_status_shows_how_old_lists_are(stack):
    said = subprocess.run([stack["ASSAYCTL"], "-c", stack["ASSAY_CONF"], "status"], capture_output=True, text=True, check=True).stdout
    lines = said.split("revocation lists\n", 1)[1].splitlines()
    main = next(line for line in lines if line.strip().startswith("main"))
    assert "32 lists" in main and "oldest" in main and "ends in" in main and "NOT MADE" not in main and "OVERDUE" not in main
    assert any(line.strip().startswith("root.crl") for line in lines)
