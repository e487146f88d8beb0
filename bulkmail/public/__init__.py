"""The page behind the links for unsubscribing: small, without scripts, and the only part that the world may call.

Room: `/u/<token>` over HTTP: one page, one-click unsubscribing (RFC 8058), and the way back; `/c/...`: links that are
counted, where a campaign asks for that.
Takes: the operator's settings, and the object that knows tokens (`mail.ReturnPath`).
Gives: answers, once what they say is durable; nothing is written for a GET but, later, that a link was followed.
Never: sets a cookie, asks for a login, leads anywhere that no campaign of ours has signed, loads anything, tells
anything about a token that is not right.

What each failure means: a fault of ours is 503 with Retry-After, and nothing was changed; so is an answer that takes
too long, which may be carried out yet. A client that asks for too much is 429, and is answered again within seconds.
A request that is no HTTP is 400, and one that comes too slowly is cut off without an answer.
"""

from __future__ import annotations

from bulkmail.public.answering import Answer
from bulkmail.public.channel import PageChannel, PageFactory, PageRequest
from bulkmail.public.clients import Proxies, Rates
from bulkmail.public.page import page_headers
from bulkmail.public.server import PublicServer, listen, stop_listening
from bulkmail.public.texts import texts

__all__ = [
    "Answer",
    "PageChannel",
    "PageFactory",
    "PageRequest",
    "Proxies",
    "PublicServer",
    "Rates",
    "listen",
    "page_headers",
    "stop_listening",
    "texts",
]
