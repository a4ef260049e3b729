"""Make what is published in ``dist/``, and try it: ``python -m tools.release [PYTHON...]``.

`make release` runs it. With the Python that runs it, and with each other PYTHON, the wheel is
installed with each extra, into an environment of its own. ``dist/`` is replaced at the end: what
failed leaves it as it was. Needs the extra [release].
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
NOTICE = "tallow/plots/vendor/NOTICE.txt"
VENDORED = {"lightweight-charts": "Apache-2.0", "fancy-canvas": "MIT"}
"""Libraries that lie in the wheel as a file, whose versions NOTICE says, and their licences."""

NOT_USED_FROM_A_WHEEL = frozenset({"dev", "bench", "docs", "release"})
"""Extras for work on the repository."""

BASE = "base"
"""Stands for the wheel without an extra."""

MARKET = "../market/candles_1m.parquet"
STORE = f"tallow ingest {MARKET} --store candles --source-timeframe 1m --adjustment raw"
TRIALS = {
    BASE: (
        "tallow demo --instruments 2 --sessions 2 --output ../market",
        f"tallow run {MARKET} --timeframe 5m --output bars.parquet",
    ),
    "store": (
        STORE,
        "tallow store list --store candles",
        "python -c 'import obstore, tallow.data.store.server'",
    ),
    "live": ("python -c 'import tallow.data.feeds.websocket, tallow.data.feeds.streams'",),
    "compare": (
        f"tallow compare {MARKET} --control tallow --candidate tallow --runs 0 --html report.html",
    ),
    "flags": (
        "tallow rollout plan",
        "python -c 'import tallow.migrate.flags.provider, tallow.migrate.flags.setting'",
    ),
    "flagd": ("python -c 'import openfeature.contrib.provider.flagd'",),
    "plot": (f"tallow plot 'NSE_EQ|INE001A01010' {MARKET} --output chart.png",),
    "serve": (STORE, "tallow serve --check --store candles", "tallow serve --check --demo"),
    "desk": ("tallow serve --check --demo", "python -c 'import tallow.service.desk.pages'"),
    "mcp": ("tallow mcp --help", "python -c 'import tallow.service.agents.protocol'"),
    "alerts": ("tallow alerts test --help", "python -c 'import tallow.alerts.apprise_sink'"),
    "client": ("python -c 'from tallow.client import AsyncClient, Client'",),
}
"""What each extra must do, in an empty folder beside the market that the base makes."""
TRIALS["all"] = tuple(
    dict.fromkeys(line for extra in TRIALS if extra != "flagd" for line in TRIALS[extra])
)


class ReleaseError(Exception):
    """A step that did not end well: what, and what it said."""


def release(others: Sequence[str]) -> None:
    """Build, check and try a release, and put it into ``dist/``."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    with TemporaryDirectory() as name:
        work = Path(name)
        dist = work / "dist"
        with _step(f"Building the sdist and the wheel of tallow {version}"):
            wheel, sdist = _build(dist, work)
        with _step("Checking what an index would show of them"):
            run([sys.executable, "-m", "twine", "check", "--strict", *_files(dist)], work)
        extras = [BASE, *extras_of(wheel)]
        for python in (sys.executable, *others):
            _try(sdist, version, BASE, python, work)
            for extra in extras:
                billed = python == sys.executable and extra == "all"
                bill = dist / f"tallow-{version}.cdx.json" if billed else None
                _try(wheel, version, extra, python, work, bill)
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        shutil.copytree(dist, ROOT / "dist")
    for path in _files(ROOT / "dist"):
        print(f"dist/{Path(path).name}  {Path(path).stat().st_size / 1e6:.1f} MB")
    if "(unreleased)" in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        print("CHANGELOG.md still says (unreleased): write the date before you publish")


def _build(dist: Path, work: Path) -> tuple[Path, Path]:
    """Build both files, and the wheel once more of the repository; return wheel and sdist."""
    build = [sys.executable, "-m", "build", "--no-isolation"]
    run([*build, "--outdir", str(dist), str(ROOT)], work)
    run([*build, "--wheel", "--outdir", str(work / "tree"), str(ROOT)], work)
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    [of_the_tree] = (work / "tree").glob("*.whl")
    found = differences(wheel, of_the_tree)
    if found:
        raise ReleaseError(
            "the wheel that the sdist builds is not the one of the repository; see [tool.hatch] of "
            "pyproject.toml: " + ", ".join(found[:20])
        )
    return wheel, sdist


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of files that two wheels do not have alike."""
    ours, theirs = _members(one), _members(other)
    return sorted(n for n in {*ours, *theirs} if ours.get(n) != theirs.get(n))


def _members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def extras_of(wheel: Path) -> list[str]:
    """Return the extras that users install, as the wheel names them; all have a trial."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode("utf-8"))
    extras = [
        extra
        for extra in metadata.get_all("Provides-Extra") or ()
        if extra not in NOT_USED_FROM_A_WHEEL
    ]
    unknown = set(extras) ^ ({*TRIALS} - {BASE})
    if unknown:
        raise ReleaseError(
            f"extras: {', '.join(sorted(unknown))}; TRIALS of tools/release.py has no line for it, "
            "or one for an extra that is gone; write down what it must do"
        )
    return extras


