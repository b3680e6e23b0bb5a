"""The publisher's manifest: which files the data set has, with the SHA-256, size and meaning of each."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import PureWindowsPath

from brisc.errors import InputError, InputErrors

MANIFEST = "manifest.csv"
COLUMNS = (
    "relative_path",
    "split",
    "tumor_label",
    "plane_label",
    "width",
    "height",
    "file_size_bytes",
    "sha256",
)
FILE_LIMIT = 64 * 2**20  # bytes; the largest published image has 0.25 MB, the manifest 4 MB
TOTAL_LIMIT = 4 * 2**30 - 1  # bytes; what a zip without extensions can hold, published are 0.26 GB
SHOWN = 20  # rows or files told in full: a wrong folder has thousands
GET_ANEW = "Get the data set anew, or point BRISC_ARCHIVE at a whole copy."


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of the manifest; width and height in pixels, size in bytes."""

    split: str
    label: str
    plane: str
    width: int
    height: int
    size: int
    sha256: str


def read_manifest(content: bytes, where: str) -> dict[str, Entry]:
    """The files of the manifest by their path with forward slashes, relative to the manifest's folder.

    Raises InputError or InputErrors for what is not CSV, lacks a column or lists no files, and for rows whose
    path leads out or occurs twice, whose hash is none, or whose size is none.
    """
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise bad("manifest not readable as CSV", where, error, "CSV in UTF-8") from None
    header = rows[0] if rows else []
    if missing := [column for column in COLUMNS if column not in header]:
        raise bad(
            f"manifest lacks {', '.join(missing)}",
            where,
            ", ".join(header)[:300] or "an empty file",
            "that too",
        )
    entries: dict[str, Entry] = {}
    problems: list[InputError] = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            path, entry = _read_row(row, header, f"{where}, row {number}")
            if path in entries:
                raise bad("file listed twice", f"{where}, row {number}", path, "each path once")
            entries[path] = entry
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise told(problems, shown=SHOWN, where=where)
    total = sum(entry.size for entry in entries.values())
    if not 0 < total <= TOTAL_LIMIT:
        raise bad(
            "no files or too much", where, f"{len(entries)} files, {total} bytes", f"1 to {TOTAL_LIMIT} bytes"
        )
    return entries


def normalised(manifest: bytes) -> bytes:
    """The manifest with the publisher's line ends (CRLF), which git and unpackers in text mode turn into
    LF."""
    return manifest.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def inside(path: str) -> str | None:
    """The path with forward slashes; None if it does not stay below the folder it starts from, on any
    system."""
    windows = PureWindowsPath(path)  # splits at both slashes, and knows drive letters and shares
    if windows.anchor or not windows.parts or ".." in windows.parts or not path.isprintable():
        return None
    return windows.as_posix()


def bad(what: str, where: object, got: object, expected: object, mend: str = GET_ANEW) -> InputError:
    return InputError(what, where=where, got=got, expected=expected, mend=mend)


def told(problems: list[InputError], *, shown: int, where: object) -> InputErrors:
    """All problems in one exception: the first `shown` in full, the others by their number."""
    more = len(problems) - shown
    if more <= 0:
        return InputErrors(problems)
    return InputErrors(
        [*problems[:shown], bad(f"and {more} more", where, f"{len(problems)} problems in all", "none")]
    )


def _read_row(row: list[str], header: list[str], where: str) -> tuple[str, Entry]:
    if len(row) != len(header):
        raise bad("row of another length", where, f"{len(row)} fields", len(header))
    fields = dict(zip(header, row, strict=True))
    path = inside(fields["relative_path"])
    if path is None or path == MANIFEST:
        raise bad(
            "path refused",
            where,
            repr(fields["relative_path"]),
            "a path that stays below the manifest's folder",
        )
    if not re.fullmatch("[0-9a-fA-F]{64}", fields["sha256"]):
        raise bad(f"sha256 of {path}", where, repr(fields["sha256"]), "64 hexadecimal digits")
    for column, most in (("width", 2**16), ("height", 2**16), ("file_size_bytes", FILE_LIMIT)):
        if not re.fullmatch("[0-9]{1,9}", fields[column]) or not 1 <= int(fields[column]) <= most:
            raise bad(f"{column} of {path}", where, repr(fields[column]), f"a number from 1 to {most}")
    return path, Entry(
        split=fields["split"],
        label=fields["tumor_label"],
        plane=fields["plane_label"],
        width=int(fields["width"]),
        height=int(fields["height"]),
        size=int(fields["file_size_bytes"]),
        sha256=fields["sha256"].lower(),
    )
