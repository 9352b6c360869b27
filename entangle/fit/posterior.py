"""What is believed after the fit, as a labelled tree in the groups of ArviZ, and what was learned.

Groups: ``prior`` and ``posterior`` with a variable for each parameter, ``prior_predictive``,
``posterior_predictive`` and ``observed_data`` as far as they are given, and ``sample_stats``. Every draw has
the same weight. A file holds them all and a checksum over them.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from entangle import provenance, strict
from entangle.checked import whole
from entangle.errors import ResultError, StudyError
from entangle.files import write_whole
from entangle.fit.smc import CHOICE, SCHEME, Floats, Indices, Particles, family_variance, generator
from entangle.refusal import refused

if TYPE_CHECKING:
    import xarray as xr

#: What a file says that it is, and its layout. A reader refuses a newer one.
_KIND: Final = "posterior"
FORMAT_VERSION: Final = 1
#: Ends of the interval of a summary.
INTERVAL: Final = (0.05, 0.95)

_STAGE_NAMES: Final = {
    "temperature": "power of the likelihood that was reached",
    "effective": "effective sample size of the weights before resampling",
    "log_ratio": "the stage's share of the log evidence",
    "variance": "variance of log_ratio",
    "rounds": "how often every particle was moved",
    "acceptance": "share of accepted moves",
    "scale": "size of the last moves; 1 is independent of where a particle is",
    "correlation": "largest correlation between the particles before and after the stage's moves",
}


class Parameter(NamedTuple):
    """A fitted parameter: a transform of a standard normal.

    Parameters
    ----------
    name
        Of the variable.
    value
        Called with standard normal numbers; returns the parameter at each.
    units, long_name
        What it is measured in, and what it is.
    """

    name: str
    value: Callable[[Floats], Floats]
    units: str = "1"
    long_name: str = ""


class Chosen(NamedTuple):
    """Draws of equal weight from prior and posterior, in random order.

    Parameters
    ----------
    points
        Draws from the posterior in the space of the prior, shape (draws, d).
    log_likelihood
        At the points, shape (draws,).
    family
        Draws of the same family share an ancestor and may not be independent, shape (draws,).
    prior_points
        As many draws from the prior, shape (draws, d).
    """

    points: Floats
    log_likelihood: Floats
    family: Indices
    prior_points: Floats


def chosen(particles: Particles, *, draws: int | None = None) -> Chosen:
    """Return draws for a tree: all particles, or some at random, always in the same random order.

    The first of them are a sample too. Predictions at ``points`` and ``prior_points`` go into :func:`tree`.

    Raises
    ------
    StudyError
        If there are not as many particles.
    """
    n = len(particles.points)
    draws = n if draws is None else draws
    if not 1 <= draws <= n:
        raise StudyError.single(
            "fit",
            "draws",
            rule=f"must be from 1 to the number of particles ({n})",
            got=str(draws),
            do="More draws would be copies; fit with more particles.",
        )
    order = generator(particles.seed, CHOICE).permutation(n)[:draws]
    return Chosen(
        particles.points[order],
        particles.log_likelihood[order],
        particles.family[order],
        particles.prior_points[:draws],
    )


def tree(
    particles: Particles,
    parameters: Sequence[Parameter],
    *,
    draws: int | None = None,
    prior_predictive: xr.Dataset | None = None,
    posterior_predictive: xr.Dataset | None = None,
    observed_data: xr.Dataset | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Return a fit as a labelled tree.

    Parameters
    ----------
    parameters
        In the order of the space's dimensions.
    draws
        How many to keep; all particles if not given.
    prior_predictive, posterior_predictive
        Predictions with a dimension ``draw``, at the points of :func:`chosen`.
    observed_data
        What was observed, with the names of the predictions.
    attributes
        To be said of the whole, beside what made it.

    Raises
    ------
    StudyError
        If the parameters do not match the space, or predictions the draws.
    """
    import xarray as xr

    dimension = particles.points.shape[1]
    names = [parameter.name for parameter in parameters]
    if len(names) != dimension or len(set(names)) != dimension:
        raise StudyError.single(
            "fit",
            "parameters",
            rule=f"must be {dimension} with different names, one for each dimension of the fit",
            got=", ".join(names) or "none",
        )
    own = chosen(particles, draws=draws)
    groups = {
        "posterior": _values(parameters, own.points),
        "prior": _values(parameters, own.prior_points),
        "sample_stats": _stats(particles, own, names),
    }
    predicted = {"posterior_predictive": posterior_predictive, "prior_predictive": prior_predictive}
    for group, given in predicted.items():
        if given is None:
            continue
        if given.sizes.get("draw") != len(own.points):
            raise StudyError.single(
                "fit",
                group,
                rule=f"must have a dimension 'draw' of size {len(own.points)}",
                got=f"sizes {dict(given.sizes)}",
                do="Predict at the points that `chosen` returns for as many draws.",
            )
        groups[group] = _in_chain(given)
    if observed_data is not None:
        groups["observed_data"] = observed_data
    root = xr.Dataset(attrs={**_made(particles, len(own.points)), **(attributes or {})})
    return xr.DataTree.from_dict({"/": root, **groups})


