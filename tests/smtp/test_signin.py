from __future__ import annotations

import base64

import pytest

from bulkmail.mail import Reply
from bulkmail.smtp.sasl import Credentials, SaslError
from bulkmail.smtp.signin import SignIn

ALL = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def begun(mechanism: str, secret: str = "geheim") -> tuple[SignIn, str]:
    sign_in = SignIn(Credentials("anna", secret, mechanism, nonce="abc"))
    return sign_in, sign_in.begin((mechanism,), secure=True, in_clear=False)


def test_the_initial_response_goes_with_the_command():
    assert begun("PLAIN")[1] == f"AUTH PLAIN {coded(chr(0) + 'anna' + chr(0) + 'geheim')}\r\n"
    assert begun("SCRAM-SHA-256")[1] == f"AUTH SCRAM-SHA-256 {coded('n,,n=anna,r=abc')}\r\n"
    assert begun("LOGIN")[1] == "AUTH LOGIN\r\n"


def test_one_that_is_too_long_for_a_command_waits_for_the_challenge():
    """RFC 4954 4: the command is no longer than 512 bytes."""
    sign_in, line = begun("XOAUTH2", "t" * 500)
    assert line == "AUTH XOAUTH2\r\n"
    assert sign_in.challenged("") == coded("user=anna\x01auth=Bearer " + "t" * 500 + "\x01\x01") + "\r\n"
    assert sign_in.challenged(coded('{"status":"401"}')) == "\r\n"
    assert sign_in.challenged("") == "*\r\n"
    lengths = [len(begun("PLAIN", "x" * n)[1]) for n in range(300, 400)]
    assert max(lengths) == 512 or max(lengths) == 509
    assert min(lengths) == len("AUTH PLAIN\r\n")


@pytest.mark.parametrize(
    ("offered", "options", "words"),
    [
        ((), {"secure": True, "in_clear": False}, "offers no AUTH under TLS, and a user name is set"),
        ((), {"secure": False, "in_clear": True}, "offers no AUTH, and a user name is set"),
        (ALL, {"secure": False, "in_clear": False}, "is not spoken to under TLS, so the sign-in was not tried"),
        (("GSSAPI",), {"secure": True, "in_clear": False}, "offers AUTH GSSAPI, not one that can be used"),
        (
            ("PLAIN",),
            {"secure": False, "in_clear": True},
            "offers AUTH PLAIN, not one that hides the password; without TLS PLAIN and LOGIN do not",
        ),
    ],
)
def test_where_it_must_not_or_cannot_be_begun(offered, options, words):
    with pytest.raises(SaslError) as caught:
        SignIn(Credentials("anna", "geheim")).begin(offered, **options)
    assert str(caught.value) == words


def test_a_challenge_that_makes_no_sense_is_cancelled_once_and_for_all():
    sign_in, _ = begun("CRAM-MD5")
    assert sign_in.challenged("%%%") == "*\r\n"
    assert not sign_in.taken()
    assert sign_in.refusal(Reply(501, ("cancelled",))) == "says something that is not base64 (user anna, CRAM-MD5)"


def test_a_success_without_the_servers_proof_is_none():
    sign_in, _ = begun("SCRAM-SHA-256")
    assert not sign_in.taken()
    assert "did not prove" in sign_in.refusal(Reply(235, ("ok",)))
    sign_in, _ = begun("PLAIN")
    assert sign_in.taken()


def test_a_reply_that_repeats_our_secret_is_shown_without_it():
    sign_in, line = begun("PLAIN")
    said = line.split()[2]
    reply = Reply(535, (f"5.7.8 bad {said}", "password geheim is wrong"))
    words = sign_in.refusal(reply) + str(sign_in.cleaned(reply))
    assert "geheim" not in words
    assert said not in words
    assert sign_in.cleaned(reply).enhanced == "5.7.8"
    assert "anna" in words
    assert "geheim" not in repr(sign_in)
