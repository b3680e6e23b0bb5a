"""The lists in benchmark/brisc2025 as files: written with their SHA-256, and read back only as they were
published. brisc.data.benchmark makes them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from brisc.atomic import write_text
from brisc.errors import InputError

LISTS = Path("benchmark/brisc2025")
SUMS = "SHA256SUMS"  # as `sha256sum` writes and checks it


def write_lists(folder: Path, lists: Mapping[str, pd.DataFrame]) -> None:
    """Write each list as <name>.csv, and their SHA-256."""
    sums = []
    for name, table in sorted(lists.items()):
        text = table.to_csv(index=False, lineterminator="\n", float_format="%.4f")
        write_text(folder / f"{name}.csv", text)
        sums.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}.csv\n")
    write_text(folder / SUMS, "".join(sums))


def read_list(name: str, folder: Path = LISTS) -> pd.DataFrame:
    """The list `name`, with or without .csv, of the repository that is the working folder. Raises InputError
    if there is none of this name or it is not as it was published."""
    file = f"{name.removesuffix('.csv')}.csv"
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    sums = {known: digest for digest, known in (line.split("  ") for line in lines)}
    if file not in sums:
        raise InputError(
            "no such list", where=folder, got=file, expected=f"one of {', '.join(sums)}", mend="Correct it."
        )
    digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    if digest != sums[file]:
        raise InputError(
            "a list that is not as published",
            where=folder / file,
            got=f"SHA-256 {digest}",
            expected=f"{sums[file]}, see {SUMS}",
            mend=f"Run git checkout {folder}.",
        )
    return pd.read_csv(folder / file)
