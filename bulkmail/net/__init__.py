"""The only sockets to mail servers: connecting, deadlines, TLS, and the bytes of `bulkmail.smtp`.

Room: one TCP connection to one address of one MX host, from connect to close.
Takes: an address that was routed and judged, transactions, timeouts, a listener.
Gives: the listener's seven calls; of each connection exactly one `connection_closed`, the last.
Never: resolves a name, chooses a host, retries, judges a reply, writes a final dot before `about_to_dot` returned.

What each failure means: a fault of ours (no descriptors, no route, no source address) carries ``own_fault`` and
charges no recipient; a failed TLS carries ``tls_failed``, and the caller may connect anew in clear where its policy
allows; every other close before MAIL says that this address is of no use now. Every wait has a deadline, and the
deadline is for the whole of what is waited for: a peer that drips bytes gains nothing.
"""

from __future__ import annotations

from bulkmail.net.binding import may_bind
from bulkmail.net.certificate import Certificate
from bulkmail.net.connect import SessionOptions, connect
from bulkmail.net.connection import Connection
from bulkmail.net.deadline import Deadline
from bulkmail.net.families import Families
from bulkmail.net.intake_probe import Intake, intake
from bulkmail.net.interfaces import ConnectionListener, LiveConnection, NothingSent, Timeouts
from bulkmail.net.own import own_address, source_address
from bulkmail.net.page_probe import WebPage, web_page
from bulkmail.net.probe import UnreachableError, greeting
from bulkmail.net.proxying import Proxy
from bulkmail.net.tls import TlsContexts, openssl_version

__all__ = [
    "Certificate",
    "Connection",
    "ConnectionListener",
    "Deadline",
    "Families",
    "Intake",
    "LiveConnection",
    "NothingSent",
    "Proxy",
    "SessionOptions",
    "Timeouts",
    "TlsContexts",
    "UnreachableError",
    "WebPage",
    "connect",
    "greeting",
    "intake",
    "may_bind",
    "openssl_version",
    "own_address",
    "source_address",
    "web_page",
]
