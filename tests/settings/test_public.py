from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.mail import Rate
from bulkmail.settings.public import ListenAt, Public, parse_listen
from bulkmail.settings.values import Reading

URL = "https://mail.example.com"
PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def read(folder="", **given):
    return Public.model_validate({"url": URL, **given}, context=Reading(str(folder)))


def refused(folder="", **given):
    with pytest.raises(ValidationError) as caught:
        read(folder, **given)
    return str(caught.value)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "cert.pem").write_text(PEM)
    (tmp_path / "key.pem").write_text("x")
    (tmp_path / "key.pem").chmod(0o600)
    (tmp_path / "texts").mkdir()
    return tmp_path


def test_the_defaults():
    public = read()
    assert public.place == ListenAt("", "127.0.0.1", 8026)
    assert (public.name, public.texts, public.tls) == ("", None, None)
    assert public.trusted_proxies == ("127.0.0.0/8", "::1/128")
    assert public.client_rate == Rate(20, 1.0, 200)
    with pytest.raises(ValidationError, match="url"):
        Public.model_validate({}, context=Reading(""))


@pytest.mark.parametrize(
    ("text", "place", "loopback"),
    [
        ("127.0.0.1:8026", ListenAt("", "127.0.0.1", 8026), True),
        ("[::1]:80", ListenAt("", "::1", 80), True),
        ("0.0.0.0:443", ListenAt("", "0.0.0.0", 443), False),
        ("[::]:443", ListenAt("", "::", 443), False),
        ("unix:/run/bulkmail/public.sock", ListenAt("/run/bulkmail/public.sock"), True),
    ],
)
def test_where_it_listens(text, place, loopback):
    assert parse_listen(text) == place
    assert place.loopback is loopback


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8026", "must be an address and a port"),
        ("localhost:8026", "is not an IP address"),
        ("::1:80", "must be an address and a port"),
        ("127.0.0.1:0", "the port must be from 1 to 65535"),
        ("127.0.0.1:70000", "the port must be from 1 to 65535"),
        ("unix:", "must name a file or folder"),
        ("unix:/" + "x" * 100, "is too long for the name of a socket"),
    ],
)
def test_where_it_cannot_listen(text, words):
    assert words in refused(listen=text)


def test_a_socket_is_beside_the_settings(tmp_path):
    assert read(tmp_path, listen="unix:public.sock").place.path == f"{tmp_path}/public.sock"


@pytest.mark.parametrize("listen", ["0.0.0.0:8026", "192.0.2.1:443", "[::]:443"])
def test_without_tls_it_is_for_this_machine_alone(site, listen):
    assert "without TLS everybody on the way could read the links" in refused(listen=listen)
    tls = {"certificate": "cert.pem", "key": "key.pem"}
    assert read(site, listen=listen, tls=tls).tls.certificate == f"{site}/cert.pem"


@pytest.mark.parametrize(
    ("url", "known"),
    [
        (URL, URL),
        ("https://Mail.Example.com/", URL),
        ("HTTPS://mail.example.com:8443", "https://mail.example.com:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_the_beginning_of_the_links(url, known):
    assert read(url=url).url == known


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.com",
        "mail.example.com",
        f"{URL}/u/",
        f"{URL}?x",
        "https://u:p@x.example",
        "https://a b.example",
    ],
)
def test_links_are_https_and_a_host_alone(url):
    assert "must be https:// and a host name alone" in refused(url=url)


def test_files_are_looked_at(site):
    assert "holds no certificate in PEM form" in refused(site, tls={"certificate": "key.pem", "key": "key.pem"})
    assert "does not exist" in refused(site, tls={"certificate": "none.pem", "key": "key.pem"})
    assert "does not exist" in refused(site, tls={"certificate": "cert.pem", "key": "none.pem"})
    assert read(site, texts="texts").texts == f"{site}/texts"
    assert "is not a folder" in refused(site, texts="cert.pem")
