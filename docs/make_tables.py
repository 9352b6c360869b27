"""Write the tables of the pages from the code and the shipped posterior, between their markers.

    python docs/make_tables.py            # rewrite what has changed
    python docs/make_tables.py --check    # only say what would change; exit 1 if anything would

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``. Fields, defaults, ranges, labels and
definitions come from the code; what only a person can say (which lever, which reason) stands below, and a
field without its words here is an error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from entangle.actor import Actor, Resolve, Scenario
from entangle.atop.mapping import as_markdown
from entangle.evidence import Moments
from entangle.evidence.moments import shipped
from entangle.fit import draws
from entangle.fit.likelihood import FITTED
from entangle.learning.learned import learned
from entangle.lowering.clauses import CLAUSE_FUNCTIONS, WEIGHT
from entangle.outcomes import OUTCOMES
from entangle.pact import CLAUSES, REQUIRED_BY_COMMITMENT, TRIGGER_BY_COMMITMENT, Coalition, Pact
from entangle.parameters import Parameters
from entangle.peacetime import Peacetime
from entangle.study import Simulation
from entangle.vocabulary import COMMITMENTS, MID_HOSTILITY, RUNGS, SUPPORTS

DOCS: Final = Path(__file__).resolve().parent
PAGES: Final = ("model.md", "atop.md", "decades.md", "evidence.md", "fit.md")

#: What each clause field moves, in the names of the levers (section 5 of model.md).
ACTS_ON: Final[dict[str, str]] = {
    "commitment": "`owed`, `trigger`, `required`",
    "strength": "`owed`",
    "trigger": "`trigger`",
    "required": "`required`",
    "coverage": "`coverage`",
    "provoked_discount": "`owed`, when provoked",
    "reciprocal": "whether the defender owes anything",
    "guarantor": "whether the defender owes anything",
    "ambiguous": "`ambiguous`",
    "consultation": "`accident`, `first_support`, `initial_support`",
    "hotline": "`accident`",
    "integration": "`joint_share`",
    "intelligence": "`accuracy`",
    "access": "`projection`; with forces, `initial_support` and `first_support`",
    "forces": "`tripwire`, `exposure`, `grievance`, `projection`, `initial_support`, `first_support`",
    "assistance": "`capability` of the protégé",
    "protege_floor": "nothing in a crisis",
    "host_support": "nothing in a crisis",
    "legislature": "whether `passes` and `vote_delay` apply",
    "approval": "`passes`",
    "delay": "`vote_delay`",
    "term_years": "nothing in a crisis",
    "review_years": "nothing in a crisis",
    "notice_months": "nothing in a crisis",
    "suspension": "nothing in a crisis",
    "renegotiation": "nothing in a crisis",
    "coalition": "`capability` of the defender, `collective_delay`, `joins`, `owed`",
}

#: Why each structural parameter has the value that it has. None was estimated.
REASONS: Final[dict[str, str]] = {
    "precision": "clear tendencies without certainty; higher values sharpen every difference between "
    "pacts, and at some height the equilibrium stops being unique (section 8)",
    "types": "enough for bluffs and for selection by resolve; the solver's work grows with its cube",
    "rounds": "a year of months, after which a crisis counts as frozen",
    "round_days": "a month, the period of Crisman-Cox & Gibilisco 2018; a label, no formula reads it",
    "decisiveness": "the ratio form at its simplest: chances in proportion to strengths",
    "joint_share": "without joint training, logistics or command most of a helper's strength is elsewhere, "
    "late or idle",
    "support_share": "arms, intelligence and a show of presence are worth part of an army",
    "war_costs": "each rung dearer than the one below, steeply once armies meet and again beyond "
    "conventional war; a month of local war against an equal costs a fifth of a typical stake",
    "support_costs": "words are nearly free, deployments are not",
    "catastrophe": "far above every stake, so that nobody seeks it; finite, so that it can be risked",
    "cooling": "most crises end below force and without a winner; the higher, the harder to stop",
    "decision": "battles decide something about one month in eight, more often the harder they are fought",
    "accident": "rare everywhere, likelier once forces are in contact, most after nuclear use",
    "compromise": "a challenge that fades away still brings something home",
    "revision": "a provoker seeks a part of what is in dispute, not all of it",
    "opening": "a crisis is not free even if it is won (trade, attention, mobilisation); see section 14",
    "begun_rounds": "with it, stepping up to war to make the other side yield is not free, and wars become "
    "rare",
    "audience": "small beside the stake; scaled by regime from half of it to one and a half times",
    "breach": "well above the defender's own stake in its partner, so that help can follow from the "
    "promise and not from interest alone",
    "breach_per_round": "standing by is held against a state while it does so, and most of all at the "
    "partner's defeat",
    "breach_resolve": "a government that cares more for what is at stake cares more for its word; it is also "
    "what makes a defender's conduct tell others something: most of what it does is owed to its promise",
    "tripwire": "leaving one's own struck bases unanswered costs something, but less than the war would; "
    "small forces should deter little (Reiter & Poast 2021)",
    "grievance": "foreign bases next door raise the stake a little (Jervis 1978)",
    "exposure": "bases draw fire onto the host",
    "first_support": "a defender without a pact needs one round to take a position",
    "hotline_effect": "half of the accidents are taken to be misunderstandings that a call can clear up",
    "consultation_effect": "partners who talk restrain each other's incidents, but less than a line to the "
    "other side does",
}


def main(arguments: list[str]) -> int:
    """Rewrite the pages, or only look."""
    changed = []
    for name in PAGES:
        path = DOCS / name
        before = path.read_text(encoding="utf-8")
        after = fill(before)
        if after != before:
            changed.append(name)
            if "--check" not in arguments:
                path.write_text(after, encoding="utf-8")
    if changed:
        print("out of date:" if "--check" in arguments else "rewritten:", ", ".join(changed))
    return 1 if changed and "--check" in arguments else 0


def fill(page: str) -> str:
    """Return a page with every table made anew."""

    def table(match: re.Match[str]) -> str:
        return f"<!-- table: {match[1]} -->\n\n{TABLES[match[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", table, page, flags=re.DOTALL)


# -- the tables ------------------------------------------------------------------------------------


def rungs() -> str:
    rows = (
        (str(i), f"`{rung}`", str(hostility))
        for i, (rung, hostility) in enumerate(zip(RUNGS, MID_HOSTILITY, strict=True))
    )
    return _table(("rung", "name", "MID hostility level"), rows)


def supports() -> str:
    return _table(("support", "name"), ((str(i), f"`{name}`") for i, name in enumerate(SUPPORTS)))


def commitments() -> str:
    rows = (
        (
            f"`{name}`",
            f"{WEIGHT[name]:g}",
            f"`{TRIGGER_BY_COMMITMENT[name]}`" if name != "none" else "–",
            f"`{REQUIRED_BY_COMMITMENT[name]}`" if name != "none" else "–",
        )
        for name in COMMITMENTS
    )
    return _table(("commitment", "weight", "owed from (`trigger`)", "honoured by (`required`)"), rows)


def clauses() -> str:
    rows = []
    for clause, fields in CLAUSES.items():
        function = CLAUSE_FUNCTIONS[clause].__name__
        for field in fields:
            words = _meaning(Pact, field)
            absent = "set by the commitment" if field in ("trigger", "required") else _default(Pact, field)
            rows.append((f"`{field}`", words, _range(Pact, field), absent, ACTS_ON[field], f"`{function}`"))
    return _table(("field", "meaning and unit", "values", "absent", "acts on", "function"), rows)


def words() -> str:
    fields = [name for name in Pact.model_fields if not any(name in family for family in CLAUSES.values())]
    return _table(("field", "meaning"), ((f"`{name}`", _meaning(Pact, name)) for name in fields))


def parameters() -> str:
    fitted = draws.structural(draws.draws(draws.POINT + 1)[draws.POINT])
    rows = (
        (
            f"`{name}`",
            _default(Parameters, name),
            _meaning(Parameters, name),
            _range(Parameters, name),
            "fit" if name in fitted else "assumption",
            REASONS[name],
        )
        for name in Parameters.model_fields
    )
    head = ("parameter", "default", "meaning", "values", "from", "what was thought before")
    return _table(head, rows)


def outcomes() -> str:
    rows = ((f"`{o.name}`", o.meaning, o.given) for o in OUTCOMES)
    return _table(("outcome", "what happened", "given (the denominator)"), rows)


def fitted() -> str:
    moments = shipped()
    rows = []
    for target in moments.targets():
        made, own = moments.combined.get(target.name), moments.moments.get(target.name)
        what = made.what if made else own.what if own else ""
        what += f" (`{'` / `'.join(made.of)}`)" if made else ""
        sign = "=" if target.estimand.match == "same" else "≈"
        engine = f"{sign} {target.estimand}" + (
            f". *{target.estimand.caveat}*" if target.estimand.caveat else ""
        )
        value = f"{target.value:.5g} ({target.lower:.5g} to {target.upper:.5g})"
        rows.append((f"`{target.name}`<br>{target.code}", what, value, _cases(moments, target.name), engine))
    head = ("figure and code", "what", "value (95 %)", "cases", "the engine's side, and *what differs still*")
    return _table(head, rows)


def not_fitted() -> str:
    rows = [
        (
            f"`{name}`<br>{m.code}",
            m.what,
            f"{m.value:.5g} ({m.lower:.5g} to {m.upper:.5g})",
            _cases(shipped(), name),
            m.left_out,
        )
        for name, m in shipped().moments.items()
        if m.left_out is not None
    ]
    return _table(("figure and code", "what", "value (95 %)", "cases", "why not"), rows)


def _cases(moments: Moments, name: str) -> str:
    """Return events, cases, what is counted, and when."""
    if name not in moments.moments:
        return f"as in {' and '.join(f'`{part}`' for part in moments.combined[name].of)}"
    m = moments.moments[name]
    count = f"{m.n:_}" if m.events is None else f"{m.events:_} / {m.n:_}"
    return f"{count}, {m.unit}, {m.period}; {m.denominator}; interval: {m.interval}"


def sources() -> str:
    rows = ((f"`{name}`", source.title, source.citation) for name, source in shipped().sources.items())
    return _table(("source", "data", "cite"), rows)


def _interval(values: Any) -> str:
    """Return a median with the central 90 %."""
    low, middle, high = (float(value) for value in np.nanquantile(values, (0.05, 0.5, 0.95)))
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def believed() -> str:
    """Return every fitted parameter before and after, those of which most was learned first."""
    fit = draws.shipped()
    reasons = {prior.name: prior.why for prior in FITTED}
    data = learned(fit)
    rows = (
        (
            f"`{name}`",
            _interval(fit["prior"][name].values),
            _interval(fit["posterior"][name].values),
            f"{100.0 * float(data.learned.sel(parameter=name)):.0f} %",
            reasons[name],
        )
        for name in map(str, data.parameter.values)
    )
    return _table(("parameter", "prior", "posterior", "learned", "the prior rests on"), rows)


def predictions() -> str:
    """Return every fitted figure beside the engine's side of it before and after the fit."""
    fit = draws.shipped()
    observed = fit["observed_data"].to_dataset()
    before, after = (fit[f"{when}_predictive"].to_dataset() for when in ("prior", "posterior"))
    rows = []
    for code in map(str, observed.figure.values):
        own = observed.sel(figure=code)
        rows.append(
            (
                code,
                f"{own.prediction.item():.3g} ({own.lower.item():.3g} to {own.upper.item():.3g})",
                _interval(before.prediction.sel(figure=code).values),
                _interval(after.prediction.sel(figure=code).values),
            )
        )
    return _table(("figure", "observed (95 %)", "before (90 % of draws)", "after (90 % of draws)"), rows)


