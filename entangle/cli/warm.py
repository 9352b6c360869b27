"""`entangle warm`: compile every kernel ahead of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from entangle.cli.running import bar

if TYPE_CHECKING:
    from entangle.warm import Kept


@click.command("warm")
@click.option("--check", is_flag=True, help="Compile nothing; exit with 1 if something is not compiled yet.")
@click.option("--clean", is_flag=True, help="Then remove the code of other versions.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(check: bool, clean: bool, quiet: bool) -> None:
    """Compile every kernel ahead of time, for batch jobs and container images.

    Otherwise each is compiled when it is first called, and kept. Code is kept for each version of entangle,
    its libraries and the kind of processor: run this where, and with what, the work will run. The environment
    variable NUMBA_CACHE_DIR names another place to keep it.
    """
    if check and clean:
        raise click.UsageError("--check changes nothing; leave out --clean.")
    from entangle import warm
    from entangle.errors import RunError
    from entangle_kernels import jit

    if not jit.compiles():
        raise RunError("NUMBA_DISABLE_JIT is set: nothing is compiled. Unset it.")
    place = warm.folder()
    lacking = warm.missing()
    said = [f"Compiled code: {place}"]
    if lacking == []:
        said.append(f"All of it is there: {_told(warm.kept(place))}.")
    elif check:
        lacks = "it was never made whole" if lacking is None else f"{len(lacking)} of its files are missing"
        raise RunError(f"{place}: not everything is compiled ({lacks}). Run: entangle warm")
    else:
        with bar("compiling", quiet=quiet) as (progress,):
            seconds = warm.warm(progress)
        said.append(f"Compiled in {seconds:.0f} s: {_told(warm.kept(place))}.")
    if clean:
        removed, size = warm.clean()
        said.append(f"Removed {_versions(removed)}, {size / 1e6:.1f} MB.")
    elif old := warm.others():
        size = sum(warm.kept(other).size for other in old)
        said.append(
            f"Beside it: {_versions(len(old))}, {size / 1e6:.1f} MB. To remove: entangle warm --clean"
        )
    if not quiet:
        click.echo("\n".join(said))


def _told(kept: Kept) -> str:
    return f"{kept.functions} functions, {kept.signatures} files, {kept.size / 1e6:.1f} MB"


def _versions(number: int) -> str:
    return f"the code of {number} other version{'' if number == 1 else 's'}"
