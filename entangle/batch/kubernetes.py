"""Job files for Kubernetes: an Indexed Job in which each index plays a shard, and a Job that merges."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from entangle.batch import folder
from entangle.batch.estimate import Needs, needs
from entangle.batch.request import STUDY, Request
from entangle.batch.settings import JobName, Memory, Tasks, matched
from entangle.errors import StudyError

#: Where the claim is in a pod.
_WORK: Final = "/work"
#: Most that a ConfigMap holds, with room for its frame [bytes].
_MOST: Final = 1_000_000
#: How long a pod stays from which the result can be copied [s].
_FETCHING: Final = 600

Image = Annotated[
    str,
    matched(
        r"[a-z0-9][a-z0-9._:/-]{0,400}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        rule="must be the name of an image",
        do="Such as registry.example.org/entangle:0.1",
    ),
]
Subdomain = Annotated[
    str,
    matched(
        r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*",
        rule="must be lower-case letters, digits, hyphens and dots, as names in Kubernetes are",
    ),
]


class Kubernetes(Tasks):
    """What Kubernetes is told.

    Parameters
    ----------
    image
        With `entangle` as a command, and compiled code for the nodes (`entangle warm`).
    namespace
        That of the current context if not given.
    claim
        A PersistentVolumeClaim that is there and can be written to from many nodes; one is made if not given.
    storage, storage_class
        Size and class of the claim that is made; the cluster's default class if not given.
    user
        Number of the user and group that the pods run as; not 0.
    retries
        How often a shard that failed begins again.
    parallelism
        Most shards at a time; all if not given.
    """

    image: Image
    namespace: JobName | None = None
    claim: Subdomain | None = None
    storage: Memory = "5G"
    storage_class: Subdomain | None = None
    user: Annotated[int, Field(ge=1, lt=2**31)] = 1000
    retries: Annotated[int, Field(ge=0, le=100)] = 3
    parallelism: Annotated[int, Field(ge=1, le=100_000)] | None = None


def write_kubernetes(
    request: Request, kubernetes: Kubernetes, out: str | Path, *, overwrite: bool = False
) -> Needs:
    """Write the manifests of a batch for Kubernetes, and return what they ask for.

    Parameters
    ----------
    request
        What to play.
    kubernetes
        What Kubernetes is told.
    out
        Folder of the manifests.
    overwrite
        Whether manifests in it may be replaced.

    Raises
    ------
    StudyError
        If there is something in the folder already, or the study and its posterior are too large to be sent
        along.
    RunError
        If a file cannot be written.
    """
    folder.refuse(Path(out), overwrite=overwrite)
    binary = {
        name: base64.b64encode(content).decode() for name, content in request.copies.items() if name != STUDY
    }
    size = len(request.text.encode()) + sum(map(len, binary.values()))
    if size > _MOST:
        raise StudyError.single(
            "study",
            rule=f"must fit into a ConfigMap with its posterior, which holds {_MOST:,} bytes",
            got=f"{size:,}",
            do="Use the posterior that comes with the package, or put yours into the image",
        )
    asked = needs(request, kubernetes)
    journal, result = (f"{_WORK}/{kubernetes.name}.{kind}" for kind in ("journal", "nc"))
    workers = ["--workers", str(kubernetes.cores)]
    shard = [*request.command, *workers, "--journal", journal, "--shard", f"auto/{request.shards}"]
    merge = ["merge", journal, *workers, "--out", result]
    stay = ["python3", "-c", f"import time; time.sleep({_FETCHING})"]
    values: dict[str, Any] = {
        "k8s": kubernetes,
        "memory": asked.memory,
        "work": _WORK,
        "result": result,
        "shards": request.shards,
    }
    files = {
        **request.copies,
        "1-plan.yaml": folder.rendered(
            "kubernetes-plan.yaml.j2", **values, study_name=STUDY, study=request.text, binary=binary
        ),
        "2-run.yaml": folder.rendered(
            "kubernetes-run.yaml.j2",
            **values,
            component="shard",
            command=["entangle", *shard],
            deadline=asked.seconds,
            parallelism=min(kubernetes.parallelism or request.shards, request.shards),
        ),
        "3-merge.yaml": folder.rendered(
            "kubernetes-merge.yaml.j2",
            **values,
            component="merge",
            command=["entangle", *merge],
            deadline=asked.merging,
        ),
        "4-fetch.yaml": folder.rendered(
            "kubernetes-fetch.yaml.j2", **values, component="fetch", command=stay, deadline=_FETCHING
        ),
    }
    folder.write(Path(out), files, overwrite=overwrite)
    return asked
