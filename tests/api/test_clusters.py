"""Clusters are doors: this machine, or certificates on both sides, or an error before any work begins."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import distributed
import pytest
from click.testing import CliRunner

from entangle import clusters
from entangle.cli import cli
from entangle.clusters import Tls
from entangle.errors import ClusterError, RunError
from small_studies import small

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clusters.md"
COMMANDS = ("run", "decades", "resume", "fit")

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed here")


def call(*arguments: object):
    return CliRunner().invoke(cli, [str(item) for item in arguments])


# -- which way -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("tcp://127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("tcp://127.9.9.9:1", "tcp://127.9.9.9:1"),
        ("tcp://localhost:8786", "tcp://localhost:8786"),
        ("tcp://LOCALHOST:8786", "tcp://LOCALHOST:8786"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
        ("inproc://10.0.0.1/1/1", "inproc://10.0.0.1/1/1"),
    ],
)
def test_what_stays_on_this_machine_is_let_through(given: str, address: str) -> None:
    assert clusters.checked(given) == clusters.Door(address, None, exposed=False)


EXPOSED = [
    "tcp://10.0.0.1:8786",
    "10.0.0.1:8786",
    "tcp://scheduler:8786",
    "tcp://localhost.evil.example:8786",
    "tcp://127.0.0.1.evil.example:8786",
    "tcp://127.0.0.1@evil.example:8786",
    "tcp://0.0.0.0:8786",
    "tcp://[2001:db8::1]:8786",
    "ws://10.0.0.1:8786",
    "ucx://10.0.0.1:8786",
]


@pytest.mark.parametrize("address", EXPOSED)
def test_what_leaves_this_machine_unencrypted_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match=r"must be encrypted, since .* any code .* tls://.* docs/clusters"):
        clusters.checked(address)
    with pytest.raises(ClusterError, match="must be encrypted"):
        clusters.connect(address)


@pytest.mark.parametrize("address", EXPOSED)
def test_a_network_can_be_trusted_by_a_word(address: str) -> None:
    door = clusters.checked(address, trust_network=True)
    assert door.exposed
    assert door.address.endswith(address.rpartition("://")[2])


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1", "", "tcp://:8786", "nonsense", "tcp://::1:8786", "tls://"]
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ClusterError, match="must be an address with a port"):
        clusters.checked(address)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_keeps_the_door_shut(command: str, tmp_path: Path) -> None:
    """Before the study is read: there is none."""
    arguments = () if command == "fit" else (tmp_path / "none",)
    shown = call(command, *arguments, "--scheduler", "tcp://10.0.0.1:8786")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith("tcp://10.0.0.1:8786: a connection that leaves this machine")
    assert call(command, *arguments, "--trust-network").exit_code == 2


def test_a_trusted_network_is_warned_of(tmp_path: Path) -> None:
    shown = call("run", tmp_path / "none", "--scheduler", "tcp://10.0.0.1:8786", "--trust-network")
    assert shown.exit_code == 2  # there is no such study
    assert shown.stderr.startswith("WARNING: tcp://10.0.0.1:8786 is reached without encryption: whoever")


# -- certificates --------------------------------------------------------------------------------


def made(folder: Path) -> Path:
    """Make the certificates of a cluster as the page says."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (commands,) = [block for block in blocks if "openssl" in block]
    folder.mkdir()
    subprocess.run(["bash", "-e", "-c", commands], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("tls") / "own")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("tls") / "foreign")


