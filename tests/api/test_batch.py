"""Job files: what stands in them, what they do, and what is refused before one is written."""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from entangle.batch import estimate
from entangle.batch import folder as batch_folder
from entangle.batch.missing import as_ranges, missing
from entangle.batch.settings import clock
from entangle.blocks import BLOCK
from entangle.cli import cli
from entangle.errors import RunError
from entangle_kernels import jit
from small_studies import small, small_fitted

ROOT = Path(__file__).resolve().parents[2]
TRAJECTORIES = 5 * BLOCK + 99
#: Names that a shell, a template or a batch system might trip over.
HOSTILE = (
    "a b",
    "it's",
    'a "b" c',
    "$(touch pwned)`touch pwned`",
    "a\nb\n",
    "-rf *",
    "%A_%a\\n",
    "{{ 7 * 7 }}{% raw %}",
    "grün 🚀",
)
SLURM = "slurm", "STUDY", "--out", "OUT", "--shards", 2
LIMITS = "--time", "01:00:00", "--memory", "1G"
#: Python with this checkout, which warms nothing.
ENTANGLE = f'entangle() {{ [ "$1" = warm ] || {shlex.quote(sys.executable)} -m entangle "$@"; }}'

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


def environment(**more):
    folders = [ROOT, ROOT / "kernels"]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))} | more


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    small().save(path, comment="kept word for word, Länder and all")
    return path


@pytest.fixture
def command(study, tmp_path):
    """Return what calls `entangle batch`: words as they are, STUDY and OUT for the study and a folder."""

    def call(*arguments, code=0, out=tmp_path / "batch"):
        places = {"STUDY": str(study), "OUT": str(out)}
        told = [places.get(str(part), str(part)) for part in arguments]
        done = CliRunner().invoke(cli, ["batch", *told], env={"COLUMNS": "1000"})
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    return call


def directives(script):
    """Return the options of sbatch in a script."""
    found = re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == script.read_text(encoding="utf-8").count("#SBATCH")
    return dict(found)


def manifests(path):
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


# -- SLURM -------------------------------------------------------------------------------------------


def test_what_slurm_is_told(command, study, tmp_path):
    said = command(
        "slurm", "STUDY", "--out", "OUT", "--shards", 6, "--cores", 4, "--time", "1-02:03:04", "--memory", "3G",
        "--partition", "long,short", "--account", "pacts", "--qos", "normal", "--name", "rok",
        "--sbatch=--constraint=skylake", "--sbatch=--mail-type=END,FAIL", "--trajectories", TRAJECTORIES,
        "--seed", 7, "--no-attribution",
    )  # fmt: skip
    batch = tmp_path / "batch"
    shared = {
        "ntasks": "1", "cpus-per-task": "4", "mem": "3072M", "time": "1-02:03:04", "open-mode": "append",
        "requeue": "", "partition": "long,short", "account": "pacts", "qos": "normal",
        "constraint": "skylake", "mail-type": "END,FAIL",
    }  # fmt: skip
    assert directives(batch / "shard.sh") == shared | {
        "job-name": "rok", "array": "0-5", "output": "logs/shard-%a.log",
    }  # fmt: skip
    assert directives(batch / "merge.sh") == shared | {"job-name": "rok-merge", "output": "logs/merge.log"}
    asked = f"run study.toml --trajectories {TRAJECTORIES} --seed 7 --no-attribution"
    assert asked in (batch / "shard.sh").read_text()
    assert "--journal journal --shard auto/6" in (batch / "shard.sh").read_text()
    assert (batch / "study.toml").read_bytes() == study.read_bytes()
    assert os.access(batch / "submit.sh", os.X_OK)
    assert "327,779 disputes in 6 shards of at most 65,536." in said
    assert "Each asks for 1-02:03:04 and 3,072 MiB." in said
    assert f"Submit: {batch / 'submit.sh'}" in said


