"""The certificate of a server of ours, and its renewal."""

from __future__ import annotations

import contextlib
import os

import pytest
from OpenSSL import SSL

from bulkmail.mail import OwnFault
from bulkmail.net import Certificate
from tests.interop.servers import write_certificate


def common_name(certificate):
    """Of the certificate that a client is shown."""
    server = certificate.serverConnectionForTLS(None)
    client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(5):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(1 << 16))
    return client.get_peer_certificate().get_subject().CN


@pytest.fixture
def made(tmp_path):
    now = [0.0]
    write_certificate(tmp_path, "old.example.com")
    certificate = Certificate(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), lambda: now[0])
    return certificate, now, tmp_path


def test_a_renewed_certificate_is_read_again(made):
    certificate, now, folder = made
    assert common_name(certificate) == "old.example.com"
    write_certificate(folder, "new.example.com")
    now[0] = 4.0
    certificate.look()
    assert common_name(certificate) == "old.example.com"
    now[0] = 5.0
    certificate.look()
    assert common_name(certificate) == "new.example.com"


def test_while_only_one_of_the_two_is_new_the_old_pair_serves(made):
    certificate, now, folder = made
    old_key = (folder / "key.pem").read_bytes()
    write_certificate(folder, "new.example.com")
    new_key = (folder / "key.pem").read_bytes()
    (folder / "key.pem").write_bytes(old_key)
    now[0] = 5.0
    certificate.look()
    assert common_name(certificate) == "old.example.com"
    (folder / "key.pem").write_bytes(new_key)
    now[0] = 10.0
    certificate.look()
    assert common_name(certificate) == "new.example.com"


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("no certificate"), os.unlink])
def test_a_bad_new_file_keeps_the_old_one(made, spoil):
    certificate, now, folder = made
    spoil(folder / "cert.pem")
    now[0] = 5.0
    certificate.look()
    assert common_name(certificate) == "old.example.com"


def test_at_the_start_a_bad_file_is_refused(tmp_path):
    where = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    with pytest.raises(OwnFault, match=r"cert\.pem cannot be used for TLS"):
        Certificate(*where, lambda: 0.0)
    write_certificate(tmp_path)
    key = (tmp_path / "key.pem").read_bytes()
    write_certificate(tmp_path)
    (tmp_path / "key.pem").write_bytes(key)
    with pytest.raises(OwnFault, match="is not the one of the certificate"):
        Certificate(*where, lambda: 0.0)
    (tmp_path / "key.pem").write_text("x")
    with pytest.raises(OwnFault, match=r"key\.pem cannot be used for TLS"):
        Certificate(*where, lambda: 0.0)
