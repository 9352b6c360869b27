"""Every kernel compiled ahead of time, by running tiny studies through every way into the engine.

What numba compiles is a function for certain types of its arguments. No list of them is kept, which could
grow old: each kind of question is asked of a study small enough to cost nothing, so that the types are those
of real questions. Whether any is missing is for a test to say, which asks other questions of a fresh process
and allows it to compile nothing (``tests/api/test_warm.py``).

What was needed is written down in the folder, so that the next process can see without running anything
whether all of it is still there.
"""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from entangle_kernels import compiled, jit

#: In the folder: what a run may need.
_NEEDED: Final = "needed.list"
_FOLDERS: Final = "entangle-*"


class Kept(NamedTuple):
    """What is on disk.

    Parameters
    ----------
    functions
        Functions that are compiled, each counted once however many types of arguments it is compiled for.
    signatures
        Files: functions with the types of their arguments.
    size
        Bytes.
    """

    functions: int
    signatures: int
    size: int


def folder() -> Path:
    """Return where the compiled code of this version is kept."""
    return jit.STORE.folder


def kept(place: Path) -> Kept:
    """Return what is in a folder."""
    files = [file for file in place.glob(f"*{compiled.SUFFIX}") if file.is_file()]
    names = {file.name.rpartition("-")[0] for file in files}
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return Kept(len(names), len(files), size)


def missing() -> list[str] | None:
    """Return the files that a run may need and that are not there whole; None if that is not known.

    Nothing is compiled, and no kernel loaded.
    """
    body = jit.STORE.read(_NEEDED)
    if body is None:
        return None
    return [name for name in body.decode().split("\n") if jit.STORE.read(name) is None]


def others() -> list[Path]:
    """Return the folders of other versions, oldest first; not those of this one for other processors."""
    version, place = jit.version(), folder()
    found = [other for other in place.parent.glob(_FOLDERS) if other.is_dir() and not other.is_symlink()]
    old = [other for other in found if other != place and not _same(other, version)]
    return sorted(old, key=lambda other: (other.stat().st_mtime, other.name))


def _same(place: Path, version: dict[str, str]) -> bool:
    try:
        told = json.loads((place / compiled.ABOUT).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("version") == version


def clean() -> tuple[int, int]:
    """Remove the folders of other versions; return how many, and how many bytes they held.

    A process that runs another version goes on: it has loaded what it uses, and makes its folder anew.
    """
    removed = size = 0
    for other in others():
        held = kept(other).size
        shutil.rmtree(other, ignore_errors=True)
        if not other.exists():
            removed, size = removed + 1, size + held
    return removed, size


def warm(progress: Callable[[int, int], None] | None = None) -> float:
    """Compile what is not compiled yet; return how many seconds it took.

    Parameters
    ----------
    progress
        Called with (functions ready, functions in all) after each function.

    Raises
    ------
    RunError
        If the code could not be kept.
    """
    from entangle import solve_cache
    from entangle.errors import RunError

    started = time.perf_counter()
    store = jit.STORE
    _import_all()

    def tell() -> None:
        if progress is not None:
            ready = {name.rpartition("-")[0] for name in store.used} | set(store.compiled)
            progress(len(ready), len(jit.KERNELS))

    store.watch = tell
    try:
        # a solution that is found on disk would leave the solver without work, and so without code
        with solve_cache.off(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tiny studies nobody asked about
            for step in _STEPS:
                step()
    finally:
        store.watch = None
    lost = any(next(store.folder.glob(f"{name}-*"), None) is None for name in set(store.compiled))
    whole = not lost and store.write(_NEEDED, "\n".join(sorted(store.used)).encode())
    if not whole:
        raise RunError(
            f"{store.folder}: compiled code could not be written there. Is the disk full, or the folder for "
            "reading only? NUMBA_CACHE_DIR names another one."
        )
    return time.perf_counter() - started


def _import_all() -> None:
    """Import every module of kernels, so that it is known how many functions there are."""
    import pkgutil
    from importlib import import_module

    import entangle_kernels

    for module in pkgutil.iter_modules(entangle_kernels.__path__):
        import_module(f"entangle_kernels.{module.name}")


# -- the questions --------------------------------------------------------------------------------


def _study() -> Any:
    """Return a study that has a bit of everything and solves in a moment."""
    from entangle.study import Study

    return Study.from_dict(
        {
            "scenario": {"challenger": "east", "protege": "west", "defender": "far"},
            "actors": {
                "east": {"capability": 1.0, "regime": 0.2},
                "west": {"capability": 0.5, "regime": 0.7},
                "far": {"capability": 3.0, "regime": 0.8, "nuclear": True},
            },
            "pacts": {
                "no_pact": {},
                "treaty": {
                    "commitment": "defence",
                    "coverage": 0.5,
                    "legislature": True,
                    "approval": 0.6,
                    "intelligence": 0.4,
                    "notice_months": 12.0,
                },
            },
            "parameters": {"precision": 3.0, "types": 2, "rounds": 4},
            "peacetime": {"years": 3, "context_error": 0.5},
        }
    )


def _crises() -> None:
    """Count, trace back, replay and draw crises."""
    study = _study()
    study.exact()
    study.run(trajectories=5000, attribution=False)
    study.run(trajectories=5000, until={"challenge": 0.5})
    result = study.run(trajectories=5000)
    found = result.find("challenge", pact="treaty")
    result.replay(int(found[0]), pact="treaty").story()
    result.find("entanglement", pact="treaty")
    study.sample_given("war", n=2, pact="treaty").replay(0).story()


def _exact() -> None:
    """Divide what a pact does over channels and clauses."""
    study = _study()
    study.channels()
    study.clauses(pacts=["treaty"])
    study.attribution()


def _decades() -> None:
    """Play histories, in one world and in sixteen."""
    study = _study()
    result = study.decades(histories=300, keep=2)
    result.replay(result.find("challenge", pact="treaty")[0], pact="treaty").story()
    study.decade_channels(pacts=["treaty"], histories=300)
    # an axis of length one lies in memory as any other and as its transpose, which numba tells apart:
    # a single year, a single context where nothing moves
    names = "free_riding", "shock", "tilt", "prize", "grievance_step"
    still: dict[str, Any] = dict.fromkeys(names, 0.0)
    still |= {f"{actor}_losses": [0.0] * 8 for actor in ("challenger", "protege", "defender")}
    still["react"] = [0.0] * 3
    for changes in ({"years": 1}, still, still | {"years": 1}):
        flat = study.replace(peacetime=study.peacetime.replace(**changes))
        flat.decades(histories=30)
        flat.decade_channels(pacts=["treaty"], histories=30)


def _parameters() -> None:
    """Draw parameters, and predict what they are fitted to."""
    import numpy as np

    from entangle.fit import predict, priors

    _study().run(draws=2, trajectories=2000)
    predict.predicted(np.zeros(len(priors.NAMES)), members=2, workers=1)


def _searches() -> None:
    """Find an equilibrium in the ways that only hard games need."""
    from entangle.lowering import Setting, games, lower
    from entangle_kernels import equilibrium
    from entangle_kernels.follow import follow

    study = _study()
    setting = Setting.of(study)
    (one, *_), _ = games(lower(study.pacts["treaty"], setting), setting)
    found = equilibrium.trace(one)
    follow(one._replace(precision=one.precision * 1.5), start=one, solution=found)


_STEPS: Final[tuple[Callable[[], None], ...]] = (_crises, _exact, _decades, _parameters, _searches)
