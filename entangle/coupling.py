"""How often a pact causes and averts an outcome, exactly: both worlds at once, driven by the same words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import attribution, provenance
from entangle.executors import worker_count
from entangle.solving import EMPTY, prepare
from entangle_kernels import coupled, ladder, worlds

if TYPE_CHECKING:
    from entangle.study import Study

_RUNG, _SUPPORT, _ = (np.array(part) for part in zip(*map(ladder.unpack, range(ladder.STATES)), strict=True))

#: Outcomes that, once there, stay: the public states that they are.
EVENTS: Final[dict[str, NDArray[np.bool_]]] = {
    "defender_fights": _SUPPORT == 3,
    "war": _RUNG >= 4,
    "nuclear_use": _RUNG >= 7,
    "general_war": _RUNG >= 8,
}


def exact_attribution(
    study: Study, *, pacts: Iterable[str] | None = None, workers: int | None = None
) -> xr.Dataset:
    """Return what a pact causes and averts, exactly; see :meth:`entangle.Study.attribution`."""
    names = study.named(pacts)
    threads = worker_count(None, workers)
    asked = study.replace(pacts={name: study.pacts[name] for name in names})
    solved = prepare(asked, empty=True, workers=threads)
    pairs = []
    for name in names:
        pact = solved[name]
        rivals = attribution.rivals(pact, solved[EMPTY])
        nothing = pact.world(solved[EMPTY], worlds.EMPTY)
        others = (*(rivals or (pact.tables, pact.tables)), nothing)
        pairs += [(pact.tables, other, event) for other in others for event in EVENTS.values()]
    with ThreadPoolExecutor(threads) as pool:
        found = np.array(list(pool.map(lambda pair: coupled.joint(*pair), pairs)))
    table = found.reshape(len(names), len(attribution.COUNTERFACTUALS), len(EVENTS), 2, 2)
    caused, averted = table[..., 1, 0], table[..., 0, 1]
    fact, other = caused + table[..., 1, 1], averted + table[..., 1, 1]
    columns = {
        "with_pact": (fact, "under the pact"),
        "without": (other, "in the other world"),
        "caused": (caused, "under the pact and not, with the same luck, in the other world"),
        "averted": (averted, "in the other world and not, with the same luck, under the pact"),
        "net": (fact - other, "caused less averted: the difference, whatever luck the worlds share"),
        "caused_least": (np.maximum(fact - other, 0.0), "least of `caused` that any coupling allows"),
        "caused_most": (np.minimum(fact, 1.0 - other), "most of `caused` that any coupling allows"),
        "averted_least": (np.maximum(other - fact, 0.0), "least of `averted` that any coupling allows"),
        "averted_most": (np.minimum(other, 1.0 - fact), "most of `averted` that any coupling allows"),
    }
    dims = ("pact", "counterfactual", "outcome")
    data = xr.Dataset(
        {
            name: (dims, values, {"long_name": f"exact probability per dispute: {text}", "units": "1"})
            for name, (values, text) in columns.items()
        },
        {
            "pact": ("pact", np.array(names, dtype=object)),
            "outcome": ("outcome", np.array(list(EVENTS), dtype=object)),
            **attribution.coordinates(),
        },
    )
    data.attrs = {
        "title": study.title or "What pacts cause and avert",
        "source": f"entangle {provenance.package_version()}",
        "study": json.dumps(study.to_dict(), ensure_ascii=False),
        "fingerprint": study.fingerprint,
    }
    return data
