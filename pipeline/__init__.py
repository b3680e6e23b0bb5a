"""What drives DVC. Stages are what DVC runs and src/brisc is what they are made of; neither knows DVC. This
does, and so stands beside them.

make repro         repro, progress; several stages at a time: parallel, parcel, place; on a cluster: cluster
make grid          grid, queue; enqueue and worker are started by it
make pack, unpack  pack, packages, unpack; bundle and node are carried to the machine without network
cache, kept/       verify, gc, keep
the rest of make   profile, show, docs
what they share    command, words; dvc, books, locks, objects: of DVC; git; processes, remote: of stages
"""

import getpass
import os
import sys
from pathlib import Path

# This tree's code, whichever tree the environment was made for: a copied one names the original.
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

# Git tells its hooks which repository they are of, and with these set every git command is about that one,
# wherever it is run. `git rev-parse --local-env-vars` lists them.
for name in (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
):
    os.environ.pop(name, None)

# DVC asks for the user's name and home, which in a container neither the system nor the environment may know.
try:
    getpass.getuser()
except KeyError:
    os.environ["LOGNAME"] = str(os.getuid())
try:
    Path.home()
except RuntimeError:
    os.environ["HOME"] = "/"
