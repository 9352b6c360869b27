"""`entangle batch`: job files for SLURM and Kubernetes."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entangle.cli.output import study_argument
from entangle.cli.running import seed_option

if TYPE_CHECKING:
    from entangle.batch import Request
    from entangle.batch.estimate import Needs


@click.group("batch")
def group() -> None:
    """Write job files for SLURM or Kubernetes: a run in shards, and the merge after it."""


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that both batch systems have."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


_SHARED = (
    study_argument,
    click.option("--shards", type=click.IntRange(1), metavar="N", required=True, help="How many tasks."),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="DIR",
        required=True,
        help="Folder for the job files, new or empty.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace job files in it; what was played stays."),
    click.option("--decades", is_flag=True, help="Play histories, as `entangle decades` does, not disputes."),
    click.option(
        "--trajectories",
        type=click.IntRange(1, 2**48),
        metavar="N",
        help="Disputes for each pact, as of `entangle run`.",
    ),
    click.option(
        "--histories",
        type=click.IntRange(1, 2**48),
        metavar="N",
        help="Histories under each pact, with --decades.",
    ),
    seed_option,
    click.option(
        "--attribution/--no-attribution", default=None, help="As of `entangle run`; else as the study says."
    ),
    click.option("--draws", type=click.IntRange(1), metavar="N", help="As of `entangle run`."),
    click.option(
        "--posterior",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Posterior that --draws come from; it is copied.",
    ),
    click.option("--name", metavar="NAME", help="Of the job; else from the name of STUDY."),
    click.option("--cores", type=int, metavar="N", default=1, show_default=True, help="Of each task."),
    click.option(
        "--time",
        metavar="TIME",
        help="Most that a task takes, such as 02:00:00 or 1-00:00:00; else from a dry run.",
    ),
    click.option("--memory", metavar="SIZE", help="Of each task, such as 4G; else from a dry run."),
    click.option("--quiet", is_flag=True, help="Print nothing but errors."),
)


@group.command("slurm")
@_shared
@click.option("--partition", metavar="NAME", help="As of sbatch.")
@click.option("--account", metavar="NAME", help="As of sbatch.")
@click.option("--qos", metavar="NAME", help="As of sbatch.")
@click.option(
    "--sbatch",
    multiple=True,
    metavar="OPTION",
    help="A further option of sbatch, such as --sbatch=--constraint=skylake. Can be given more than once.",
)
@click.option(
    "--activate",
    multiple=True,
    metavar="LINE",
    help="A line of shell that prepares the environment, after which `entangle` is a command; else the "
    "Python that this runs on is used. Can be given more than once.",
)
def print_slurm(
    study: Path,
    out: Path,
    overwrite: bool,
    quiet: bool,
    name: str | None,
    cores: int,
    time: str | None,
    memory: str | None,
    partition: str | None,
    account: str | None,
    qos: str | None,
    sbatch: tuple[str, ...],
    activate: tuple[str, ...],
    **asked: Any,
) -> None:
    """Write an array job of SLURM that plays STUDY in shards, and the job that merges them.

    The folder must be on a disk that every node sees. `submit.sh` in it submits both jobs; after a task
    failed or was cancelled, it submits what is missing.
    """
    from entangle.batch import Slurm, write_slurm
    from entangle.batch.settings import name_from

    told = Slurm.of(
        name=name_from(study.stem) if name is None else name,
        cores=cores,
        time=time,
        memory=memory,
        partition=partition,
        account=account,
        qos=qos,
        sbatch=sbatch,
        activate=activate,
    )
    request = _request(study, asked)
    needed = write_slurm(request, told, out, overwrite=overwrite)
    if quiet:
        return
    _tell(request, needed, out)
    click.echo(f"Submit: {shlex.quote(str(out / 'submit.sh'))}")
    click.echo(f"Then: {out / 'result.nc'}. If a task fails or is cancelled, submit again.")


@group.command("kubernetes")
@_shared
@click.option("--image", metavar="NAME", required=True, help="Image in which `entangle` is a command.")
@click.option("--namespace", metavar="NAME", help="Else that of the current context.")
@click.option(
    "--claim", metavar="NAME", help="PersistentVolumeClaim that all pods can write to; else one is made."
)
@click.option(
    "--storage", metavar="SIZE", default="5G", show_default=True, help="Size of the claim that is made."
)
@click.option("--storage-class", metavar="NAME", help="Of the claim that is made; else the default.")
@click.option(
    "--user",
    type=int,
    metavar="N",
    default=1000,
    show_default=True,
    help="Number of the user that the pods run as; not 0.",
)
@click.option(
    "--retries",
    type=int,
    metavar="N",
    default=3,
    show_default=True,
    help="How often a shard that failed begins again.",
)
@click.option("--parallelism", type=int, metavar="N", help="Most shards at a time; else all.")
def print_kubernetes(
    study: Path,
    out: Path,
    overwrite: bool,
    quiet: bool,
    name: str | None,
    cores: int,
    time: str | None,
    memory: str | None,
    image: str,
    namespace: str | None,
    claim: str | None,
    storage: str,
    storage_class: str | None,
    user: int,
    retries: int,
    parallelism: int | None,
    **asked: Any,
) -> None:
    """Write an Indexed Job of Kubernetes that plays STUDY in shards, and the Job that merges them.

    The pods run as an ordinary user, on a file system that is for reading only but for their claim.
    """
    from entangle.batch import Kubernetes, write_kubernetes
    from entangle.batch.settings import name_from

    told = Kubernetes.of(
        name=name_from(study.stem) if name is None else name,
        cores=cores,
        time=time,
        memory=memory,
        image=image,
        namespace=namespace,
        claim=claim,
        storage=storage,
        storage_class=storage_class,
        user=user,
        retries=retries,
        parallelism=parallelism,
    )
    request = _request(study, asked)
    needed = write_kubernetes(request, told, out, overwrite=overwrite)
    if quiet:
        return
    _tell(request, needed, out)
    within = f" --namespace {told.namespace}" if told.namespace else ""
    first, run, merge, fetch = (
        shlex.quote(str(out / file)) for file in ("1-plan.yaml", "2-run.yaml", "3-merge.yaml", "4-fetch.yaml")
    )
    wait = f"kubectl wait{within} --for=condition=complete --timeout=24h job/{told.name}"
    copy = f"kubectl exec{within} job/{told.name}-fetch -- cat /work/{told.name}.nc > {told.name}.nc"
    click.echo(f"Run:   kubectl create -f {first} && kubectl create -f {run}")
    click.echo(f"Merge: {wait} && kubectl create -f {merge}")
    click.echo(f"Fetch: {wait}-merge && kubectl create -f {fetch}")
    click.echo(f"Copy:  {copy}")


@group.command("missing")
@click.argument("journal", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--of", type=click.IntRange(1), metavar="N", required=True, help="How many shards there are.")
def print_missing(journal: Path, of: int) -> None:
    """Print which of the shards in DIR were not played to their end, as `sbatch --array` takes them.

    Prints nothing if all are whole. Every file is read and checked.
    """
    from entangle.batch.missing import as_ranges, missing

    found = missing(journal, of)
    if found:
        click.echo(as_ranges(found))


def _request(study: Path, asked: dict[str, Any]) -> Request:
    """Return what is asked, once it is seen to go together."""
    if asked["posterior"] is not None and asked["draws"] is None:
        raise click.UsageError("--posterior is where --draws come from; say how many.")
    if asked["histories"] is not None and not asked["decades"]:
        raise click.UsageError("--histories are of --decades.")
    if asked["decades"]:
        for name in ("trajectories", "attribution", "draws"):
            if asked[name] is not None:
                raise click.UsageError(f"--{name} is for disputes, and --decades plays histories.")
    from entangle.batch import Request

    return Request.read(study, **asked)


def _tell(request: Request, needed: Needs, out: Path) -> None:
    """Say what was written and what it asks for."""
    from entangle.batch.settings import clock

    kind = "histories" if request.decades else "disputes" if request.draws is None else "draws"
    click.echo(
        f"{out}: {request.number:,} {kind} in {request.shards:,} shards of at most {request.largest:,}."
    )
    asks = f"Each asks for {clock(needed.seconds)} and {needed.memory:,} MiB"
    if needed.estimated is not None:
        from entangle.tables.dry_run import duration

        found = needed.estimated
        asks += f"; on this machine, a shard would take {duration(found.least)} to {duration(found.most)}"
    click.echo(f"{asks}.")
