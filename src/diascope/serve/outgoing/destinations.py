"""Where the service may send over HTTP and MLLP: hosts on the list of the settings, and nowhere else (B8).

A name is resolved once; the connection goes to the very address that was looked at, while the Host header and the
certificate are those of the name. Redirections are not followed, proxies of the environment are not asked, and nothing
of what was sent is sent again elsewhere. Addresses of this machine and of link-local networks (where clouds keep
secrets) are reached only where the list has the address itself, with its port: a name never leads there.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore
import httpx

from diascope.core.errors import BadUsage
from diascope.serve.outgoing.telling import NotDelivered

NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)*\.?")
PORTS = {"https": 443, "http": 80}
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Name and port to addresses."""


class NotAllowed(BadUsage):
    """Somewhere that nothing is sent to."""


@dataclass(frozen=True)
class Target:
    """Where something goes, looked at.

    Args:
        host: In lower case; an address in its one plain form.
        port: Of TCP.
        address: That is connected to.
    """

    host: str
    port: int
    address: str


def resolved(host: str, port: int) -> Sequence[str]:
    """Addresses of a name.

    Raises:
        NotDelivered: When it has none now.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"{host} is not known here", todo="It is tried again later") from error
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def listed(host: str, port: int, allowed: Iterable[str]) -> bool:
    """Whether a host stands on a list, alone or with its port; an address of this machine only with its port."""
    exact = {one.strip().casefold() for one in allowed}
    shown = f"[{host}]" if ":" in host else host
    with_port = f"{shown}:{port}" in exact or f"{host}:{port}" in exact
    literal = literal_of(host)
    if literal is not None and is_inside(literal):
        return with_port
    return with_port or host in exact or shown in exact


def target(host: str, port: int, allowed: Sequence[str], resolve: Resolve = resolved) -> Target:
    """A place that may be sent to, resolved once.

    Args:
        host: Name or address, as it was typed.
        port: Of TCP.
        allowed: `host` or `host:port`, from the settings.
        resolve: Asks the network for addresses.

    Raises:
        NotAllowed: When it is not on the list, or its name leads to this machine.
        NotDelivered: When its name has no address now.
    """
    name = plain_host(host)
    if not listed(name, port, allowed):
        raise NotAllowed(
            "nothing may be sent to this host", given=f"{name}:{port}", todo="Add it to `send_to` of the settings first"
        )
    literal = literal_of(name)
    if literal is not None:
        return Target(name, port, str(literal))
    found = [ipaddress.ip_address(one.partition("%")[0]) for one in resolve(name, port)]
    if not found:
        raise NotDelivered(f"{name} has no address", todo="It is tried again later")
    for address in found:  # all of them: a name that leads to both is not to be believed
        if is_inside(address) and not listed(str(literal_of(str(address)) or address), port, allowed):
            raise NotAllowed("the name of this host leads to this machine or to the inside of its network", given=name)
    return Target(name, port, str(found[0]))


def plain_host(host: str) -> str:
    """A host as it is compared: a name in lower case, or an address in its one plain form.

    Raises:
        NotAllowed: When it is neither: addresses as one number, in octal or hexadecimal, with letters beyond ASCII.
    """
    name = host.casefold().strip("[]")
    literal = literal_of(name)
    if literal is not None:
        return str(literal)
    digits = all(re.fullmatch(r"[0-9]+|0x[0-9a-f]*", part) for part in name.rstrip(".").split("."))
    if len(name) > 253 or not name.isascii() or not NAME.fullmatch(name) or digits:
        raise NotAllowed("this is no host to send to", given=host[:253])
    return name.rstrip(".")


def literal_of(host: str) -> Address | None:
    """The address that a text is; None where it is none. What carries an IPv4 address inside is that address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_inside(address: Address) -> bool:
    """Whether an address is of this machine, of a link, or of nobody: never a hospital's server."""
    plain = literal_of(str(address)) or address
    return plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain.is_multicast or plain.is_reserved


def place_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address that somebody typed.

    Raises:
        NotAllowed: When it is no plain http or https address: another scheme, a user name, a fragment, spaces, a
            backslash, control characters.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise NotAllowed("this is no address", todo="Write https://host/path") from error
    strange = not url.isascii() or any(ord(letter) <= 32 or letter in "\\\x7f" for letter in url)
    odd = parts.username is not None or parts.password is not None or "@" in parts.netloc or "#" in url
    if strange or odd or parts.scheme not in PORTS or not host or "%" in parts.netloc or port == 0:
        raise NotAllowed("this is no address to send to", todo="Write https://host/path, and the token apart from it")
    return parts.scheme, plain_host(host), port or PORTS[parts.scheme]


class _Pinned(httpcore.NetworkBackend):
    """Connects to the address that was looked at, whatever the name leads to now."""

    def __init__(self, to: Target) -> None:
        self._to, self._plain = to, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if (host.strip("[]"), port) != (self._to.host, self._to.port):
            raise httpcore.ConnectError("another host than was looked at")
        return self._plain.connect_tcp(self._to.address, port, timeout, local_address, socket_options)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("nothing is sent to sockets of this machine")


def client_for(
    url: str, allowed: Sequence[str], seconds: float, token: str = "", resolve: Resolve = resolved
) -> httpx.Client:
    """A client that reaches one host and no other.

    Args:
        url: Of the server.
        allowed: `host` or `host:port`, from the settings.
        seconds: For each step.
        token: Sent as a bearer token, to this host alone; "" for none.
        resolve: Asks the network for addresses.

    Raises:
        NotAllowed: When nothing may be sent there.
        NotDelivered: When its name has no address now.
    """
    scheme, host, port = place_of(url)
    to = target(host, port, allowed, resolve)
    transport = httpx.HTTPTransport(trust_env=False, verify=ssl.create_default_context())
    transport._pool = httpcore.ConnectionPool(  # the one place where httpx lets an address be chosen
        ssl_context=ssl.create_default_context(), network_backend=_Pinned(to), max_connections=4
    )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    origin = (scheme, host, port)

    def only_there(request: httpx.Request) -> None:
        if place_of(str(request.url)) != origin:
            raise NotAllowed("nothing is sent to another host than was looked at")

    return httpx.Client(
        transport=transport, timeout=seconds, headers=headers, trust_env=False, follow_redirects=False,
        event_hooks={"request": [only_there]},
    )  # fmt: skip