def made() -> str:
    """Return what made the shipped posterior."""
    attrs = draws.shipped().attrs
    rows = (
        ("seed", f"`{attrs['seed']}`"),
        ("draws", f"{draws.shipped()['posterior'].sizes['draw']}"),
        ("members of the population", str(attrs["members"])),
        ("evaluations of the likelihood", f"{attrs['evaluations']:_}"),
        ("log evidence", f"{attrs['log_evidence']:.2f} ± {attrs['log_evidence_error']:.2f}"),
        ("draws from the prior without a solution", f"{100.0 * attrs['unsolved']:.1f} %"),
        ("fingerprint", f"`{attrs['fingerprint'][:16]}…`"),
    )
    return _table(("what", "value"), rows)


def _fields_of(model: Any) -> Callable[[], str]:
    def made() -> str:
        rows = (
            (f"`{name}`", _meaning(model, name), _range(model, name), _default(model, name))
            for name in model.model_fields
        )
        return _table(("field", "meaning and unit", "values", "default"), rows)

    return made


TABLES: Final[dict[str, Callable[[], str]]] = {
    "rungs": rungs,
    "supports": supports,
    "commitments": commitments,
    "clauses": clauses,
    "words": words,
    "coalition": _fields_of(Coalition),
    "actor": _fields_of(Actor),
    "resolve": _fields_of(Resolve),
    "scenario": _fields_of(Scenario),
    "simulation": _fields_of(Simulation),
    "parameters": parameters,
    "peacetime": _fields_of(Peacetime),
    "outcomes": outcomes,
    "atop": as_markdown,
    "fitted": fitted,
    "not_fitted": not_fitted,
    "sources": sources,
    "believed": believed,
    "predictions": predictions,
    "made": made,
}


