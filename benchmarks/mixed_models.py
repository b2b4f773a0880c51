"""Seconds, memory and answers of `athanor.analysis.glmm` beside R's lme4, on the same simulated turns.

    python benchmarks/mixed_models.py [--sizes XS S M L] [--nagq 0 1] [--threads 1 2] [--lme4 S] [--coverage 400]
                                       [--players 100]

The model is the published one: six correlated random effects by player, five fixed effects, logit. lme4 runs at the
sizes given by `--lme4` (a minute at XS; at S minutes for nAGQ=0 and up to half an hour for 1; L would take hours) where
`Rscript` and lme4 are installed, on one thread.
The columns after the deviance: the largest distance of a fixed effect from the truth and from lme4's, in standard
errors; the largest relative difference of a standard error from lme4's; how many times fewer CPU seconds than lme4; our
deviance minus lme4's, below 0 where ours is the better fit.
Each fit is a process of its own that has its data in memory before the clock starts; ours has also loaded its compiled
loops, and `compiling` says how long that took. Peak memory is of the process, data included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from scipy.special import expit

from athanor.analysis.glmm import fit
from athanor.core.seeds import stream

TERMS = "emp + cbu + trial + emp:trial + cbu:trial"
FORMULA = f"decision ~ -1 + {TERMS} + (1 + {TERMS} | id)"
COLUMNS = ("decision", "emp", "cbu", "trial", "id")
BETA = np.array([0.0, 0.38, 0.22, 0.1, 0.05, -0.05])
"""Intercept and fixed effects, about those published for humans; the formula leaves the intercept out."""
SD = np.array([0.5, 0.4, 0.3, 0.3, 0.15, 0.15])
CORRELATION = 0.3
NORMAL = 1.959964
GROUPS, ROWS = 29_493, 4_711_455
"""Players and turns of size L."""

LME4 = """
suppressMessages(library(lme4))
args <- commandArgs(TRUE)
n <- as.integer(args[2])
read <- function(name) readBin(file.path(args[1], name), "double", n)
d <- data.frame(decision=read("decision"), emp=read("emp"), cbu=read("cbu"), trial=read("trial"), id=factor(read("id")))
started <- proc.time()
m <- suppressWarnings(glmer(as.formula(args[4]), d, family=binomial, nAGQ=as.integer(args[3])))
took <- proc.time() - started
cat(sprintf('{"seconds": %f, "cpu": %f, "deviance": %.6f, "beta": [%s], "se": [%s]}\\n',
  took[["elapsed"]], took[["user.self"]] + took[["sys.self"]], -2 * as.numeric(logLik(m)),
  paste(sprintf("%.10f", fixef(m)), collapse=","),
  paste(sprintf("%.10f", sqrt(diag(as.matrix(suppressWarnings(vcov(m, use.hessian=FALSE)))))), collapse=",")))
"""


def sizes(name: str) -> np.ndarray:
    """Turns of each player."""
    if name != "L":
        return np.full(*{"XS": (100, 100), "S": (200, 200), "M": (2_000, 170)}[name])
    drawn = stream(0, "turns a player").lognormal(0.0, 1.3, GROUPS)
    turns = np.maximum(1, (drawn * ROWS / drawn.sum()).astype(int))
    turns[turns.argmax()] += ROWS - turns.sum()
    return turns


def simulate(turns: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """The columns, all float64, sorted by player."""
    rng = stream(seed, "mixed model", len(turns))
    player = np.repeat(np.arange(len(turns)), turns)
    first = np.repeat(np.append(0, np.cumsum(turns)[:-1]), turns)
    emp, cbu = rng.normal(size=len(player)), rng.normal(size=len(player))
    trial = (np.arange(len(player)) - first).astype(float)
    trial = (trial - trial.mean()) / trial.std(ddof=1)
    covariance = np.outer(SD, SD) * (CORRELATION + (1 - CORRELATION) * np.eye(6))
    b = BETA + rng.normal(size=(len(turns), 6)) @ np.linalg.cholesky(covariance).T
    eta = np.zeros(len(player))
    for k, column in enumerate((np.ones(len(player)), emp, cbu, trial, emp * trial, cbu * trial)):
        eta += b[player, k] * column
    decision = (rng.random(len(player)) < expit(eta)).astype(float)
    return dict(zip(COLUMNS, (decision, emp, cbu, trial, player.astype(float)), strict=True))


def ours(folder: Path, nagq: int, threads: int) -> dict[str, Any]:
    """One fit in this process."""
    started = perf_counter()
    fit(FORMULA, simulate(np.full(20, 40)), nagq=nagq)  # type: ignore[arg-type]
    compiling = perf_counter() - started
    data = {name: np.fromfile(folder / name) for name in COLUMNS}
    started, cpu = perf_counter(), process_time()
    result = fit(FORMULA, data, nagq=nagq, threads=threads)  # type: ignore[arg-type]
    return {
        "seconds": perf_counter() - started, "cpu": process_time() - cpu, "compiling": compiling,
        "deviance": result.deviance, "beta": [e.value for e in result.fixed], "se": [e.se_schur for e in result.fixed],
        "notes": result.diagnostics.notes,
    }  # fmt: skip


def apart(command: list[str]) -> dict[str, Any]:
    """What a command prints last, as JSON, and the peak memory of its process in GB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True)
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command[:2])} ended with status {status}")
    return {**json.loads(lines[-1]), "memory": usage.ru_maxrss / 1e6}


