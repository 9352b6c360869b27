"""Job files for batch systems: a run in shards, and the merge after it.

What is written is text to be read before it is submitted: an array job of SLURM or an Indexed Job of
Kubernetes, in which each task plays one shard (:mod:`entangle.shards`) and keeps it in a journal.
"""

from entangle.batch.kubernetes import Kubernetes, write_kubernetes
from entangle.batch.missing import missing
from entangle.batch.request import Request
from entangle.batch.slurm import Slurm, write_slurm

__all__ = ["Kubernetes", "Request", "Slurm", "missing", "write_kubernetes", "write_slurm"]
