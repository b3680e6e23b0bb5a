"""A Ray cluster of two small nodes on this machine, as long as a command runs.

    python -m bench.nodes python -m pipeline.repro

Its address is in the command's RAY_ADDRESS; the nodes share the tree's scratch folder. The
head runs no stage, so that either node may be killed.
"""

import os
import subprocess
import sys
from pathlib import Path

from ray.cluster_utils import Cluster

MEMORY = 100 * 2**20  # bytes of each object store


def main(*words: str) -> int:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": MEMORY})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
        scratch = os.environ.get("BRISC_SCRATCH") or str(Path(".scratch").absolute())
        environment = {**os.environ, "BRISC_SCRATCH": scratch, "RAY_ADDRESS": cluster.address, "ON": "ray"}
        return subprocess.run(words, env=environment, check=False).returncode
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