@needs_bash
@pytest.mark.parametrize("hostile", HOSTILE)
def test_paths_come_through_the_shell_as_they_are(hostile, command, tmp_path, monkeypatch):
    """The study, the folder and Python may be called anything; nothing of it is run or expanded."""
    place = tmp_path / hostile
    place.mkdir()
    study, python, out = place / f"{hostile}.toml", place / f"{hostile}.py", place / f"{hostile} out"
    small().save(study)
    python.write_text("#!/bin/bash\nprintf '%s\\n' \"$@\"\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    said = command("slurm", study, "--out", out, "--shards", 2, *LIMITS)
    submit = shlex.quote(str(out / "submit.sh"))
    assert f"Submit: {submit}\n" in said
    for script in out.glob("*.sh"):
        subprocess.run(["bash", "-n", script], check=True)
        text = script.read_text(encoding="utf-8")
        assert str(tmp_path) not in text or script.name == "environment.sh"
    done = subprocess.run(
        ["bash", "-c", '. ./environment.sh && "${entangle[@]}" one "two three"'],
        cwd=out, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "-m\nentangle\none\ntwo three\n"
    assert not list(tmp_path.rglob("pwned"))


#: Commands of SLURM that note what they are called with. sbatch runs the job here, each task of it, if it need
#: not wait for one that failed; numbers jobs from 1.
SBATCH = r"""#!/bin/bash
printf '%s\n' "$*" >>"$CALLS"
number=$(($(cat "$CALLS.number" 2>/dev/null || echo 0) + 1)); echo $number >"$CALLS.number"
array="" after=""
for word in "$@"; do
    case $word in
    --chdir=*) cd -- "${word#*=}" ;;
    --array=*) array=${word#*=} ;;
    --dependency=afterok:*) after=${word##*:} ;;
    esac
done
script=${*: -1}
good=0
if [ -n "$array" ]; then
    for task in $(echo "$array" | tr , '\n' | sed 's/-/ /' | while read -r a b; do seq "$a" "${b:-$a}"; done); do
        SLURM_ARRAY_TASK_ID=$task bash "$script" >&2 || good=1
    done
    echo $good >"$CALLS.$number"
elif [ -z "$after" ] || [ "$(cat "$CALLS.$after")" = 0 ]; then
    bash "$script" >&2
fi
echo "$number;here"
"""
SQUEUE = '#!/bin/bash\nprintf \'%s\\n\' "$*" >>"$CALLS.asked"\ncat "$CALLS.left" 2>/dev/null || exit 1\n'


@needs_bash
def test_what_is_submitted_and_again_after_a_task_failed(command, tmp_path):
    programs, out = tmp_path / "programs", tmp_path / "here: $x 'y'\nz"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE)):
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    calls = tmp_path / "calls"
    variables = environment(
        ENTANGLE_NODE_CACHE=str(jit.root()),  # what is compiled already
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        CALLS=str(calls),
        SOURCE_DATE_EPOCH="1700000000",
    )
    command(
        "slurm", "STUDY", "--out", "OUT", "--shards", 3, *LIMITS, "--trajectories", TRAJECTORIES,
        "--activate", ENTANGLE, "--activate", 'test ! -e broken || test "${SLURM_ARRAY_TASK_ID:-0}" != 1',
        out=out,
    )  # fmt: skip

    def submit(*more, code=0):
        calls.unlink(missing_ok=True)
        # as one calls it from elsewhere
        done = subprocess.run(
            [out / "submit.sh", *more],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        where = f"--chdir={out}"
        told = calls.read_text().replace(where, "HERE").splitlines() if calls.exists() else []
        return done.stdout + done.stderr * (code != 0), told

    (out / "broken").touch()
    _, told = submit("--nice=5")
    assert told == [
        "--parsable HERE --array=0-2 --nice=5 shard.sh",
        "--parsable HERE --dependency=afterok:1 --kill-on-invalid-dep=yes --nice=5 merge.sh",
    ]
    assert not (out / "result.nc").exists()
    assert (out / "submitted").read_text() == "1,2\n"
    (out / "broken").unlink()

    (tmp_path / "calls.left").write_text("1_0\n")
    said, told = submit(code=1)
    assert said == "This batch is still in the queue, as job 1,2. Wait for it, or cancel it first.\n"
    assert told == []
    assert "--jobs=1,2" in (tmp_path / "calls.asked").read_text()
    (tmp_path / "calls.left").unlink()

    said, told = submit()
    assert said == "shards 1: job 3\nmerge into result.nc: job 4\n"
    assert told[0] == "--parsable HERE --array=1 shard.sh"
    single = tmp_path / "single.nc"
    subprocess.run(
        [sys.executable, "-m", "entangle", "run", out / "study.toml", "--trajectories", str(TRAJECTORIES),
         "--out", single, "--quiet"],
        env=variables, check=True,
    )  # fmt: skip
    assert (out / "result.nc").read_bytes() == single.read_bytes()

    said, told = submit()
    assert said == "no shard is missing\nmerge into result.nc: job 5\n"
    assert told == ["--parsable HERE merge.sh"]


#: Instead of entangle: notes its words, finds or makes compiled code as `entangle warm` does.
WARM = r"""entangle() {
    echo "$*" >>calls
    [ ! -e broken ] || return 1
    [ "$2" = --check ] && { [ -e "$NUMBA_CACHE_DIR/entangle-1/code" ]; return; }
    mkdir -p "$NUMBA_CACHE_DIR/entangle-1" && echo compiled >"$NUMBA_CACHE_DIR/entangle-1/code"
}"""


@needs_bash
def test_compiled_code_is_made_once_and_fetched_by_other_nodes(command, tmp_path):
    command("slurm", "STUDY", "--out", "OUT", "--shards", 2, *LIMITS, "--activate", WARM.replace("\n", "; "))
    batch = tmp_path / "batch"
    # of several lines above; an option is one line
    (batch / "environment.sh").write_text(
        (batch / "environment.sh").read_text().replace(WARM.replace("\n", "; "), WARM)
    )

    def task(node):
        (batch / "calls").unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-c", '. ./environment.sh; use_kernels; echo "$NUMBA_CACHE_DIR"'],
            cwd=batch, env=environment(ENTANGLE_NODE_CACHE=str(node)), capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done, (batch / "calls").read_text().splitlines()

    first, other, taken = (tmp_path / name for name in ("node one", "node two", "taken"))
    check, compile_ = "warm --check --quiet", "warm --quiet"
    assert task(first)[1] == [check, compile_]
    assert (batch / "kernels" / "entangle-1" / "code").read_text() == "compiled\n"
    assert task(first)[1] == [check]
    done, _ = task(other)
    assert (other / "entangle-1" / "code").read_text() == "compiled\n"
    assert done.stdout == f"{other}\n"
    assert (other.stat().st_mode & 0o777, (other / "entangle-1").stat().st_mode & 0o777) == (0o700, 0o700)
    assert list((batch / "kernels").iterdir()) == [batch / "kernels" / "entangle-1"]

    # a link that somebody left under that name is not followed
    taken.symlink_to(other)
    (other / "entangle-1" / "code").unlink()
    done, _ = task(taken)
    assert done.stdout != f"{taken}\n"
    assert not (other / "entangle-1" / "code").exists()

    # what cannot be compiled ahead does not end the job
    (batch / "broken").touch()
    done, _ = task(tmp_path / "node three")
    assert done.stderr == "The core could not be compiled ahead; it is when it is called.\n"


def test_shards_that_are_missing(command, tmp_path, study):
    journal = tmp_path / "journal"
    assert command("missing", journal, "--of", 3) == "0-2\n"
    journal.mkdir()
    assert command("missing", journal, "--of", 3) == "0-2\n"
    (journal / "shard-0-of-3").mkdir()  # of a task that was ended at once
    assert command("missing", journal, "--of", 3) == "0-2\n"
    run = ["run", str(study), "--trajectories", str(TRAJECTORIES), "--journal", str(journal), "--quiet"]
    for which in (0, 1, 2):
        CliRunner().invoke(cli, [*run, "--shard", f"{which}/3"], catch_exceptions=False)
    assert command("missing", journal, "--of", 3) == ""
    min((journal / "shard-1-of-3" / "blocks").glob("*")).unlink()
    assert missing(journal, 3) == [1]
    refused = command("missing", journal, "--of", 4, code=2)
    assert "shard-0-of-3: must be one of 4 shards, got a journal of something else." in refused


@given(st.sets(st.integers(0, 30)))
@settings(max_examples=50)
def test_ranges_are_the_numbers(numbers):
    found = set()
    for part in filter(None, as_ranges(sorted(numbers)).split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == numbers


# -- Kubernetes --------------------------------------------------------------------------------------

KUBERNETES = (
    "kubernetes",
    "STUDY",
    "--out",
    "OUT",
    "--shards",
    6,
    "--image",
    "registry.example.org:5000/a/b:0.1",
)


def test_what_kubernetes_is_told(command, study, tmp_path):
    said = command(
        *KUBERNETES, *LIMITS, "--cores", 2, "--name", "rok", "--namespace", "risk", "--storage", "2G",
        "--storage-class", "shared.fast", "--user", 4711, "--retries", 5, "--parallelism", 3,
        "--trajectories", TRAJECTORIES,
    )  # fmt: skip
    batch = tmp_path / "batch"
    plan, claim = manifests(batch / "1-plan.yaml")
    (run,), (merge,), (fetch,) = (
        manifests(batch / f"{name}.yaml") for name in ("2-run", "3-merge", "4-fetch")
    )
    assert {part["metadata"]["namespace"] for part in (plan, claim, run, merge, fetch)} == {"risk"}
    assert plan["immutable"] is True
    assert plan["data"]["study.toml"] == study.read_text(encoding="utf-8")
    assert (claim["metadata"]["name"], claim["spec"]["storageClassName"]) == ("rok", "shared.fast")
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    job = run["spec"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 6, 3)
    # the limit of each index is there only with pods that are not begun again in place
    assert (job["backoffLimitPerIndex"], job["template"]["spec"]["restartPolicy"]) == (5, "Never")
    for part, name in ((run, "shard"), (merge, "merge"), (fetch, "fetch")):
        template = part["spec"]["template"]
        assert template["metadata"]["labels"]["app.kubernetes.io/component"] == name
        pod, (container,) = template["spec"], template["spec"]["containers"]
        security = pod["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, 4711, 4711)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        assert container["resources"]["limits"] == {"cpu": 2, "memory": "1024Mi"}
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}
    (container,) = job["template"]["spec"]["containers"]
    assert container["command"] == [
        "entangle", "run", "study.toml", "--trajectories", str(TRAJECTORIES), "--workers", "2",
        "--journal", "/work/rok.journal", "--shard", "auto/6",
    ]  # fmt: skip
    assert merge["spec"]["template"]["spec"]["containers"][0]["command"] == [
        "entangle", "merge", "/work/rok.journal", "--workers", "2", "--out", "/work/rok.nc",
    ]  # fmt: skip
    assert [line.partition(":")[0] for line in said.splitlines()[2:]] == ["Run", "Merge", "Fetch", "Copy"]
    wait = "kubectl wait --namespace risk --for=condition=complete --timeout=24h job/rok"
    assert f"Merge: {wait} && kubectl create -f {batch / '3-merge.yaml'}\n" in said
    copy = "kubectl exec --namespace risk job/rok-fetch -- cat /work/rok.nc"
    assert f"Copy:  {copy} > rok.nc\n" in said
    assert copy in (batch / "4-fetch.yaml").read_text()


def test_a_claim_that_is_there_is_used_and_none_made(command, tmp_path):
    command(*KUBERNETES, *LIMITS, "--claim", "scratch.disk", "--quiet")
    (plan,) = manifests(tmp_path / "batch" / "1-plan.yaml")
    assert "namespace" not in plan["metadata"]
    (run,) = manifests(tmp_path / "batch" / "2-run.yaml")
    volumes = {volume["name"]: volume for volume in run["spec"]["template"]["spec"]["volumes"]}
    assert volumes["work"] == {"name": "work", "persistentVolumeClaim": {"claimName": "scratch.disk"}}


@pytest.mark.parametrize("name", ["1", "0x1f", "1e3", "null", "true", "2026-11-23", "n", "us-rok"])
def test_names_stay_text(name, command, tmp_path):
    command(*KUBERNETES, *LIMITS, "--name", name, "--namespace", name, "--quiet")
    for path in sorted((tmp_path / "batch").glob("*.yaml")):
        for part in manifests(path):
            told = part["metadata"]
            assert told["namespace"] == told["labels"]["app.kubernetes.io/instance"] == name
            assert told["name"].removesuffix("-plan").removesuffix("-merge").removesuffix("-fetch") == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_through_yaml_as_it_is(text):
    assert yaml.safe_load(f"a: {batch_folder.quoted(text)}") == {"a": text}
    assert yaml.safe_load(f"a: {batch_folder.quoted([text])}") == {"a": [text]}
    assert "\n" not in batch_folder.quoted(text)


def test_a_posterior_goes_along_as_it_is(command, tmp_path):
    from entangle.drawn import shipped
    from entangle.fit import posterior

    path = tmp_path / "own fit.nc"
    posterior.save(shipped(), path)
    asked = "--draws", 6, "--posterior", path, "--trajectories", 500
    command(*KUBERNETES[:5], 3, *KUBERNETES[6:], *LIMITS, *asked, out=tmp_path / "k")
    (plan, _), (run,) = manifests(tmp_path / "k" / "1-plan.yaml"), manifests(tmp_path / "k" / "2-run.yaml")
    assert base64.b64decode(plan["binaryData"]["posterior.nc"]) == path.read_bytes()
    told = ["run", "study.toml", "--trajectories", "500", "--draws", "6", "--posterior", "posterior.nc"]
    assert run["spec"]["template"]["spec"]["containers"][0]["command"][1 : 1 + len(told)] == told
    command("slurm", "STUDY", "--out", "OUT", "--shards", 3, *LIMITS, *asked, out=tmp_path / "s")
    assert (tmp_path / "s" / "posterior.nc").read_bytes() == path.read_bytes()
    assert shlex.join(told) in (tmp_path / "s" / "shard.sh").read_text()


def test_manifests_follow_the_schema_of_kubernetes(command, tmp_path):
    validate = pytest.importorskip(
        "kubernetes_validate",
        reason="its schemas are not here: pip install 'entangle-pacts[kubernetes-schemas]'",
    )
    command(*KUBERNETES, *LIMITS, "--namespace", "risk", "--storage-class", "fast", "--parallelism", 2)
    oldest, newest = "1.29", validate.latest_version()
    seen = []
    for path in sorted((tmp_path / "batch").glob("*.yaml")):
        for part in manifests(path):
            for version in (oldest, newest):
                assert version.startswith(validate.validate(part, version, strict=True))
            seen.append(part["kind"])
    assert seen == ["ConfigMap", "PersistentVolumeClaim", "Job", "Job", "Job"]
    (run,) = manifests(tmp_path / "batch" / "2-run.yaml")
    for key, wrong in (("completions", "six"), ("backofLimitPerIndex", 3)):
        with pytest.raises(validate.ValidationError):
            validate.validate(run | {"spec": run["spec"] | {key: wrong}}, newest, strict=True)


# -- time and memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        (("--trajectories", TRAJECTORIES), {"simulating"}),
        (("--draws", 4, "--trajectories", 500), {"simulating", "solving"}),
        (("--decades", "--histories", 40_000), {"simulating"}),
    ],
    ids=["disputes", "draws", "histories"],
)
def test_what_is_not_said_comes_from_a_dry_run(asked, steps, command, study, tmp_path, monkeypatch):
    monkeypatch.setenv("ENTANGLE_CACHE", "as it was")
    small_fitted(peacetime={"years": 2, "context_error": 0.5}).save(study)
    found = []

    def noted(request, cores):
        # nothing that this disk knows of is taken for granted on a node
        dry = forecast(request, cores)
        found.append((request.largest, cores, dry))
        return dry

    forecast = estimate.forecast
    monkeypatch.setattr(estimate, "forecast", noted)
    said = command(*SLURM, *asked, "--cores", 2)
    ((largest, cores, dry),) = found
    assert cores == dry.memory.threads == 2
    number = {"crises": "trajectories", "draws": "draws", "histories": "histories"}[dry.what]
    assert dry.counts[number] == largest
    told = directives(tmp_path / "batch" / "shard.sh")
    assert told["time"] == clock(estimate.limit(dry.most))
    assert told["mem"] == f"{estimate.held(dry.memory.total)}M"
    assert int(told["mem"][:-1]) * 2**20 >= 1.5 * dry.memory.total
    rest = sum(step.most for step in dry.steps if step.name not in steps)
    assert rest < dry.most
    assert directives(tmp_path / "batch" / "merge.sh")["time"] == clock(estimate.limit(rest))
    assert "a shard would take" in said
    assert os.environ["ENTANGLE_CACHE"] == "as it was"
    assert not (tmp_path / "as it was").exists()
    # what is said stands, the rest is estimated
    command(*SLURM, *asked, "--cores", 2, "--memory", "7G", "--overwrite")
    assert directives(tmp_path / "batch" / "shard.sh")["mem"] == "7168M"
    assert len(found) == 2