def lme4() -> bool:
    """Whether R and lme4 are here."""
    command = ["Rscript", "-e", "library(lme4)"]
    return shutil.which("Rscript") is not None and not subprocess.run(command, capture_output=True).returncode


def row(size: str, nagq: int, engine: str, this: dict[str, Any], reference: dict[str, Any] | None) -> str:
    text = f"{size:5}{nagq:<6}{engine:18}{this['seconds']:9.2f}{this['cpu']:9.2f}{this['memory']:9.2f}"
    truth = np.abs(np.subtract(this["beta"], BETA[1:]) / this["se"]).max()
    text += f"{this['deviance']:16.4f}{truth:11.2f}"
    if reference is not None:
        apart = np.abs(np.subtract(this["beta"], reference["beta"])) / reference["se"]
        errors = np.abs(np.divide(this["se"], reference["se"]) - 1)
        text += f"{apart.max():11.5f}{errors.max():11.2e}{reference['cpu'] / this['cpu']:9.0f}"
        text += f"{this['deviance'] - reference['deviance']:+11.4f}"
    return text


def compare(options: argparse.Namespace) -> None:
    with_lme4 = set(options.lme4) if options.lme4 and lme4() else set()
    if options.lme4 and not with_lme4:
        print("lme4 is left out: Rscript or its package lme4 is not installed", file=sys.stderr)
    print(f"{'size':5}{'nAGQ':6}{'engine':18}{'seconds':>9}{'cpu s':>9}{'GB':>9}{'deviance':>16}", end="")
    print(f"{'truth / SE':>11}{'lme4 / SE':>11}{'of SE':>11}{'cpu gain':>9}{'- lme4':>11}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for column, values in simulate(sizes(size)).items():
                values.tofile(folder / column)
            (folder / "lme4.R").write_text(LME4)
            n = (folder / "decision").stat().st_size // 8
            for nagq in options.nagq:
                theirs = None
                if size in with_lme4:
                    theirs = apart(["Rscript", str(folder / "lme4.R"), name, str(n), str(nagq), FORMULA])
                    print(row(size, nagq, "lme4", theirs, None), flush=True)
                for threads in options.threads:
                    this = apart([sys.executable, __file__, "--one", name, str(nagq), str(threads)])
                    print(row(size, nagq, f"ours, {threads} threads", this, theirs), flush=True)
                    print(
                        f"      compiling or loading {this['compiling']:.1f} s; {'; '.join(this['notes'])}", flush=True
                    )


def coverage(simulations: int, players: int, nagqs: list[int]) -> None:
    """How often 95% intervals hold the true fixed effects, of players of 40 turns each.

    By the normal quantile with either standard error, and the interval that `fit` gives; what is unknown holds nothing.
    """
    for nagq in nagqs:
        held: dict[str, list[list[bool]]] = {"normal, Schur": [], "normal, Hessian": [], "as given": []}
        for seed in range(simulations):
            data = simulate(np.full(players, 40), seed)
            effects = fit(FORMULA, data, nagq=nagq, threads=1).fixed  # type: ignore[arg-type]
            pairs = list(zip(effects, BETA[1:].tolist(), strict=True))
            held["normal, Schur"].append([abs(e.value - t) < NORMAL * (e.se_schur or 0) for e, t in pairs])
            held["normal, Hessian"].append([abs(e.value - t) < NORMAL * (e.se or 0) for e, t in pairs])
            held["as given"].append([e.low is not None and e.high is not None and e.low < t < e.high for e, t in pairs])
        for kind, found in held.items():
            shares = ", ".join(f"{share:.1%}" for share in np.mean(found, axis=0))
            print(f"{players} players, nAGQ={nagq}, {kind}: {shares} ({simulations} fits)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=["S"], choices=["XS", "S", "M", "L"])
    parser.add_argument("--nagq", nargs="+", type=int, default=[0, 1], choices=[0, 1])
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--lme4", nargs="*", default=["S"], choices=["XS", "S", "M", "L"], help="where lme4 runs")
    parser.add_argument("--coverage", type=int, default=0, help="simulations for the coverage of intervals")
    parser.add_argument("--players", type=int, default=100, help="of those simulations")
    parser.add_argument("--one", nargs=3, metavar=("FOLDER", "NAGQ", "THREADS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(ours(Path(options.one[0]), int(options.one[1]), int(options.one[2]))))
        return
    compare(options)
    if options.coverage:
        coverage(options.coverage, options.players, options.nagq)


if __name__ == "__main__":
    main()