def _try(
    built: Path, version: str, extra: str, python: str, work: Path, bill: Path | None = None
) -> None:
    """Install an extra into an empty environment, and run what it must do; write the bill there."""
    shown = run([python, "-c", "import platform; print(platform.python_version())"], work).strip()
    what = built.name if extra == BASE else f"{built.name}[{extra}]"
    with _step(f"Python {shown}: installing {what}, and trying it"):
        place = work / f"{shown}-{extra}"
        run([python, "-m", "venv", "--without-pip", str(place)], work)
        programs = place / "bin"
        _install(programs, f"{built}[{extra}]" if extra != BASE else str(built), work)
        folder = work / f"{shown}-{extra}-folder"
        folder.mkdir()
        told = _in(programs, "tallow --version", folder)
        if version not in told:
            raise ReleaseError(f"tallow --version: {told.strip()}; {built.name} is {version}")
        for line in TRIALS[extra]:
            _in(programs, line, folder)
        if bill is not None:
            _install(programs, f"{built}[all,flagd]", work)
            _write_bill(programs, bill, built, work)
    shutil.rmtree(place)
    shutil.rmtree(folder)


def _install(programs: Path, requirement: str, work: Path) -> None:
    """Install into an environment that has no pip of its own, so that nothing else is in it.

    What pip gets to build an sdist with has the pinned versions, too.
    """
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python")]
    run([*pip, "install", "--disable-pip-version-check", requirement], work)
    run([*pip, "check"], work)


def _in(programs: Path, line: str, folder: Path) -> str:
    """Run a line with the programs of an environment, and nothing of this one's."""
    first, *rest = shlex.split(line)
    return run([str(programs / first), *rest], folder)


def _write_bill(programs: Path, bill: Path, wheel: Path, work: Path) -> None:
    """Write all that an environment has, and what the wheel itself brings, as CycloneDX."""
    maker = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    described = ["--pyproject", str(ROOT / "pyproject.toml")]
    run([*maker, *described, "--output-file", str(bill), str(programs / "python")], work)
    document = json.loads(bill.read_text("utf-8"))
    root = document["metadata"]["component"]["bom-ref"]
    for component in vendored(wheel):
        document["components"].append(component)
        document["dependencies"].append({"ref": component["bom-ref"]})
        for entry in document["dependencies"]:
            if entry["ref"] == root:
                entry["dependsOn"].append(component["bom-ref"])
    bill.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def vendored(wheel: Path) -> Iterator[dict[str, object]]:
    """Yield the components for what lies in a wheel as a file, and no installer knows."""
    with zipfile.ZipFile(wheel) as archive:
        notice = archive.read(NOTICE).decode("utf-8")
    for name, licence in VENDORED.items():
        found = re.search(rf"\b{name}\s+(\d[\d.]*\d)", notice)
        if found is None:
            raise ReleaseError(f"{NOTICE}: says no version of {name}; write it behind the name")
        yield {
            "type": "library",
            "bom-ref": f"{name}=={found[1]}",
            "name": name,
            "version": found[1],
            "licenses": [{"license": {"id": licence}}],
            "purl": f"pkg:npm/{name}@{found[1]}",
        }


def _files(dist: Path) -> list[str]:
    return sorted(str(path) for path in dist.iterdir())


@contextmanager
def _step(title: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    began = time.monotonic()
    print(title, flush=True)
    yield
    print(f"  done in {time.monotonic() - began:.0f} s", flush=True)


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command in a folder, away from this environment; return what it printed."""
    apart = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("TALLOW_", "PYTHONPATH", "VIRTUAL_ENV"))
    }
    # By the environment, as no option reaches where pip builds an sdist.
    apart["PIP_CONSTRAINT"] = str(ROOT / "constraints.txt")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=apart,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ReleaseError(f"{shlex.join(command)}: {error}") from error
    if done.returncode:
        raise ReleaseError(
            f"{shlex.join(command)}: exit code {done.returncode}\n{done.stdout[-4000:]}"
        )
    return done.stdout


if __name__ == "__main__":
    try:
        release(sys.argv[1:])
    except ReleaseError as error:
        sys.exit(f"release: {error}")
