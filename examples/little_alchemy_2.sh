#!/bin/sh
# SmolLM2 beside the baselines on the game's own table: sh examples/little_alchemy_2.sh OUT [OPTIONS OF THE MODEL'S RUNS]
# Needs `athanor fetch little-alchemy-2` first; about half an hour on two cores, resumable. Prints the tables of
# docs/little-alchemy-2.md; with PAGE=docs/little-alchemy-2.md in the environment, puts them into the page.
set -eu
out=$1
shift
here=$(dirname "$0")
for rules in strict pan2025; do
  common="--table little-alchemy-2 --rules $rules --turns 100 --seed 1 --resume"
  for agent in random random-never-repeat uncertainty oracle; do
    athanor play alchemy $common --agent $agent --episodes 100 --out "$out/$rules-$agent" >&2
  done
  model="--agent language --model smollm2-135m-instruct --temperature 0.7 --episodes 3 --llama.slots 3"
  athanor play alchemy $common $model --max-tokens 40 --history window "$@" --out "$out/$rules-smollm2" >&2
  athanor play alchemy $common $model --max-tokens 16 "$@" --constrained --out "$out/$rules-smollm2-constrained" >&2
done
athanor report "$out"/*-* --out "$out/report" >&2
python "$here/../benchmarks/little_alchemy_2.py" "$out" ${PAGE:+"$PAGE"}
