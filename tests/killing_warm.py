"""Imported by processes that are to be killed: compiled code is there before they begin."""

from small_studies import small

small(pacts={"no_pact": {}, "treaty": {"commitment": "defence"}}).run(trajectories=10, workers=1)
