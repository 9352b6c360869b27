"""The fit as a whole: the same bits however it is run, and what its tree holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from entangle.cli import cli
from entangle.errors import RunError
from entangle.evidence.moments import shipped
from entangle.fit import fitting, likelihood
from entangle.fit.fitting import Part, fit
from entangle.fit.likelihood import FITTED, Likelihood
from entangle.fit.posterior import load, save
from entangle.fit.predict import PREDICTED
from entangle.fit.smc import Settings
from entangle.fit.table import figures_as_text

SETTINGS = Settings(particles=144, keep=0.6, correlation=0.5, most_rounds=6, chunk=16)
#: The engine itself, with next to no population.
TINY = (Part(2, replace(SETTINGS, most_rounds=3)),)
#: Two parts, for an engine that costs nothing.
TWO = (Part(2, SETTINGS), Part(4, SETTINGS))


def made_up(point: Any, *, members: int, **_: Any) -> Any:
    """Return shares that depend on the first parameters; a larger population differs a little."""
    off = 0.1 / members
    return 1.0 / (1.0 + np.exp(1.0 + off - 0.5 * point[: len(PREDICTED)]))


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "predicted", made_up)
    monkeypatch.setattr(fitting, "predicted", made_up)


def run(parts: Any, **more: Any) -> Any:
    with ThreadPoolExecutor(2) as executor:
        return fit(parts=parts, seed=5, executor=executor, **more)


def bits(tree: Any) -> dict[str, Any]:
    return {
        f"{node.path}/{name}": variable.values.tobytes()
        for node in tree.subtree
        for name, variable in node.to_dataset(inherit=False).data_vars.items()
    } | {"fingerprint": tree.attrs["fingerprint"]}


@pytest.mark.nightly
def test_a_refit_and_a_resumed_fit_of_the_engine_have_the_same_bits(tmp_path: Path) -> None:
    table = shipped()
    few = {name: one for name, one in table.moments.items() if one.code.startswith("C.esc4")}
    moments = table.model_copy(update={"moments": few, "combined": {}})
    whole = run(TINY, moments=moments)
    half = int(whole.attrs["evaluations"]) // 2
    folder = tmp_path / "kept"
    with pytest.raises(RunError, match="would exceed the cap"):
        run(TINY, moments=moments, checkpoint=folder, max_evaluations=half)
    assert bits(run(TINY, moments=moments, checkpoint=folder)) == bits(whole)
    # what is kept is handed back, and what is predicted from it is the engine's
    fitted = Likelihood.of(moments, members=2)
    point = whole["sample_stats"]["normal"].values[0, 0]
    assert whole["sample_stats"]["log_likelihood"].values[0, 0] == float(fitted(point[np.newaxis])[0])
    on_scale = fitted.of_predictions(
        _spread(whole["posterior_predictive"]["prediction"].values[0, 0], fitted),
        whole["posterior"]["discrepancy"].values[0, 0],
    )
    assert float(on_scale) == float(fitted(point[np.newaxis])[0])


def _spread(values: Any, fitted: Likelihood) -> Any:
    """Return predictions of the fitted figures at their places among all."""
    found = np.full(len(PREDICTED), 0.5)
    found[fitted.places] = values
    return found


def test_a_stop_in_either_part_moves_no_bit(cheap: None, tmp_path: Path) -> None:
    whole = run(TWO)
    total = int(whole.attrs["evaluations"])
    for i, cap in enumerate((total // 3, total - 1)):
        folder = tmp_path / str(i)
        with pytest.raises(RunError, match="would exceed the cap"):
            run(TWO, checkpoint=folder, max_evaluations=cap)
        assert bits(run(TWO, checkpoint=folder)) == bits(whole)
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["members_2.npz", "members_4.npz"]


def test_the_last_part_counts(cheap: None) -> None:
    tree = run(TWO)
    assert tree.attrs["members"] == 4
    dear = Likelihood.of(shipped(), members=4)
    points = tree["sample_stats"]["normal"].values[0, :5]
    assert tree["sample_stats"]["log_likelihood"].values[0, :5] == pytest.approx(dear(points), rel=1e-12)


def test_the_tree_holds_all_that_was_fitted(cheap: None, tmp_path: Path) -> None:
    tree = run(TWO)
    assert set(tree["posterior"].data_vars) == {prior.name for prior in FITTED}
    figures = {target.code: target for target in shipped().targets()}
    observed = tree["observed_data"]
    for code in map(str, observed["figure"].values):
        own = observed.sel(figure=code)
        assert (own.prediction, own.lower, own.upper) == tuple(figures[code][2:5])
    save(tree, tmp_path / "fit.nc")
    assert bits(load(tmp_path / "fit.nc")) == bits(tree)
    text = figures_as_text(tree)
    assert all(code[:15] in text for code in PREDICTED)


def test_a_figure_far_from_all_predictions_is_said_to_be_out(cheap: None) -> None:
    tree = run(TWO)
    observed = tree["observed_data"].to_dataset()
    middle = tree["posterior_predictive"]["prediction"].median(("chain", "draw"))
    for width, met in ((1.0, 17), (0.0, 0)):
        for name, value in (("lower", 0.1), ("prediction", 1.0), ("upper", 9.0)):
            observed[name] = middle * (width * value + (1.0 - width) * 50.0)
        tree["observed_data"] = type(tree)(observed)
        assert f"{met} of 17 in." in figures_as_text(tree)


def test_another_prior_is_another_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {target.code: target for target in shipped().targets()}
    own = Likelihood.of(shipped(), members=2)
    before = fitting.problem(own, figures)
    monkeypatch.setattr(fitting, "FITTED", (FITTED[0]._replace(median=3.1), *FITTED[1:]))
    assert fitting.problem(own, figures) != before


def test_the_command_refuses_to_write_over_a_posterior(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posterior.nc").write_bytes(b"mine")
    done = CliRunner().invoke(cli, ["fit", "--quick"])
    assert done.exit_code == 2
    assert "--out" in done.output
    assert (tmp_path / "posterior.nc").read_bytes() == b"mine"
