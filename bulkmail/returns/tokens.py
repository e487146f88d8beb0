"""Candidate tokens of a message: strings of the form that `mail.token` makes, and where they stood.

The forms: ``bounces+TOKEN@…`` and ``unsubscribe+TOKEN@…`` (compared in lower case: some servers fold it), a Message-ID
``<CAMPAIGN.TOKEN@…>`` with eight characters before the dot, and TOKEN alone between other characters in the fields that
we write. A token between letters or digits is none: 26 characters cut out of a longer word mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bulkmail.returns.mime import Fields
from bulkmail.returns.returned import Candidate, Copy, Source

_LONGEST = 4000  # characters of a text that are looked at
_ALONE = re.compile(r"(?<![A-Za-z0-9])[A-Za-z2-7]{26}(?![A-Za-z0-9])")
_TAGGED = re.compile(r"[^+@\s]{1,64}\+([A-Za-z2-7]{26})(?:@|\Z)")
_OWN_ID = re.compile(r"<?[a-z2-7]{8}\.([a-z2-7]{26})@[^@\s<>]{1,255}>?", re.IGNORECASE)


def tagged(address: str) -> str:
    """Return the token in an address ``name+TOKEN@domain``, in lower case, ``""`` without one."""
    found = _TAGGED.match(address.strip().strip("<>"))
    return found[1].lower() if found is not None else ""


def in_message_id(identifier: str) -> str:
    """Return the token in a Message-ID of ours, in lower case, ``""`` for every other Message-ID."""
    found = _OWN_ID.fullmatch(identifier.strip())
    return found[1].lower() if found is not None else ""


def in_text(text: str) -> str:
    """Return the token that stands alone in a text, in lower case; ``""`` for none, and for two different ones."""
    found = {one.lower() for one in _ALONE.findall(text[:_LONGEST])}
    return found.pop() if len(found) == 1 else ""


def candidates(
    recipient: str, own: Fields, copy: Copy, senders: Iterable[str], envelope_id: str, feedback_id: str
) -> Iterator[Candidate]:
    """Yield all that stand in a message, the surest first; a token may come from several places.

    ``recipient``: the envelope recipient. ``own``: the message's own header. ``senders``: what a report says the
    enclosed message's envelope sender was. ``feedback_id``: of a complaint's fields.
    """
    places = [
        (Source.ENVELOPE, [tagged(recipient)]),
        (Source.MESSAGE_ID, [in_message_id(copy.message_id)]),
        (Source.UNSUBSCRIBE, [in_text(copy.list_unsubscribe)]),
        (Source.FEEDBACK_ID, [in_text(copy.feedback_id), in_text(feedback_id)]),
        (Source.RETURN_PATH, [tagged(copy.return_path), *map(tagged, senders)]),
        (Source.ENVELOPE_ID, [in_text(envelope_id)]),
        (Source.SUBJECT, [in_text(own.get("subject"))]),
        (Source.TO, [tagged_in(own.get("to"))]),
        (Source.REFERENCES, [_referred(own)]),
    ]
    for source, found in places:
        for token in dict.fromkeys(found):
            if token:
                yield Candidate(token, source)


def tagged_in(value: str) -> str:
    """Return the token of the first address with one in a field."""
    for word in value[:_LONGEST].replace(",", " ").split()[:50]:
        token = tagged(word)
        if token:
            return token
    return ""


def _referred(own: Fields) -> str:
    """Return the token of the message that this one answers: In-Reply-To, else the last one of ours in References."""
    for value in (own.get("in-reply-to"), own.get("references")):
        for identifier in reversed(value.split()[-20:]):
            token = in_message_id(identifier)
            if token:
                return token
    return ""
