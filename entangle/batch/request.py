"""What a batch is to play: a study and what is asked of it, as the command line of a shard says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from entangle import toml
from entangle.errors import StudyError
from entangle.shards import Shard, fits
from entangle.study import Study

#: Names of the copies in the folder of a batch.
STUDY: Final = "study.toml"
POSTERIOR: Final = "posterior.nc"


@dataclass(frozen=True)
class Request:
    """A study, what is asked of it, and into how many shards that is divided.

    Parameters
    ----------
    study
        As it stands in the file.
    text
        The file, word for word: the batch keeps it, so that a later change of the original moves nothing.
    shards
        How many.
    decades
        Whether histories are played, as by `entangle decades`, and not disputes, as by `entangle run`.
    trajectories, histories, seed, attribution, draws
        As for these commands; as the study says if not given.
    posterior
        File that draws come from; the posterior that comes with the package if not given.
    kept
        That file's bytes, of which the batch keeps a copy as well.
    """

    study: Study
    text: str
    shards: int
    decades: bool = False
    trajectories: int | None = None
    histories: int | None = None
    seed: int | None = None
    attribution: bool | None = None
    draws: int | None = None
    posterior: Path | None = None
    kept: bytes | None = None

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        shards: int,
        decades: bool = False,
        trajectories: int | None = None,
        histories: int | None = None,
        seed: int | None = None,
        attribution: bool | None = None,
        draws: int | None = None,
        posterior: str | Path | None = None,
    ) -> Self:
        """Return the request for the study in a file, checked as far as that is possible before it is run.

        Raises
        ------
        StudyError
            If the study breaks a rule, does not go with what is asked, or has fewer blocks than there are
            to be shards.
        ResultError
            If the posterior is not one.
        """
        data, text = toml.read(path)
        try:
            study = Study.from_dict(data)
        except StudyError as error:
            raise StudyError(toml.with_lines(error.problems, text), str(path)) from None
        made = cls(
            study,
            text,
            shards,
            decades,
            trajectories,
            histories,
            seed,
            attribution,
            draws,
            None if posterior is None else Path(posterior),
            None if posterior is None else _posterior(Path(posterior), draws),
        )
        made._check()
        return made

    @property
    def asked(self) -> Study:
        """The study with the settings that it will be run with."""
        if self.decades:
            given = {"histories": self.histories, "seed": self.seed}
            settings = self.study.simulation.replace(**{k: v for k, v in given.items() if v is not None})
            return self.study.replace(simulation=settings)
        return self.study.asked(
            trajectories=self.trajectories, seed=self.seed, attribution=self.attribution, draws=self.draws
        )

    @property
    def number(self) -> int:
        """How many disputes, draws or histories are divided over the shards."""
        settings = self.asked.simulation
        if self.decades:
            return settings.histories
        return settings.trajectories if self.draws is None else self.draws

    @property
    def block(self) -> int:
        """How many of these cannot be divided."""
        if self.draws is not None:
            return 1
        if self.decades:
            from entangle.decades import BLOCK

            return BLOCK
        from entangle.blocks import BLOCK as DISPUTES

        return DISPUTES

    @property
    def largest(self) -> int:
        """How many of these the largest share has."""
        shares = (Shard(i, self.shards).share(self.number, self.block) for i in range(self.shards))
        return max(stop - first for first, stop in shares)

    @property
    def command(self) -> list[str]:
        """What plays it: words after `entangle`, with the study named as it is in the batch's folder."""
        words = ["decades" if self.decades else "run", STUDY]
        asked = {
            "--trajectories": self.trajectories,
            "--histories": self.histories,
            "--seed": self.seed,
            "--draws": self.draws,
        }
        for name, value in asked.items():
            if value is not None:
                words += [name, str(value)]
        if self.posterior is not None:
            words += ["--posterior", POSTERIOR]
        if self.attribution is not None:
            words.append("--attribution" if self.attribution else "--no-attribution")
        return words

    @property
    def copies(self) -> dict[str, bytes]:
        """The files that the command needs, by the names that it knows them by."""
        found = {STUDY: self.text.encode()}
        if self.kept is not None:
            found[POSTERIOR] = self.kept
        return found

    def _check(self) -> None:
        if self.asked.simulation.until and not self.decades:
            raise StudyError.single(
                "simulation",
                "until",
                rule="cannot be used with shards, since where a run stops depends on all of them",
                got=", ".join(self.asked.simulation.until),
                do="Say how many trajectories instead",
            )
        fits(Shard(0, self.shards), self.number, self.block)


def _posterior(path: Path, draws: int | None) -> bytes:
    """Return the bytes of a posterior, once it is seen to be one and to have as many draws."""
    from entangle import drawn
    from entangle.errors import ResultError

    if draws is not None:
        drawn.points_of(draws, path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()}).") from None
