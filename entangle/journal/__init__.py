"""Journals: what a run has done is kept, file by file, and found again; see ``docs/clusters.md``."""
