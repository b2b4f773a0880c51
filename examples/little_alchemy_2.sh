#!/bin/sh
# SmolLM2 beside the baselines on the game's own table: sh examples/little_alchemy_2.sh OUT [OPTIONS OF THE MODEL'S RUNS]
# Needs `athanor fetch little-alchemy-2` first; about half an hour on two cores, resumable.
set -eu
out=$1
shift
for rules in strict pan2025; do
  common="--table little-alchemy-2 --rules $rules --turns 100 --seed 1 --resume"
  for agent in random random-never-repeat uncertainty oracle; do
    athanor play alchemy $common --agent $agent --episodes 100 --out "$out/$rules-$agent"
  done
  model="--agent language --model smollm2-135m-instruct --temperature 0.7 --max-tokens 16 --episodes 3 --llama.slots 3"
  athanor play alchemy $common $model "$@" --out "$out/$rules-smollm2"
  athanor play alchemy $common $model "$@" --constrained --out "$out/$rules-smollm2-constrained"
done
athanor report "$out"/*-* --out "$out/report"
athanor analyse "$out"/*-*