def _values(parameters: Sequence[Parameter], points: Floats) -> xr.Dataset:
    import xarray as xr

    variables = {
        parameter.name: (
            "draw",
            np.asarray(parameter.value(points[:, i]), np.float64),
            {"long_name": parameter.long_name or parameter.name, "units": parameter.units},
        )
        for i, parameter in enumerate(parameters)
    }
    return _in_chain(xr.Dataset(variables))


def _in_chain(data: xr.Dataset) -> xr.Dataset:
    """Return draws as those of one chain, with both as coordinates."""
    data = data.assign_coords(draw=np.arange(data.sizes["draw"]))
    return data.expand_dims(chain=np.arange(1)).transpose("chain", "draw", ...)


def _stats(particles: Particles, own: Chosen, names: Sequence[str]) -> xr.Dataset:
    import xarray as xr

    points = own.points
    prior = -0.5 * ((points**2).sum(axis=1) + points.shape[1] * np.log(2.0 * np.pi))
    data = xr.Dataset(
        {
            "lp": ("draw", prior + own.log_likelihood, {"long_name": "log of prior times likelihood"}),
            "log_likelihood": ("draw", own.log_likelihood, {"long_name": "log likelihood"}),
            "family": ("draw", own.family, {"long_name": "ancestor; draws that share one may be alike"}),
            "normal": (
                ("draw", "parameter"),
                points,
                {"long_name": "parameter on the scale on which its prior is standard normal"},
            ),
        },
        {"parameter": np.array(names, object)},
    )
    data = _in_chain(data)
    for name, long_name in _STAGE_NAMES.items():
        values = np.array([getattr(stage, name) for stage in particles.stages])
        data[f"stage_{name}"] = ("stage", values, {"long_name": long_name})
    for variable in data.data_vars.values():
        variable.attrs["units"] = "1"
    return data


def _made(particles: Particles, draws: int) -> dict[str, Any]:
    """Return what made a fit."""
    own = provenance.package_version()
    return {
        "title": "Posterior of a fit",
        "source": f"entangle {own}, a Monte Carlo risk engine for security pacts",
        "history": f"entangle {own}: {particles.evaluations} evaluations of the likelihood by tempered "
        f"sequential Monte Carlo with seed {particles.seed}, {draws} draws kept",
        "date_created": provenance.now(),
        "kind": _KIND,
        "method": "tempered sequential Monte Carlo",
        # as text: a seed may need all 64 bits
        "seed": str(particles.seed),
        "settings": json.dumps(asdict(particles.settings)),
        "problem": particles.problem,
        "fingerprint": particles.fingerprint,
        "log_evidence": particles.log_evidence,
        "log_evidence_error": particles.log_evidence_error,
        "evaluations": particles.evaluations,
        "versions": json.dumps(
            {
                "entangle": own,
                **{name: version(name) for name in ("numpy", "xarray")},
                "python": platform.python_version(),
            }
        ),
        "random_scheme": SCHEME,
        "format_version": FORMAT_VERSION,
    }


# -- what was learned --------------------------------------------------------------------------------


