#!/usr/bin/env bash
# Purpose: one training as a Slurm job over several machines
# Reads:   what the training reads, from a disk that all machines share
# Writes:  what the training writes: --exp_dir, on that disk
# Cost:    that of the training; queued again and again, it goes on from its newest checkpoint
#
#   sbatch --nodes 4 --gpus-per-node 8 recipes/launch/slurm.sh \
#     -m latentspeech.cli.main train tts --config tts.yaml --set train.num_nodes=4 --set train.devices=8
#
# Submit it from the root of the repository. On machines without GPUs give NPROC=processes a machine.
#SBATCH --job-name=latentspeech
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before the end, the step in progress is finished and a checkpoint is written.
#SBATCH --signal=TERM@120
set -euo pipefail

(($#)) || {
  echo "error: nothing to start; give what torchrun is to start, as in the head of this script" >&2
  exit 2
}
: "${SLURM_JOB_NODELIST:?not a Slurm job; submit it with sbatch}"
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=$((20000 + SLURM_JOB_ID % 40000))

# The id changes with each requeue, so that a new start does not meet remains of the old one.
srun --kill-on-bad-exit=1 bash "${SLURM_SUBMIT_DIR:?}/recipes/launch/multi_node.sh" \
  --nnodes "${SLURM_JOB_NUM_NODES:?}" --nproc "${NPROC:-${SLURM_GPUS_ON_NODE:?}}" \
  --master "${hosts%%$'\n'*}:$port" --id "$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}" -- "$@"
