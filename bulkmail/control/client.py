"""Asking the running service over its control socket: HTTP/1.1 and JSON by `http.client`, one request a connection."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlencode

from bulkmail.control.place import connect
from bulkmail.control.problems import RequestProblem
from bulkmail.mail import BulkmailError

PREFIX = "/api/v1"
_TIMEOUT = 70.0  # seconds; the server gives up before
_MOST = 64 << 20  # octets of an answer


class Client:
    """Asks the service whose control socket lies in ``folder``. Every call raises, beside its own problems,

    NotRunningError where no service listens, RequestProblem where it refuses, BulkmailError where it cannot be asked.
    """

    def __init__(self, folder: str, timeout: float = _TIMEOUT) -> None:
        self._folder = folder
        self._timeout = timeout

    def get(self, *path: str, **query: str) -> Any:
        """Return what the resource holds."""
        return self._ask("GET", path, query, None)

    def post(self, *path: str, **order: Any) -> Any:
        """Have something done; values that are None are left out."""
        return self._ask("POST", path, {}, {name: value for name, value in order.items() if value is not None})

    def _ask(self, method: str, path: tuple[str, ...], query: dict[str, str], order: dict[str, Any] | None) -> Any:
        connection = _Connection(self._folder, self._timeout)
        target = "/".join([PREFIX, *(quote(part, safe="") for part in path)]) + (
            f"?{urlencode(query)}" if query else ""
        )
        body = None if order is None else json.dumps(order)
        headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            data = response.read(_MOST)
            answer = json.loads(data) if data else None
        except TimeoutError:
            raise BulkmailError(f"the service has not answered for {self._timeout:g} s") from None
        except (ConnectionError, http.client.RemoteDisconnected):
            raise BulkmailError(
                "the service closed the connection without an answer: it ends, or is asked too much"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BulkmailError(f"the service gave no answer that can be read ({error})") from None
        finally:
            connection.close()
        if response.status < 400:
            return answer
        told = answer if isinstance(answer, dict) else {}
        detail = str(told.pop("detail", f"the service answered {response.status} {response.reason}"))
        more = {name: value for name, value in told.items() if name not in ("type", "title", "status")}
        raise RequestProblem(response.status, detail, **more)


class _Connection(http.client.HTTPConnection):
    """HTTP over the UNIX socket in a folder."""

    def __init__(self, folder: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._folder = folder

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = connect(self._folder, self.timeout or _TIMEOUT)