def files(folder: Path, name: str = "client") -> Tls:
    return Tls(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")


@needs_openssl
def test_the_keys_that_the_page_makes_are_closed(own: Path) -> None:
    assert {path.name for path in own.glob("*.key")} == {"ca.key", "node.key", "client.key"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in own.glob("*.key"))


@needs_openssl
def test_files_that_fit_are_taken(own: Path) -> None:
    for address in ("tls://host:8786", "host:8786"):
        assert clusters.checked(address, tls=files(own)) == clusters.Door(
            "tls://host:8786", files(own), False
        )


@needs_openssl
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda tls: tls.ca.unlink(), r"ca\.pem: the certificate or key cannot be read \(no such file"),
        (lambda tls: tls.cert.unlink(), r"client\.pem: the certificate or key cannot be read"),
        (lambda tls: tls.key.unlink(), r"client\.key: the certificate or key cannot be read"),
        (lambda tls: (tls.ca.unlink(), tls.ca.mkdir()), r"ca\.pem: must be a file"),
        (lambda tls: (tls.key.unlink(), os.mkfifo(tls.key)), r"client\.key: must be a file"),
        (lambda tls: tls.ca.write_text("no certificate"), r"ca\.pem: must hold the authority's certificates"),
        (lambda tls: tls.ca.write_bytes(bytes(2**21)), r"ca\.pem: .* larger than 1 MiB"),
        (lambda tls: tls.cert.write_text("no certificate"), "must be a certificate and its key as PEM"),
        (lambda tls: tls.key.write_text("no key"), "must be a certificate and its key as PEM"),
        (lambda tls: shutil.copy(tls.ca.with_name("node.key"), tls.key), "is the key of another certificate"),
        (lambda tls: tls.key.chmod(0o604), r"others must not be able to read the key.*chmod o-rwx"),
        (
            lambda tls: subprocess.run(
                shlex.split("openssl pkcs8 -topk8 -in node.key -out client.key -passout pass:secret"),
                cwd=tls.ca.parent,
                check=True,
            ),
            "the key without a password",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(change, rule: str, own: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(own, folder)
    tls = files(folder)
    change(tls)
    with pytest.raises(ClusterError, match=rule):
        clusters.checked("tls://host:8786", tls=tls)


@needs_openssl
def test_certificates_go_with_encryption(own: Path) -> None:
    with pytest.raises(ClusterError, match="Write tls://host:8786"):
        clusters.checked("tcp://host:8786", tls=files(own), trust_network=True)


def test_encryption_goes_with_certificates() -> None:
    with pytest.raises(ClusterError, match="needs certificates"):
        clusters.checked("tls://host:8786")


@needs_openssl
def test_certificates_may_stand_in_dasks_configuration(own: Path) -> None:
    import dask

    tls = files(own)
    stated = {"ca-file": tls.ca, "client.cert": tls.cert, "client.key": tls.key}
    with dask.config.set({f"distributed.comm.tls.{key}": str(path) for key, path in stated.items()}):
        assert clusters.checked("tls://host:8786") == clusters.Door("tls://host:8786", None, exposed=False)


# -- for real ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(own: Path) -> Iterator[str]:
    """The address of a scheduler with TLS and one worker, in processes of their own where workers are."""
    node = files(own, "node")
    security = distributed.Security(
        require_encryption=True,
        tls_ca_file=str(node.ca),
        **{f"tls_{role}_cert": str(node.cert) for role in ("scheduler", "worker", "client")},
        **{f"tls_{role}_key": str(node.key) for role in ("scheduler", "worker", "client")},
    )
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, security=security, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@needs_openssl
def test_a_run_through_tls_gives_the_same_bytes(address: str, own: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert address.startswith("tls://127.0.0.1:")
    study = tmp_path / "study.toml"
    small(simulation={"trajectories": 70_000, "seed": 7}).save(study)
    for name, where in (
        ("tls.nc", ("--scheduler", address, "--tls", *files(own))),
        ("threads.nc", ()),
    ):
        shown = call("run", study, *where, "--out", tmp_path / name)
        assert (shown.exit_code, shown.stderr) == (0, "")
    assert (tmp_path / "tls.nc").read_bytes() == (tmp_path / "threads.nc").read_bytes()


@needs_openssl
def test_who_shows_no_certificate_is_refused(address: str) -> None:
    with pytest.raises(RunError, match="gave no answer"):
        clusters.checked(address.replace("tls", "tcp")).connect(timeout=2)


@needs_openssl
def test_who_shows_a_foreign_certificate_is_refused(address: str, own: Path, foreign: Path) -> None:
    with pytest.raises(RunError, match=r"gave no answer \(.*SSL.*signed by the authority"):
        clusters.connect(address, tls=(own / "ca.pem", foreign / "client.pem", foreign / "client.key"))


@needs_openssl
def test_a_scheduler_with_a_foreign_certificate_is_refused(address: str, foreign: Path) -> None:
    with pytest.raises(RunError, match="certificate does not match"):
        clusters.connect(address, tls=files(foreign))