# -- within ----------------------------------------------------------------------------------------


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def _meaning(model: Any, field: str) -> str:
    text = model.model_fields[field].description
    assert text, f"{model.__name__}.{field} has no description"
    return str(text)


def _default(model: Any, field: str) -> str:
    info = model.model_fields[field]
    if info.is_required():
        return "must be given"
    value = info.get_default(call_default_factory=True)
    if isinstance(value, Resolve):
        return f"median {value.median:g}, log_sd {value.log_sd:g}"
    return show(value)


def show(value: Any) -> str:
    """Return a value as TOML would have it, without trailing zeros; a dash for none."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(show(item) for item in value) or "none"
    if isinstance(value, int | float):
        return f"{value:_}" if isinstance(value, int) else f"{value:g}"
    return f"`{value}`" if value else "none"


def _range(model: Any, field: str) -> str:
    schema = model.model_json_schema()
    return _values(schema["properties"][field], schema.get("$defs", {}))


def _values(rule: dict[str, Any], shared: dict[str, Any]) -> str:
    if "$ref" in rule:
        return "a table"
    if "anyOf" in rule:
        return next(_values(option, shared) for option in rule["anyOf"] if option.get("type") != "null")
    if "enum" in rule:
        return ", ".join(f"`{word}`" for word in rule["enum"])
    kind = rule.get("type")
    if kind == "array":
        each = rule["prefixItems"][0] if "prefixItems" in rule else rule.get("items", {})
        least, most = rule.get("minItems"), rule.get("maxItems")
        number = f"{least}" if least == most else f"{least} to {most}"
        return f"{number} × ({_values(each, shared)})" if least else "a list"
    if kind == "boolean":
        return "`true`, `false`"
    if kind == "string":
        return "a name" if "pattern" in rule else "text"
    if kind == "object":
        return "a table"
    low = _bound(rule, "minimum", "≥ ", "exclusiveMinimum", "> ")
    high = _bound(rule, "maximum", "≤ ", "exclusiveMaximum", "< ")
    text = ", ".join(part for part in (low, high) if part) or "any"
    return f"{text}, whole" if kind == "integer" else text


def _bound(rule: dict[str, Any], closed: str, sign: str, opened: str, strict: str) -> str:
    for key, mark in ((closed, sign), (opened, strict)):
        if key in rule:
            value = rule[key]
            power = value.bit_length() - 1 if isinstance(value, int) and value > 2**32 else 0
            return mark + (f"2^{power}" if power and value == 2**power else _short_number(value))
    return ""


def _short_number(value: float) -> str:
    return "2^64 − 1" if value == 2**64 - 1 else f"{value:g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
