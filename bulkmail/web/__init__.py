"""The operator's page: how the campaigns stand, why they are not faster, and what a person can do about it.

Room: HTML over HTTP for people who have signed in.
Takes: the operator's settings, and what answers the operations of the control socket.
Gives: pages that need no script, and forms that ask for the same operations as the commands do.
Never: reads the spool by itself, decides anything about sending, answers anything to who has not signed in.

What each failure means: a wrong name or password is told in the same words, and costs time; who tries too often is
asked to wait (429). A form that is not one of this session's own is refused (403), and nothing was done. What the
service cannot do now is told in its own sentence, with the status that the API has for it.
"""

from __future__ import annotations

from bulkmail.web.passwords import hash_password
from bulkmail.web.server import WebServer
from bulkmail.web.users import BY_PROXY, Role, User, read_users, user_name, write_users

__all__ = ["BY_PROXY", "Role", "User", "WebServer", "hash_password", "read_users", "user_name", "write_users"]