def test_a_dry_run_that_fails_leaves_nothing_behind(command, study, tmp_path, monkeypatch):
    def forecast(request, cores):
        raise RunError("None of the draws that were tried could be solved.")

    monkeypatch.setattr(estimate, "forecast", forecast)
    assert command(*SLURM, code=1) == "None of the draws that were tried could be solved.\n"
    assert not (tmp_path / "batch").exists()


@given(st.floats(0.0, 1e7))
def test_more_is_asked_for_than_is_expected(seconds):
    asked = estimate.limit(seconds)
    assert 1.5 * seconds + 300.0 <= asked < 1.5 * seconds + 601.0
    assert asked % 300 == 0


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (*SLURM, "--cores", 0),
            "--cores: must be at least 1, got 0.",
        ),
        (
            (*SLURM, "--time", "2h"),
            "--time: must be hours:minutes:seconds or days-hours:minutes:seconds, got '2h'. Such as 02:30:00, or 1-00:00:00 for a day.",
        ),
        (
            (*SLURM, "--memory", "4 GB"),
            "--memory: must be a whole number with the unit M or G, got '4 GB'. Such as 1500M, or 4G.",
        ),
        (
            (*SLURM, "--partition", "long; rm -rf /"),
            "--partition: must be a name without blanks, quotes or other signs, got 'long; rm -rf /'.",
        ),
        (
            (*SLURM, "--name", "Über uns"),
            "--name: must be at most 40 lower-case letters and digits, with hyphens between them, got 'Über uns'. Such as us-rok.",
        ),
        (
            (*SLURM, "--sbatch", "--nice\n#SBATCH --uid=0"),
            "--sbatch: must be an option of sbatch on one line, got '--nice\\n#SBATCH --uid=0'. Such as --constraint=skylake.",
        ),
        (
            (*SLURM, "--activate", "module load x\nrm -rf /"),
            "--activate: must be one line of shell, got 'module load x\\nrm -rf /'. Give the option once for each line.",
        ),
        (
            (*SLURM, "--account", "", "--qos", "a b"),
            "--account: must be a name without blanks, quotes or other signs, got ''.\n--qos: must be a name without blanks, quotes or other signs, got 'a b'.",
        ),
        (
            (*SLURM[:-1], 20, "--trajectories", TRAJECTORIES),
            "shard: must be one of at most as many as there are blocks, here 6 of 65,536, got 20 shards. Use fewer.",
        ),
        (
            (*SLURM, "--histories", 5),
            "--histories are of --decades.",
        ),
        (
            (*SLURM, "--decades", "--draws", 5),
            "--draws is for disputes, and --decades plays histories.",
        ),
        (
            (*SLURM, "--posterior", "x.nc"),
            "--posterior is where --draws come from; say how many.",
        ),
        (
            (*SLURM, "--draws", 4, "--posterior", "nowhere.nc"),
            "nowhere.nc",
        ),
        (
            ("slurm", "STUDY", "--out", "no/where", "--shards", 2),
            "--out: must stand in a folder that is there, got 'no/where'.",
        ),
        (
            ("slurm", "STUDY", "--out", "STUDY", "--shards", 2),
            "--out: must be a folder, got the file ",
        ),
        (
            ("slurm", "nowhere.toml", "--out", "OUT", "--shards", 2),
            "nowhere.toml: the study: the file does not exist.",
        ),
        (
            (*KUBERNETES, "--user", 0),
            "--user: must be at least 1, got 0.",
        ),
        (
            (*KUBERNETES[:-1], "my image"),
            "--image: must be the name of an image, got 'my image'. Such as registry.example.org/entangle:0.1.",
        ),
        (
            (*KUBERNETES, "--storage", "5Gi", "--claim", "A_b"),
            "--claim: must be lower-case letters, digits, hyphens and dots, as names in Kubernetes are, got 'A_b'.\n--storage: must be a whole number with the unit M or G, got '5Gi'. Such as 1500M, or 4G.",
        ),
    ],
)
def test_what_is_refused(arguments, message, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    limits = [] if {"--time", "--memory"} & set(map(str, arguments)) else LIMITS
    assert message in command(*arguments, *limits, code=2)
    assert not (tmp_path / "batch").exists()


def test_a_run_that_stops_by_itself_has_no_shards(command, tmp_path, study):
    small(simulation={"until": {"war": 0.1}}).save(study)
    refused = command(*SLURM, *LIMITS, code=2)
    assert "cannot be used with shards, since where a run stops depends on all of them, got war." in refused


def test_nothing_is_written_over_unless_that_is_asked_for(command, tmp_path, study):
    batch = tmp_path / "batch"
    command(*SLURM, *LIMITS, "--seed", 1)
    (batch / "journal").mkdir()
    (batch / "journal" / "kept").touch()
    before = {path: path.read_bytes() for path in batch.glob("*.*")}
    refused = command(*SLURM, *LIMITS, "--seed", 2, code=2)
    assert refused.startswith(
        f"--out: must be a new or empty folder, and in '{batch}' there is something, got "
    )
    assert "Name another one, or replace the job files in it with --overwrite." in refused
    assert {path: path.read_bytes() for path in batch.glob("*.*")} == before
    command(*SLURM, *LIMITS, "--seed", 2, "--overwrite")
    assert "--seed 2" in (batch / "shard.sh").read_text()
    assert (batch / "journal" / "kept").exists()


def test_what_cannot_be_written_is_one_error(command, tmp_path, monkeypatch):
    def full(partial, content):
        raise OSError(28, "No space left on device", str(partial))

    monkeypatch.setattr(batch_folder, "_put", lambda content, path: full(path, content))
    refused = command(*SLURM, *LIMITS, code=1)
    assert re.fullmatch(r".*batch/\S+: cannot be written \(no space left on device\)\.\n", refused)
    assert not list((tmp_path / "batch").glob("*.*"))


def test_a_study_too_large_to_be_sent_along(command, study):
    study.write_text(study.read_text() + "#" + "x" * 1_000_000)
    refused = command(*KUBERNETES, *LIMITS, code=2)
    assert "must fit into a ConfigMap with its posterior, which holds 1,000,000 bytes, got 1,00" in refused


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from entangle.cli import cli; cli(['batch', 'slurm', '--help'], standalone_mode=False);"
        "sys.exit(bool({'numba', 'xarray', 'jinja2', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--shards" in done.stdout.decode()
