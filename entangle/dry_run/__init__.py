"""What a study will take, before it is run: time, memory, and how much there is to do.

Counts (games, contexts, blocks, random words, bytes) follow from the study. Times come from a short
measurement on this machine: games are solved, or smaller ones where that would take long; a block is played,
merged, tabulated and written; and the rest is multiplied out.
"""

from entangle.dry_run.crises import dry_run
from entangle.dry_run.histories import dry_run_decades
from entangle.dry_run.report import DryRun, Step

__all__ = ["DryRun", "Step", "dry_run", "dry_run_decades"]
