"""http-01 (RFC 8555 section 8.3): what proves control, what does not, and where the validator must not go."""

from acme_client import Key
from responders import WebAnswer
from scene import Invalid, Valid, http01
from steps import fresh


@http01
def the_key_authorization_proves_control(w):
    w.answer(w.good.encode())
    return Valid()


@http01
def white_space_behind_it_is_ignored(w):
    w.answer(w.good.encode() + b" \r\n\t\n")
    return Valid()


@http01
def a_chunked_answer_is_read(w):
    w.answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(w.good), w.good.encode()))
    return Valid()


@http01
def redirects_of_every_kind_are_followed(w):
    names = [w.name] + [fresh("hop") for _ in range(4)]
    for here, there, status in zip(names, names[1:], (301, 302, 307, 308)):
        w.web.answers[here] = WebAnswer(status=status, location=f"http://{there}:{w.web.port}/from/{here}?a=b")
    w.web.answers[names[-1]] = WebAnswer(w.good.encode())
    return Valid()


@http01
def a_relative_redirect_is_followed(w):
    w.web.answers[w.name] = lambda path: (WebAnswer(w.good.encode()) if path == "/elsewhere" else
                                          WebAnswer(status=302, location="/elsewhere"))
    return Valid()


@http01
def an_ipv6_address_that_does_not_answer_is_no_obstacle(w):
    w.dns("add-aaaa", host=w.name, addresses=["::1"])
    w.answer(w.good.encode())
    return Valid()


@http01
def a_wrong_answer_that_becomes_right_is_valid_at_the_next_try(w):
    w.web.answers[w.name] = lambda path: WebAnswer(w.good.encode() if w.asked() > 1 else b"not yet")
    return Valid(tries=2)


@http01
def a_server_that_comes_late_is_valid_at_the_next_try(w):
    w.a("127.0.0.2")
    w.web.answers[w.name] = WebAnswer(w.good.encode())
    w.soon = lambda: w.a("127.0.0.1")
    return Valid(tries=2)


@http01
def the_thumbprint_of_another_account_key(w):
    w.answer(f"{w.token}.{Key().thumbprint}".encode())
    return Invalid("incorrectResponse", "another account key", 4)


@http01
def the_token_alone(w):
    w.answer(w.token.encode())
    return Invalid("incorrectResponse", "token alone", 4)


@http01
def the_key_authorization_with_something_in_front(w):
    w.answer(b" " + w.good.encode())
    return Invalid("incorrectResponse")


@http01
def the_key_authorization_and_more(w):
    w.answer(w.good.encode() + b"x")
    return Invalid("incorrectResponse")


@http01
def an_empty_body(w):
    w.answer(b"")
    return Invalid("incorrectResponse", "empty body")


@http01
def a_body_without_an_end(w):
    w.answer(drip=True)
    return Invalid("connection", "timeout")


@http01
def a_body_of_ten_megabytes(w):
    w.answer(b"x" * 10_000_000)
    return Invalid("incorrectResponse")


@http01
def a_body_that_is_shorter_than_announced(w):
    w.answer(w.good.encode(), headers={"Content-Length": "1000"})
    return Invalid("incorrectResponse connection")


@http01
def status_404_with_the_right_body(w):
    w.answer(w.good.encode(), status=404)
    return Invalid("incorrectResponse", "status 404", 4)


@http01
def status_500(w):
    w.answer(w.good.encode(), status=500)
    return Invalid("incorrectResponse", "status 500")


@http01
def a_redirect_by_303(w):
    w.redirect(f"http://{w.name}:{w.web.port}/x", status=303)
    return Invalid("incorrectResponse", "not followed")


@http01
def a_redirect_to_this_network(w):
    w.redirect(f"http://0.0.0.0:{w.web.port}/")
    return Invalid("connection", "0.0.0.0", 1)


@http01
def a_redirect_to_a_mapped_address(w):
    w.redirect(f"http://[::ffff:127.0.0.1]:{w.web.port}/")
    return Invalid("connection", "", 1)


