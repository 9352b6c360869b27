"""Connections to Dask clusters, which are doors.

What goes between a client, a scheduler and its workers is pickled. Whoever reaches an open scheduler can run
any code on its workers, and whoever answers in its place can run any code here. So connections stay on this
machine, or they are encrypted and both sides show a certificate.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from entangle.errors import ClusterError, RunError

if TYPE_CHECKING:
    from distributed import Client

#: Ways to connect that encrypt and ask both sides for a certificate, and the one that stays in this process.
_ENCRYPTED: Final = ("tls", "wss")
_WITHIN: Final = "inproc"
#: Largest certificate or key that is looked at [bytes].
_LARGEST: Final = 2**20

RISK: Final = "whoever reaches an open scheduler can run any code on its workers, and here"


class Tls(NamedTuple):
    """Files of PEM that say who belongs to a cluster.

    Parameters
    ----------
    ca
        Certificates of the authority that signs for all of the cluster. Names are not compared: whatever it
        signed is let in, so it must sign for this cluster alone.
    cert, key
        The certificate of this side, and its private key.
    """

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True)
class Door:
    """A scheduler to which a connection may be made.

    Parameters
    ----------
    address
        Where it is.
    tls
        What is shown to it; None on an open connection, or if Dask's own configuration says.
    exposed
        Whether the connection leaves this machine unencrypted.
    """

    address: str
    tls: Tls | None
    exposed: bool

    def connect(self, *, timeout: float = 10.0) -> Client:
        """Return a client of the scheduler, to be closed, or used in a ``with`` statement.

        Parameters
        ----------
        timeout
            How long an answer is waited for [s].

        Raises
        ------
        RunError
            If there is no answer, or either side refuses the other.
        """
        import distributed

        secure: Any = distributed.Security  # untyped, as is the client
        make: Any = distributed.Client
        security = None
        if self.tls is not None:
            security = secure(
                require_encryption=True,
                tls_ca_file=str(self.tls.ca),
                tls_client_cert=str(self.tls.cert),
                tls_client_key=str(self.tls.key),
            )
        try:
            client: Client = make(self.address, timeout=timeout, security=security)
        except (OSError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            hint = (
                "Is it there, was each side's certificate signed by the authority, and is it still valid?"
                if self.address.startswith(tuple(f"{scheme}://" for scheme in _ENCRYPTED))
                else "Is it there? One with TLS is reached by tls:// and its certificates."
            )
            raise RunError(f"{self.address}: the scheduler gave no answer ({reason}). {hint}") from None
        return client


def checked(address: str, *, tls: Tls | None = None, trust_network: bool = False) -> Door:
    """Return the way to a scheduler if it is a safe one.

    Parameters
    ----------
    address
        Such as ``tcp://127.0.0.1:8786`` or ``tls://host:8786``; with `tls`, ``host:8786`` will do.
    tls
        Certificates. Without them ``tls://`` takes those of Dask's own configuration.
    trust_network
        Let an unencrypted connection leave this machine: something else keeps others off the network that
        it takes.

    Raises
    ------
    ClusterError
        If the connection would leave this machine unencrypted, or a file is missing, cannot be used, or lets
        others read the key.
    """
    from distributed.comm.addressing import parse_address, parse_host_port, unparse_host_port

    if tls is not None and "://" not in address:
        address = f"tls://{address}"
    # split as Dask will: what is checked is what is connected to
    scheme, place = parse_address(address)
    if scheme == _WITHIN:
        return Door(address, None, exposed=False)
    try:
        host, port = parse_host_port(place)
    except ValueError:
        host, port = "", None
    if not host:
        raise ClusterError(
            f"{address}: must be an address with a port, such as tcp://127.0.0.1:8786 or tls://host:8786."
        )
    address = f"{scheme}://{unparse_host_port(host, port)}"
    if scheme in _ENCRYPTED:
        if tls is None:
            _configured(address)
        else:
            _check(tls)
        return Door(address, tls, exposed=False)
    if tls is not None:
        raise ClusterError(
            f"{address}: certificates go with an encrypted connection. Write tls://{place} if the scheduler "
            "was started with --protocol tls, or start it so."
        )
    exposed = not _is_here(host)
    if exposed and not trust_network:
        raise ClusterError(
            f"{address}: a connection that leaves this machine must be encrypted, since {RISK}. Start "
            f"scheduler and workers with TLS and connect to tls://{place} with their certificates (--tls CA "
            "CERT KEY), or bring the port here through ssh. docs/clusters.md says how, and when "
            "--trust-network is right."
        )
    return Door(address, None, exposed)


def connect(
    address: str, *, tls: tuple[Path | str, Path | str, Path | str] | None = None, trust_network: bool = False
) -> Client:
    """Return a client of the scheduler at `address`, for ``run(executor=...)``.

    Parameters
    ----------
    address
        Such as ``tcp://127.0.0.1:8786`` or ``tls://host:8786``.
    tls
        Files of the authority's certificates, of one's own certificate, and of its key.
    trust_network
        Whether an unencrypted connection may leave this machine. Whoever reaches an open scheduler can run
        any code on its workers, and here: only where something else keeps others off the network.

    Raises
    ------
    ClusterError
        If the connection would not be safe, or a file cannot be used.
    RunError
        If the scheduler gives no answer, or either side refuses the other.
    """
    files = None if tls is None else Tls(*map(Path, tls))
    return checked(address, tls=files, trust_network=trust_network).connect()


def _is_here(host: str) -> bool:
    """Whether a host is this machine. Other names than localhost may lead anywhere, also a moment later."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _configured(address: str) -> None:
    """Check that Dask's own configuration has certificates."""
    import distributed

    make: Any = distributed.Security
    own = make()
    if not (own.tls_ca_file and own.tls_client_cert):
        raise ClusterError(
            f"{address}: needs certificates, and Dask's configuration names none. Give those of the "
            "authority, your own, and its key: --tls CA CERT KEY."
        )


def _check(tls: Tls) -> None:
    """Check that certificates and key can be read and used, and that nobody else can read the key."""
    for path in tls:
        _read(path)
    if os.name == "posix" and tls.key.stat().st_mode & stat.S_IROTH:
        raise ClusterError(
            f"{tls.key}: others must not be able to read the key, since whoever has it is let in by the "
            f"cluster. Close it: chmod o-rwx '{tls.key}'. If somebody may have read it, make another."
        )
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except (ssl.SSLError, ValueError):
        raise ClusterError(f"{tls.ca}: must hold the authority's certificates as PEM.") from None
    try:
        context.load_cert_chain(tls.cert, tls.key, password=lambda: "")  # or the terminal would be asked
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise ClusterError(f"{tls.key}: is the key of another certificate than {tls.cert}.") from None
        raise ClusterError(
            f"{tls.cert}, {tls.key}: must be a certificate and its key as PEM, the key without a password."
        ) from None


def _read(path: Path) -> None:
    """Check that a file of moderate size is there and can be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ClusterError(f"{path}: must be a file with certificates or a key.")
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ClusterError(f"{path}: the certificate or key cannot be read ({reason}).") from None
    if len(text) > _LARGEST:
        raise ClusterError(f"{path}: must be a certificate or a key as PEM, and is larger than 1 MiB.")
