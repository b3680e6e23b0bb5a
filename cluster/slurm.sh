#!/usr/bin/env bash
# A SLURM job that starts Ray on its nodes and runs the profile on them. Not tried by us. From the repository:
#     sbatch --nodes=4 --ntasks-per-node=1 --gpus-per-node=4 --cpus-per-task=32 --time=24:00:00 cluster/slurm.sh
# .venv, with requirements-cluster.txt, must be at the same path on every node.
set -euo pipefail
source .venv/bin/activate
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):6379
gpus=${SLURM_GPUS_ON_NODE:-0}
options="--num-cpus=$SLURM_CPUS_PER_TASK --num-gpus=$gpus --disable-usage-stats --block"
srun --nodes=1 --ntasks=1 --overlap --nodelist="$head" ray start --head --port=6379 $options &
sleep 20 # until the head answers
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --overlap --exclude="$head" \
    ray start --address="$address" $options &
  sleep 20
fi
RAY_ADDRESS=$address make repro ON=ray