@http01
def a_redirect_to_the_cloud_metadata(w):
    w.redirect("http://169.254.169.254/latest/meta-data/")
    return Invalid("connection", "link-local", 1)


@http01
def a_redirect_to_a_private_address(w):
    w.redirect(f"http://10.0.0.1:{w.web.port}/")
    return Invalid("connection", "private", 1)


@http01
def a_redirect_to_an_address_written_as_a_number(w):
    w.redirect(f"http://2130706433:{w.web.port}/")
    return Invalid("connection dns")


@http01
def a_redirect_to_a_name_that_leads_inside(w):
    inside = fresh("inside")
    w.dns("add-a", host=inside, addresses=["0.0.0.0"])
    w.redirect(f"http://{inside}:{w.web.port}/")
    w.seen = lambda: w.asked(inside) == 0
    return Invalid("connection", "0.0.0.0", 1)


@http01
def a_redirect_to_another_port(w):
    w.redirect(f"http://{w.name}:22/")
    return Invalid("connection", "port", 1)


@http01
def a_redirect_to_another_scheme(w):
    w.redirect("ftp://" + w.name + "/")
    return Invalid("connection", "", 1)


@http01
def a_redirect_to_a_file(w):
    w.redirect("file:///etc/passwd")
    return Invalid("connection", "", 1)


@http01
def a_redirect_with_a_password(w):
    w.redirect(f"http://user:pass@{w.name}:{w.web.port}/")
    return Invalid("connection", "", 1)


@http01
def a_redirect_loop(w):
    w.redirect(f"http://{w.name}:{w.web.port}/loop")
    return Invalid("connection", "loop", 1)


@http01
def eleven_redirects(w):
    w.web.answers[w.name] = lambda path: WebAnswer(status=302, location=f"http://{w.name}:{w.web.port}/{w.asked()}")
    w.seen = lambda: w.asked() == 11
    return Invalid("connection", "one redirect too many", 1)


@http01
def an_address_outside_of_what_is_allowed(w):
    w.a("0.0.0.0")
    w.answer(w.good.encode())
    w.seen = lambda: w.asked() == 0
    return Invalid("connection", "0.0.0.0", 1)


@http01
def a_mapped_address_outside_of_what_is_allowed(w):
    w.a()
    w.dns("add-aaaa", host=w.name, addresses=["::ffff:127.0.0.1"])
    w.answer(w.good.encode())
    w.seen = lambda: w.asked() == 0
    return Invalid("connection", "IPv4-mapped", 1)


@http01
def private_addresses_only(w):
    w.a("10.0.0.1", "192.168.0.1", "172.16.0.1")
    w.dns("add-aaaa", host=w.name, addresses=["fd00::1", "fe80::1"])
    return Invalid("connection", "", 1)


@http01
def nobody_listens(w):
    w.a("127.0.0.2")
    return Invalid("connection", "refused", 4)


@http01
def a_server_that_says_nothing(w):
    w.answer(hang=True)
    return Invalid("connection", "timeout", 4)


@http01
def a_server_that_speaks_no_http(w):
    w.answer(raw=b"220 mail ESMTP\r\n")
    return Invalid("incorrectResponse connection")


@http01
def a_header_of_a_megabyte(w):
    w.answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 170_000 + b"\r\n" + w.good.encode())
    return Invalid("incorrectResponse connection")


@http01
def no_addresses(w):
    w.a()
    return Invalid("dns", "no A or AAAA records", 4)


@http01
def a_name_that_does_not_exist(w):
    w.dns("set-nxdomain", host=w.name)
    return Invalid("dns", "NXDOMAIN", 4)


@http01
def a_zone_that_fails(w):
    w.dns("set-servfail", host=w.name)
    return Invalid("dns", "SERVFAIL", 4)


@http01
def a_zone_that_does_not_answer(w):
    w.dns("set-delay", host=w.name, seconds=-1)
    return Invalid("dns", "", 4)
