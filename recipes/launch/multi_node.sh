#!/usr/bin/env bash
# Purpose: one training over several machines; start the same line on each of them
# Reads:   what the training reads, from a disk that all machines share
# Writes:  what the training writes: --exp_dir, on that disk
# Cost:    that of the training
#
#   bash recipes/launch/multi_node.sh --nnodes 2 --nproc 8 --master node0:29500 --id my-run -- \
#     -m latentspeech.cli.main train tts --config tts.yaml --set train.num_nodes=2 --set train.devices=8
#
# --nnodes   number of machines; train.num_nodes must be the same
# --nproc    processes of each machine, one for each GPU; train.devices must be the same (0 on CPUs)
# --master   host:port of one of the machines, where all meet
# --id       any name, the same on all machines and different for each training
# --         then the module or script that torchrun starts, and its arguments
set -euo pipefail

fail() {
  echo "error: $1" >&2
  exit 2
}

nnodes='' nproc='' master='' id=''
while (($#)) && [[ $1 != -- ]]; do
  case $1 in
    --nnodes | --nproc | --master | --id)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    --help)
      sed --quiet '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) fail "unknown option $1; --help lists them" ;;
  esac
done
(($# > 1)) || fail "nothing to start; give -- and then what torchrun is to start"
shift
for name in nnodes nproc master id; do
  [[ -n ${!name} ]] || fail "--$name is missing; --help explains it"
done

# Threads are set by train.num_threads; torchrun would warn that it sets them.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec python -m torch.distributed.run --nnodes "$nnodes" --nproc_per_node "$nproc" \
  --rdzv_backend c10d --rdzv_endpoint "$master" --rdzv_id "$id" "$@"
