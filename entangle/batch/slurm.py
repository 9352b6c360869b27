"""Job files for SLURM: an array in which each task plays a shard, and a merge that waits for it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from entangle.batch import folder
from entangle.batch.estimate import Needs, needs
from entangle.batch.request import Request
from entangle.batch.settings import Tasks, clock, matched, one_line, ruled

#: Folders that the jobs write to.
JOURNAL: Final = "journal"
RESULT: Final = "result.nc"

_WORD: Final = matched(
    r"[A-Za-z0-9_][A-Za-z0-9_.,:@+-]{0,127}", rule="must be a name without blanks, quotes or other signs"
)
Word = Annotated[str, _WORD]
Option = Annotated[
    str,
    ruled(
        lambda text: text.startswith("--") and one_line(text) and " #" not in text,
        rule="must be an option of sbatch on one line",
        do="Such as --constraint=skylake",
    ),
]
Line = Annotated[
    str, ruled(one_line, rule="must be one line of shell", do="Give the option once for each line")
]


class Slurm(Tasks):
    """What SLURM is told.

    Parameters
    ----------
    partition, account, qos
        As of sbatch; the cluster's defaults if not given.
    sbatch
        Further options of sbatch, such as ``--constraint=skylake``.
    activate
        Lines of shell that prepare the environment, after which `entangle` is a command; if there are none,
        the Python that wrote the files is used by its path.
    """

    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    sbatch: Annotated[tuple[Option, ...], Field(max_length=50)] = ()
    activate: Annotated[tuple[Line, ...], Field(max_length=200)] = ()


def write_slurm(request: Request, slurm: Slurm, out: str | Path, *, overwrite: bool = False) -> Needs:
    """Write the job files of a batch for SLURM, and return what they ask for.

    Parameters
    ----------
    request
        What to play.
    slurm
        What SLURM is told.
    out
        Folder of the batch, on a disk that every node sees. It can be moved until it is submitted.
    overwrite
        Whether job files in it may be replaced.

    Raises
    ------
    StudyError
        If there is something in the folder already.
    RunError
        If a file cannot be written.
    """
    folder.refuse(Path(out), overwrite=overwrite)
    asked = needs(request, slurm)
    values: dict[str, Any] = {
        "activate": slurm.activate,
        "entangle": "entangle" if slurm.activate else f"{shlex.quote(sys.executable)} -m entangle",
        "command": shlex.join(request.command),
        "journal": JOURNAL,
        "result": RESULT,
        "shards": request.shards,
        "slurm": slurm,
        "memory": asked.memory,
    }
    files = {
        **request.copies,
        "environment.sh": folder.rendered("slurm-environment.sh.j2", **values),
        "shard.sh": folder.rendered("slurm-shard.sh.j2", **values, time=clock(asked.seconds)),
        "merge.sh": folder.rendered("slurm-merge.sh.j2", **values, time=clock(asked.merging)),
        "submit.sh": folder.rendered("slurm-submit.sh.j2", **values),
    }
    folder.write(
        Path(out),
        files,
        folders=("logs", "kernels", "solutions"),
        programs=("submit.sh",),
        overwrite=overwrite,
    )
    return asked
