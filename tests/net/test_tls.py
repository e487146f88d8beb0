from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from bulkmail.net import tls
from bulkmail.net.tls import Sessions, TlsContexts, agreed_group, tls_fault
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


@pytest.mark.parametrize("newest", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize("mode", [TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED, TlsMode.VERIFY])
def test_a_small_hello_fits_in_one_segment_and_agrees_on_as_much(kit, mode, newest):
    contexts = TlsContexts(kit.pem)
    handshake = contexts.handshake(mode, "mx.example", small=True)
    assert not handshake.large
    assert not handshake.unanswered, "none was sent"
    client = handshake.clientConnectionForTLS(None)
    assert handshake.unanswered
    server = kit.ServerTls(kit.pem, newest=newest).serverConnectionForTLS(None)
    shake(client, server)
    assert not handshake.unanswered
    assert handshake.objection(client) == ""
    assert len(hello_of(contexts.handshake(mode, "mx.example", small=True))) < 600


def test_whether_a_hello_is_large_is_what_it_really_is():
    handshake = TlsContexts().handshake(TlsMode.OPPORTUNISTIC, "mx.example")
    assert handshake.large is (len(hello_of(handshake)) > 1400)


def hello_of(handshake) -> bytes:
    client = handshake.clientConnectionForTLS(None)
    client.set_connect_state()
    with contextlib.suppress(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65536)


def test_sessions_are_resumed_with_hellos_of_their_own_size_only(kit):
    """Sessions of one context are refused by another (pyOpenSSL 26.3)."""
    server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
    found = []
    for small in (False, True, False, True):
        handshake = contexts.handshake(TlsMode.REQUIRED, "mx.example", small=small)
        client, resumed = server.meet(handshake)
        handshake.remember(client)
        found.append(resumed)
    assert found == [False, False, True, True]


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


class Server:
    """The other side by Python's own ssl, in memory: it says itself whether a session was resumed."""

    def __init__(self, pem, newest):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.context.maximum_version = newest
        self.clients = []
        self.hellos = []  # how many bytes each had

    def meet(self, handshake) -> tuple[SSL.Connection, bool]:
        """A handshake and a line from the server; the client's connection, and whether it resumed."""
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self.context.wrap_bio(into, out, server_side=True)
        client = handshake.clientConnectionForTLS(None)
        client.set_connect_state()
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
        hello = client.bio_read(65536)
        self.hellos.append(len(hello))
        into.write(hello)
        sides = [client.do_handshake, server.do_handshake]
        for _ in range(10):
            for side in list(sides):
                try:
                    side()
                    sides.remove(side)
                except (SSL.WantReadError, ssl.SSLWantReadError):
                    pass
                with contextlib.suppress(SSL.WantReadError):
                    into.write(client.bio_read(65536))
                if out.pending:
                    client.bio_write(out.read())
        assert not sides, "no handshake"
        server.write(b"250 hello\r\n")
        client.bio_write(out.read())
        assert client.recv(100) == b"250 hello\r\n"
        self.clients.append(client)  # OpenSSL takes the session of a client that is dropped in the middle for bad
        return client, server.session_reused


@pytest.mark.skipif(not hasattr(SSL.Context, "set_tls13_ciphersuites"), reason="pyOpenSSL 25.2 or later")
@pytest.mark.parametrize("mode", [TlsMode.OPPORTUNISTIC, TlsMode.VERIFY])
def test_the_cheapest_cipher_of_tls_1_3_is_asked_for_first_and_others_are_spoken(kit, mode):
    contexts = TlsContexts(kit.pem)
    for spoken in ("", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate_chain_file(kit.pem)
        context.use_privatekey_file(kit.pem)
        if spoken:
            context.set_tls13_ciphersuites(spoken.encode())
        client = contexts.handshake(mode, "mx.example").clientConnectionForTLS(None)
        shake(client, SSL.Connection(context, None))
        assert client.get_cipher_name() == (spoken or "TLS_AES_128_GCM_SHA256")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("mode", [TlsMode.OPPORTUNISTIC, TlsMode.VERIFY])
def test_a_session_is_resumed_once_it_was_remembered(kit, newest, mode):
    server, contexts = Server(kit.pem, newest), TlsContexts(kit.pem)
    found = []
    for _ in range(3):
        handshake = contexts.handshake(mode, "mx.example")
        client, resumed = server.meet(handshake)
        assert handshake.objection(client) == "", "the name is judged of a resumed session too"
        assert handshake.resuming is resumed
        handshake.remember(client)
        found.append(resumed)
    assert found == [False, True, True]


def test_a_resumed_session_with_the_wrong_name_is_objected_to(kit):
    """Were a session ever offered to a host that it is not of, its certificate would say so."""
    server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
    first = contexts.handshake(TlsMode.VERIFY, "mx.example")
    client, _ = server.meet(first)
    other = contexts.handshake(TlsMode.VERIFY, "other.example")
    other._sessions.put("other.example", (client.get_session(), ""))
    client, resumed = server.meet(other)
    assert resumed
    assert other.objection(client) == "the certificate is not for other.example"


def test_what_was_not_verified_is_never_resumed_where_it_must_be(kit):
    server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
    lax = contexts.handshake(TlsMode.REQUIRED, "mx.example")
    client, _ = server.meet(lax)
    lax.remember(client)
    strict = contexts.handshake(TlsMode.VERIFY, "mx.example")
    assert server.meet(strict)[1] is False
    assert server.meet(contexts.handshake(TlsMode.OPPORTUNISTIC, "mx.example"))[1] is True
    assert server.meet(contexts.handshake(TlsMode.OPPORTUNISTIC, "mx2.example"))[1] is False


def test_after_a_failed_handshake_nothing_is_offered(kit):
    server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
    handshakes = [contexts.handshake(TlsMode.REQUIRED, "mx.example") for _ in range(2)]
    for handshake in handshakes:
        client, _ = server.meet(handshake)
        handshake.remember(client)
    handshakes[0].failed()
    assert server.meet(contexts.handshake(TlsMode.REQUIRED, "mx.example"))[1] is False


def test_a_server_that_forgot_the_session_shakes_hands_in_full(kit):
    contexts = TlsContexts(kit.pem)
    handshake = contexts.handshake(TlsMode.VERIFY, "mx.example")
    client, _ = Server(kit.pem, ssl.TLSVersion.TLSv1_3).meet(handshake)
    handshake.remember(client)
    client, resumed = Server(kit.pem, ssl.TLSVersion.TLSv1_3).meet(handshake)
    assert (resumed, handshake.resuming, handshake.objection(client)) == (False, True, "")


@pytest.mark.skipif(
    not TlsContexts().handshake("required", "mx.example").large, reason="a hello has two shares from OpenSSL 3.5 on"
)
class TestKeyShares:
    @pytest.mark.parametrize("mode", [TlsMode.REQUIRED, TlsMode.VERIFY])
    def test_where_the_group_is_known_its_share_alone_is_sent(self, kit, mode):
        server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
        server.context.set_ecdh_curve("X25519")
        for _ in range(3):
            handshake = contexts.handshake(mode, "mx.example")
            client, _ = server.meet(handshake)
            assert client.get_group_name() == "x25519"
            handshake.remember(client)
        unknown, *known = server.hellos
        assert unknown > 1400 > max(known) + 500, "one TCP segment"

    def test_a_server_that_has_other_groups_now_asks_for_one(self, kit):
        server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
        found = []
        for curve in ("X25519", "prime256v1", "secp521r1", "secp521r1"):
            server.context.set_ecdh_curve(curve)
            handshake = contexts.handshake(TlsMode.REQUIRED, "mx.example")
            client, resumed = server.meet(handshake)
            handshake.remember(client)
            found.append((client.get_group_name(), resumed))
        assert found == [("x25519", False), ("secp256r1", True), ("secp521r1", True), ("secp521r1", True)]

    def test_a_server_that_has_learnt_the_post_quantum_group_gets_it(self, kit):
        server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
        server.context.set_ecdh_curve("X25519")
        handshake = contexts.handshake(TlsMode.REQUIRED, "mx.example")
        handshake.remember(server.meet(handshake)[0])
        newer = contexts.handshake(TlsMode.REQUIRED, "mx.example")
        client = newer.clientConnectionForTLS(None)
        assert newer.resuming
        shake(client, kit.ServerTls(kit.pem).serverConnectionForTLS(None))
        assert client.get_group_name() == "X25519MLKEM768"

    def test_words_that_openssl_does_not_know_change_nothing(self, kit, monkeypatch):
        monkeypatch.setattr(tls, "_GROUPS", ("x25519", "of-tomorrow"))
        server, contexts = Server(kit.pem, ssl.TLSVersion.TLSv1_3), TlsContexts(kit.pem)
        for resumed in (False, True):
            handshake = contexts.handshake(TlsMode.REQUIRED, "mx.example")
            client, found = server.meet(handshake)
            handshake.remember(client)
            assert found is resumed
        assert min(server.hellos) > 1400


def test_few_sessions_are_kept():
    sessions = Sessions(size=12)
    for n in range(10):
        for _ in range(5):
            sessions.put(f"mx{n}", object())
    assert len(sessions) == 12, "those of the hosts that were not used for the longest time are dropped, oldest first"
    assert sessions.take("mx6") is None
    taken = {sessions.take("mx9") for _ in range(6)}
    assert (len(taken), None in taken, len(sessions)) == (6, True, 7)
    sessions.forget("mx8")
    sessions.forget("mx8")
    assert len(sessions) == 2
    for _ in range(2):
        assert sessions.take("mx7") is not None
    assert (sessions.take("mx7"), len(sessions)) == (None, 0)


def test_so_many_sessions_of_one_host_are_kept_as_it_is_opened_connections():
    sessions = Sessions()
    kept = [object() for _ in range(40)]
    for session in kept:
        sessions.put("mx", session)
    assert len(sessions) == 32
    assert [sessions.take("mx") for _ in range(33)] == [*kept[:7:-1], None], "the newest first"


def test_nothing_is_remembered_before_a_handshake(kit):
    contexts = TlsContexts()
    handshake = contexts.handshake(TlsMode.REQUIRED, "mx.example")
    handshake.remember(handshake.clientConnectionForTLS(None))
    assert contexts.handshake(TlsMode.REQUIRED, "mx.example").resuming is False


@pytest.mark.parametrize(("asked", "objection"), [("127.0.0.1", ""), ("::1", ""), ("127.0.0.2", "not for 127.0.0.2")])
def test_a_host_that_is_an_address_is_looked_for_as_one(kit, tmp_path, asked, objection):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay")])
    addresses = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ("127.0.0.1", "::1")]
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = tmp_path / "address.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    handshake = TlsContexts(str(pem)).handshake(TlsMode.VERIFY, asked)
    client, tls = handshake.clientConnectionForTLS(None), kit.ServerTls(str(pem))
    shake(client, tls.serverConnectionForTLS(None))
    assert tls.name is None, "SNI has no addresses (RFC 6066 3)"
    assert (objection in handshake.objection(client)) if objection else handshake.objection(client) == ""


@pytest.mark.parametrize("telling", [None, NotImplementedError])
def test_an_older_library_does_not_tell_the_group(telling):
    class Agreed:
        def get_group_name(self):
            raise telling

    assert agreed_group(Agreed() if telling else object()) == ""
