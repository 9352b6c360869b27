"""Write `gambit_values.json`: Gambit's choices for the cases of `gambit_game`.

Run from the repository root, with pygambit installed:

    PYTHONPATH=kernels:tests python -m oracles.make_gambit_values
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from oracles.gambit_game import CASES, SHARED, case, gambit_choices

HERE = Path(__file__).parent


def main() -> None:
    """Solve every case with Gambit and write down what it says."""
    cases = {
        name: {
            "settings": settings,
            "choices": [
                [*label, [[move, chance] for move, chance in choice.items()]]
                for label, choice in gambit_choices(case(name)).items()
            ],
        }
        for name, settings in CASES.items()
    }
    stored = {
        "how": "pygambit.qre.logit_solve_lambda on the trees of tests/oracles/gambit_game.py, "
        "written by tests/oracles/make_gambit_values.py",
        "pygambit": version("pygambit"),
        "layout": "settings: arguments of reference.games.crisis_game beside `shared`; choices: actor, "
        "round, public state or 'entry', what the mover knows (challenger: type; partner: scope, estimate, "
        "type), then [move, probability]",
        "shared": SHARED,
        "cases": cases,
    }
    text = json.dumps(stored, indent=1)
    # one information set a line
    text = "\n".join(_joined(text.split("\n")))
    (HERE / "gambit_values.json").write_text(text + "\n", encoding="utf-8")


def _joined(lines: list[str]) -> list[str]:
    """Join the lines of every list that is nested below a list of choices."""
    made: list[str] = []
    inside = False
    for line in lines:
        depth = len(line) - len(line.lstrip(" "))
        if inside:
            made[-1] += line.strip() + (" " if line.endswith(",") else "")
            inside = not (depth == 4 and line.strip() in ("]", "],"))
            made[-1] = made[-1].rstrip() if not inside else made[-1]
        else:
            made.append(line)
            inside = depth == 4 and line.strip() == "["
    return made


if __name__ == "__main__":
    main()
