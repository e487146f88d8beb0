from __future__ import annotations

import pytest
from OpenSSL import SSL

from bulkmail.net.tls import TlsContexts, tls_fault
from bulkmail.smtp import TlsMode


def shake(client: SSL.Connection, server: SSL.Connection) -> None:
    """Both sides of a handshake in memory, until both are done."""
    client.set_connect_state()
    server.set_accept_state()
    open_sides = [(client, server), (server, client)]
    for _ in range(10):
        for side, other in list(open_sides):
            try:
                side.do_handshake()
                open_sides.remove((side, other))
            except SSL.WantReadError:
                pass
            try:
                while True:
                    other.bio_write(side.bio_read(65536))
            except SSL.WantReadError:
                pass
        if not open_sides:
            return
    raise AssertionError("no handshake")


def connect(kit, contexts: TlsContexts, mode: TlsMode, host: str, **server):
    handshake = contexts.handshake(mode, host)
    client = handshake.clientConnectionForTLS(None)
    tls = kit.ServerTls(kit.pem, **server)
    shake(client, tls.serverConnectionForTLS(None))
    return handshake, client, tls


def test_one_context_for_each_policy(kit):
    contexts = TlsContexts(kit.pem)
    made = {
        mode: {contexts.handshake(mode, host).clientConnectionForTLS(None).get_context() for host in ("a.example", "b")}
        for mode in TlsMode
    }
    assert all(len(found) == 1 for found in made.values())
    assert made[TlsMode.REQUIRED] == made[TlsMode.OPPORTUNISTIC] != made[TlsMode.VERIFY]


@pytest.mark.parametrize("mode", [TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED])
def test_unverified_takes_any_certificate_and_names_the_host(kit, mode):
    handshake, client, tls = connect(kit, TlsContexts(), mode, "other.example")
    assert handshake.objection(client) == ""
    assert tls.name == b"other.example"
    assert client.get_protocol_version_name() == "TLSv1.3"


def test_no_name_is_sent_for_a_host_without_an_ascii_name(kit):
    for host in ("", "grüße.example"):
        _, _, tls = connect(kit, TlsContexts(), TlsMode.OPPORTUNISTIC, host)
        assert tls.name is None


def test_verify_wants_the_chain_and_the_name(kit):
    handshake, client, _ = connect(kit, TlsContexts(kit.pem), TlsMode.VERIFY, "mx.example")
    assert handshake.objection(client) == ""
    handshake, client, _ = connect(kit, TlsContexts(kit.pem), "verify", "other.example")
    assert handshake.objection(client) == "the certificate is not for other.example"
    with pytest.raises(SSL.Error) as caught:
        connect(kit, TlsContexts(), TlsMode.VERIFY, "mx.example")
    assert tls_fault(caught.value) == "certificate verify failed"


def test_verify_objects_to_what_it_cannot_check(kit):
    handshake, client, _ = connect(kit, TlsContexts(kit.pem), TlsMode.VERIFY, "mx.example")
    strange = TlsContexts(kit.pem).handshake(TlsMode.VERIFY, "")
    assert strange.objection(client).startswith("the certificate cannot be checked")
    fresh = handshake.clientConnectionForTLS(None)
    assert handshake.objection(fresh) == "the server showed no certificate"


def test_tls_1_1_is_not_spoken_and_1_2_is(kit):
    _, client, _ = connect(kit, TlsContexts(), TlsMode.OPPORTUNISTIC, "mx.example", newest=SSL.TLS1_2_VERSION)
    assert client.get_protocol_version_name() == "TLSv1.2"
    with pytest.raises(SSL.Error):
        connect(kit, TlsContexts(), TlsMode.OPPORTUNISTIC, "mx.example", newest=SSL.TLS1_1_VERSION)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SSL.Error([("SSL routines", "", "wrong version number"), ("", "", "")]), "wrong version number"),
        (SSL.Error([]), "[]"),
        (SSL.Error(), "Error"),
        (SSL.SysCallError(-1, "Unexpected EOF"), "(-1, 'Unexpected EOF')"),
        (ValueError("plain"), "plain"),
        (None, "None"),
    ],
)
def test_words_of_an_error(error, words):
    assert tls_fault(error) == words
