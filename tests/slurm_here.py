"""A SLURM of this machine alone, for tests: one node, no system service, and nothing outside one folder.

Needs what Debian has as ``slurm-wlm slurm-client munge`` (``apt-get install --no-install-recommends``). The
daemons are children of this process, and are ended by their process numbers. Try it by hand::

    python tests/slurm_here.py sinfo
    python tests/slurm_here.py bash
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

PROGRAMS = "munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "sinfo"

CONFIGURATION = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=01:00:00 State=UP
"""


def lacking() -> str:
    """Return why SLURM cannot be started here; empty if it can."""
    absent = [name for name in PROGRAMS if program(name) is None]
    if absent:
        return f"SLURM is not installed here: no {', '.join(absent)}"
    return ""


def program(name: str) -> str | None:
    """Return where a program is; daemons are often not on the path."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Start SLURM, and yield the variables with which its commands find it; end it again."""
    with ExitStack() as stack:
        # short: the path of a socket has at most 107 characters
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp")))
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        configuration = folder / "slurm.conf"
        configuration.write_text(
            CONFIGURATION.format(
                host=socket.gethostname().partition(".")[0],
                user=getpass.getuser(),
                folder=folder,
                ports=ports(2),
                cores=os.cpu_count(),
                memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            ),
            encoding="utf-8",
        )
        variables = {"SLURM_CONF": str(configuration)}
        places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        told = [f"--{option}={folder}/munge.{name}" for option, name in places.items()]
        stack.enter_context(daemon("munged", "--foreground", "--force", *told))
        wait((folder / "munge.socket").exists, "munged did not answer")
        stack.enter_context(daemon("slurmctld", "-D", "-c", environment=variables))
        stack.enter_context(daemon("slurmd", "-D", "-c", environment=variables))
        wait(lambda: "idle" in answer("sinfo", "--noheader", variables=variables), "the node is not idle")
        try:
            yield variables
        finally:
            # while there is somebody who can end the jobs
            answer("scancel", f"--user={getpass.getuser()}", variables=variables)
            with suppress(TimeoutError):
                wait(
                    lambda: not answer("squeue", "--noheader", variables=variables).strip(),
                    "jobs are left",
                    seconds=20.0,
                )


@contextmanager
def daemon(name: str, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[None]:
    """Run a daemon in the foreground, as a child; end it by its number."""
    where = program(name)
    assert where is not None
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [where, *arguments],
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the one who started it
        )
        try:
            yield
        except TimeoutError:
            said.seek(0)
            print(f"{name} (process {process.pid}):\n{said.read().decode()}", file=sys.stderr)
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answer(name: str, *arguments: str, variables: dict[str, str]) -> str:
    """Return what a command says; nothing if it fails."""
    done = subprocess.run(
        [name, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


def wait(holds: Callable[[], object], otherwise: str, *, seconds: float = 60.0) -> None:
    """Wait until something holds.

    Raises
    ------
    TimeoutError
        If it does not in time.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{otherwise} after {seconds:.0f} s")
        time.sleep(0.2)


def ports(number: int) -> list[int]:
    """Return ports that nobody listens at."""
    with ExitStack() as stack:
        found = []
        for _ in range(number):
            listening = stack.enter_context(closing(socket.socket()))
            listening.bind(("127.0.0.1", 0))
            found.append(listening.getsockname()[1])
        return found


def main(command: list[str]) -> int:
    """Run a command beside a SLURM."""
    if reason := lacking():
        print(reason, file=sys.stderr)
        return 1
    with running() as variables:
        return subprocess.run(command or ["sinfo"], env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