def summary(fit: xr.DataTree) -> xr.Dataset:
    """Return what is believed of every parameter after the fit, and how much of it was learned.

    Returns
    -------
    Dataset with dimension ``parameter``
        mean, sd, median, lower, upper
            Of the posterior; the ends are those of the central 90 %.
        prior_median, prior_lower, prior_upper
            The same of the prior.
        learned
            Prior over posterior standard deviation, on the scale on which the prior is normal: 1 where the
            data said nothing.
        effective
            Draws that would say as much about the mean if all were independent, at most those that there are.
    """
    import xarray as xr

    stats = fit["sample_stats"].to_dataset()
    names = [str(name) for name in stats["parameter"].values]
    both = (fit[group].to_dataset() for group in ("posterior", "prior"))
    after, before = (np.array([data[name].values.ravel() for name in names]) for data in both)
    low, high = INTERVAL
    quantiles = (("lower", low), ("median", 0.5), ("upper", high))
    columns = {"mean": after.mean(axis=1), "sd": after.std(axis=1, ddof=1)}
    texts = {"mean": "posterior mean", "sd": "posterior standard deviation"}
    for prefix, draws, which in (("", after, "posterior"), ("prior_", before, "prior")):
        for name, level in quantiles:
            columns[prefix + name] = np.quantile(draws, level, axis=1)
            texts[prefix + name] = f"{which} quantile of {level:g}"
    normal = stats["normal"].values.reshape(-1, len(names))
    columns["learned"] = 1.0 / normal.std(axis=0, ddof=1)
    texts["learned"] = "prior over posterior standard deviation, where the prior is normal"
    family = stats["family"].values.ravel()
    columns["effective"] = np.array([_effective(draws, family) for draws in after])
    texts["effective"] = "effective sample size of the posterior mean"
    return xr.Dataset(
        {name: ("parameter", values, {"long_name": texts[name]}) for name, values in columns.items()},
        {"parameter": np.array(names, object)},
        {"confidence": round(high - low, 9), **{key: fit.attrs[key] for key in ("fingerprint", "seed")}},
    )


def _effective(draws: Floats, family: Indices) -> float:
    """Return how many independent draws would know the mean as well."""
    alike = np.unique(family, return_inverse=True)[1]
    error = family_variance(draws, alike)
    if error == 0.0:
        return float(len(draws))
    return min(float(draws.var()) / error, float(len(draws)))


# -- files -------------------------------------------------------------------------------------------


def save(fit: xr.DataTree, path: str | Path) -> None:
    """Write a fit as netCDF with its checksum, whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind.
    """
    sealed = fit.copy()
    sealed.attrs["sha256"] = _checksum(fit)
    write_whole(path, lambda partial: sealed.to_netcdf(partial, engine="h5netcdf"))


def load(path: str | Path) -> xr.DataTree:
    """Return a fit from its file.

    Raises
    ------
    ResultError
        If the file is missing, damaged, foreign, or of a newer format.
    """
    import xarray as xr

    path = Path(path)
    with strict.opened(path, groups=True) as file:
        _recognise(dict(file.attrs), path)
    try:
        with xr.open_datatree(path, engine="h5netcdf", decode_times=False) as opened:
            groups = {
                node.path: node.to_dataset(inherit=False).load().drop_encoding() for node in opened.subtree
            }
        found = xr.DataTree.from_dict(groups)
    except Exception as error:  # the readers below raise errors of many kinds
        raise strict.unreadable(path, error) from None
    if _checksum(found) != str(found.attrs["sha256"]):
        raise ResultError(
            f"{path}: the file is damaged or was changed: its contents do not match their checksum. "
            "Fit again."
        )
    _check_draws(found, path)
    return found


def _recognise(attrs: Mapping[str, Any], path: Path) -> None:
    """Refuse a file that is no fit, or of a newer format."""
    kind = attrs.get("kind")
    if not isinstance(kind, str) or kind != _KIND or not {"format_version", "sha256"} <= set(attrs):
        raise ResultError(f"{path}: this file is not a fit by entangle.")
    version = whole(attrs, "format_version", path, least=1)
    if version > FORMAT_VERSION:
        raise ResultError(
            f"{path}: the file has format {version}, and this version reads up to {FORMAT_VERSION}. Update "
            "entangle."
        )


def _check_draws(found: xr.DataTree, path: Path) -> None:
    """Refuse a fit whose draws are not those of one chain, a finite number for each parameter."""
    if "posterior" not in found.children:
        raise refused(path, "posterior", "is missing: a fit has draws")
    for group in found.children.keys() & {"prior", "posterior"}:
        data = found[group].to_dataset()
        if data.sizes.get("chain") != 1 or not data.sizes.get("draw") or not data.data_vars:
            raise refused(path, group, "must hold one chain of draws")
        for name, values in data.data_vars.items():
            right = values.dims == ("chain", "draw") and values.dtype.kind == "f"
            if not right or not np.isfinite(values.values).all():
                rule = "must be a finite number for each draw of one chain"
                raise refused(path, f"{group}/{name}", rule, do="Fit again")


def _checksum(fit: xr.DataTree) -> str:
    """Return the SHA-256 over every group, but for what only says when."""
    sha = hashlib.sha256()
    for node in sorted(fit.subtree, key=lambda node: node.path):
        data = node.to_dataset(inherit=False)
        sha.update(f"{node.path}{provenance.checksum(data, dict(data.attrs))}".encode())
    return sha.hexdigest()
