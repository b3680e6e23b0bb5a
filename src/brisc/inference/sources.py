"""From the paths that a user gives to what is judged: files and DICOM series, known by their content."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from brisc.errors import InputError
from brisc.inference.images import refuse

Kind = Literal["picture", "volume", "dicom"]

SUFFIXES = (".nii.gz", ".nii", ".png", ".jpeg", ".jpg", ".dcm", ".ima")


@dataclass(frozen=True)
class Source:
    """kind: which reader reads it. paths: one file, or those of a DICOM series. name: what its outputs are
    called, which may have folders in it."""

    kind: Kind
    paths: tuple[Path, ...]
    name: str

    @property
    def where(self) -> Path:
        return self.paths[0] if len(self.paths) == 1 else self.paths[0].parent


def kind_of(path: Path) -> Kind | None:
    """By the first bytes; the name decides for what has no mark of its own. None for what is no image."""
    with path.open("rb") as file:
        start = file.read(352)
    if start.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        return "picture"
    if start[128:132] == b"DICM":
        return "dicom"
    suffix = _suffix(path).lower()
    if suffix in (".nii", ".nii.gz"):
        return "volume"
    if suffix in (".dcm", ".ima") or (not suffix and start[:2] == b"\x08\x00"):
        return "dicom"
    return "picture" if suffix in (".png", ".jpg", ".jpeg") else None


def collect(inputs: Iterable[Path], out: Path) -> tuple[list[Source], list[InputError], list[Path]]:
    """The sources of these files and folders, in order; what of them cannot be used; what is passed over in
    folders, being no image. The folder `out` and hidden files are not looked at."""
    sources: list[Source] = []
    problems: list[InputError] = []
    others: list[Path] = []
    named: list[tuple[Path, Kind]] = []
    for given in dict.fromkeys(inputs):
        try:
            if given.is_dir():
                found, passed, bad = _of_folder(given, out)
                if not found and not bad:
                    raise _no_image(given, f"{len(passed)} other files")
                sources += found
                others += passed
                problems += bad
            elif not given.is_file():
                raise refuse(
                    given,
                    "no such file or folder",
                    got="nothing",
                    expected="an image",
                    mend="Check the path.",
                )
            else:
                kind = kind_of(given)
                if kind is None:
                    raise _no_image(given, "another format")
                named.append((given, kind))
        except InputError as error:
            problems.append(error)
        except OSError as error:
            problems.append(unreadable(given, error))
    sources += _of_files(named, {path: path.name for path, _ in named})
    return _apart(sources), problems, others


def unreadable(path: Path, error: OSError) -> InputError:
    return refuse(
        path,
        "a file that cannot be read",
        got=error.strerror or type(error).__name__,
        expected="a readable file",
        mend="Check its name and permissions.",
    )


def _no_image(path: Path, got: str) -> InputError:
    return refuse(
        path,
        "no image",
        got=got,
        expected="PNG, JPEG, NIfTI (.nii, .nii.gz) or DICOM",
        mend="Convert it, for instance with dcm2niix.",
    )


def _of_folder(folder: Path, out: Path) -> tuple[list[Source], list[Path], list[InputError]]:
    """All DICOM files that lie in one folder are one series."""
    sources: list[Source] = []
    others: list[Path] = []
    problems: list[InputError] = []
    series: dict[Path, list[Path]] = {}
    for path in _below(folder, problems):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts) or out.resolve() in path.resolve().parents:
            continue
        try:
            if not path.is_file():
                problems.append(_no_file(path))
                continue
            kind = kind_of(path) if path.name.upper() != "DICOMDIR" and not _ours(path) else None
        except OSError as error:
            problems.append(unreadable(path, error))
            continue
        if kind is None:
            others.append(path)
        elif kind == "dicom":
            series.setdefault(path.parent, []).append(path)
        else:
            sources.append(Source(kind, (path,), inside.as_posix()))
    for parent, paths in series.items():
        inside = (paths[0] if len(paths) == 1 else parent).relative_to(folder)
        name = inside.as_posix() if inside.parts else folder.resolve().name or "series"
        sources.append(Source("dicom", tuple(paths), name))
    return sorted(sources, key=lambda source: source.paths), others, problems


def _below(folder: Path, problems: list[InputError]) -> list[Path]:
    """All but the folders, sorted; those that cannot be read are told, links to them stand for themselves."""
    found = []
    for place, folders, files in os.walk(folder, onerror=lambda error: problems.append(_closed(error))):
        found += [Path(place, name) for name in files]
        found += [path for name in folders if (path := Path(place, name)).is_symlink()]
    return sorted(found)


def _closed(error: OSError) -> InputError:
    return unreadable(Path(error.filename), error)


def _no_file(path: Path) -> InputError:
    return refuse(
        path,
        "a link that is not followed",
        got="a link to a folder" if path.is_dir() else "a link to nothing, or a special file",
        expected="a file",
        mend="Give the folder that it leads to by name."
        if path.is_dir()
        else "Fetch the file that it leads to.",
    )


def _ours(path: Path) -> bool:
    """Whether an earlier `brisc predict` wrote it."""
    written = re.search(r"_(mask(_\d+)?|overlay)\.[a-z.]+$", path.name)
    return written is not None and any((up / "predictions.csv").exists() for up in path.parents[:3])


def _of_files(named: list[tuple[Path, Kind]], names: dict[Path, str]) -> list[Source]:
    """DICOM files given by name belong together where they lie in one folder and are of one series."""
    from brisc.inference import dicom

    sources: list[Source] = []
    series: dict[tuple[Path, str], list[Path]] = {}
    for path, kind in named:
        if kind != "dicom":
            sources.append(Source(kind, (path,), names[path]))
            continue
        try:
            uid = str(dicom.header(path).get("SeriesInstanceUID", path))
        except (InputError, *dicom.UNREADABLE):
            uid = str(path)  # told when it is read
        series.setdefault((path.parent, uid), []).append(path)
    for paths in series.values():
        sources.append(Source("dicom", tuple(paths), names[paths[0]]))
    return sources


def _apart(sources: list[Source]) -> list[Source]:
    """Names without the format's ending where that leaves them different, numbered where they are equal."""
    short = Counter(_stem(source.name).lower() for source in sources)
    names = [
        source.name.replace(".", "_") if short[_stem(source.name).lower()] > 1 else _stem(source.name)
        for source in sources
    ]
    first, taken = {name.lower() for name in names}, set[str]()
    for k, name in enumerate(names):
        number = 1
        while names[k].lower() in taken or (number > 1 and names[k].lower() in first):
            number += 1
            names[k] = f"{name}_{number}"
        taken.add(names[k].lower())
    return [replace(source, name=name) for source, name in zip(sources, names, strict=True)]


def _suffix(path: Path) -> str:
    """The ending that tells a format, as it is written; else the usual one."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[-len(suffix) :]
    return path.suffix


def _stem(name: str) -> str:
    suffix = _suffix(Path(name))
    return name[: -len(suffix)] if suffix.lower() in SUFFIXES else name
