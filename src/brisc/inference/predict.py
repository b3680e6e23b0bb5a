"""A model on a user's images: masks in their geometry and format, overlays, and a table of what was found."""

import csv
import errno
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from brisc.atomic import write_text
from brisc.errors import InputError
from brisc.inference import pictures
from brisc.inference.images import Image, refuse
from brisc.inference.model import Finding, Model
from brisc.inference.overlay import overlay
from brisc.inference.sources import Source, collect, unreadable
from brisc.inference.warnings import WORDS, unlike_grey
from brisc.progress import Track

UNSURE_BELOW = 0.9
TABLE = "predictions.csv"

Row = dict[str, object]
Write = Callable[[Path, NDArray[np.bool_]], Path]  # a mask beside the name; the file that it became


@dataclass(frozen=True)
class Settings:
    """axis: "auto" or a plane. dicom: the format of masks of DICOM files. force: another modality or part of
    the body than the header's is meant."""

    axis: str
    dicom: Literal["seg", "png"]
    force: bool


@dataclass(frozen=True)
class Outcome:
    rows: list[Row]
    problems: list[InputError]
    passed_over: list[Path]

    @property
    def warnings(self) -> dict[str, int]:
        """How many rows have each."""
        return dict(
            sorted(Counter(name for row in self.rows for name in str(row["warnings"]).split()).items())
        )


def predict(model: Model, inputs: list[Path], out: Path, *, settings: Settings, track: Track) -> Outcome:
    """Write into the new folder `out` the outputs of every input that can be judged; tell of the others.

    Of each input <name>_mask in its format and <name>_overlay.png; of all predictions.csv, also when the work
    is interrupted.
    """
    _check_new(out)
    sources, problems, passed_over = collect(inputs, out)
    rows: list[Row] = []
    try:
        for source in track(sources, "predict"):
            try:
                rows += _judge(model, source, out, settings)
            except InputError as error:
                problems.append(error)
            except OSError as error:
                of_source = error.filename is not None and Path(error.filename) in source.paths
                if error.errno == errno.ENAMETOOLONG:
                    problems.append(_long_name(source))
                elif of_source:
                    problems.append(unreadable(source.where, error))
                else:
                    raise  # the disk's
    finally:
        if rows:
            write_text(out / TABLE, _table(rows, model))
    return Outcome(rows, problems, passed_over)


def _check_new(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            "outputs would be written over what is there",
            where=out,
            got="a file" if out.is_file() else f"{sum(1 for _ in out.iterdir())} files",
            expected="a new or empty folder",
            mend="Name another one with --out.",
        )


def _long_name(source: Source) -> InputError:
    return refuse(
        source.where,
        "a name that leaves no room for those of its outputs",
        got=f"{len(source.name)} letters",
        expected="some 30 fewer than a file's name may have here",
        mend="Rename it.",
    )


def _judge(model: Model, source: Source, out: Path, settings: Settings) -> list[Row]:
    image, write = _read(model, source, settings)
    seen = [k for k, picture in enumerate(image.slices) if picture is not None]
    findings: list[Finding | None] = [None] * len(image.slices)
    for k, finding in zip(seen, model.find([image.slices[k] for k in seen]), strict=True):  # type: ignore[misc]
        findings[k] = finding
    target, mask = out / source.name, ""
    if "mask" in model.config["heads"]:
        masks = [
            finding.mask if finding and finding.mask is not None else np.zeros((1, 1), bool)
            for finding in findings
        ]
        mask = write(target, image.restore(masks)).relative_to(out).as_posix()
        # Of a volume the slice with the largest tumour, or the middle one.
        shown = max(seen, key=lambda k: (int(masks[k].sum()), -abs(k - seen[len(seen) // 2])))
        picture = image.slices[shown]
        assert picture is not None
        pictures.write_png(target.with_name(f"{target.name}_overlay.png"), overlay(picture, masks[shown]))
    return [_row(model, source, image, k, finding) | {"mask": mask} for k, finding in enumerate(findings)]


def _read(model: Model, source: Source, settings: Settings) -> tuple[Image, Write]:
    path = source.paths[0]
    if source.kind == "picture":
        return pictures.read(path), _write_png
    if source.kind == "volume":
        from brisc.inference import volumes

        suffix = ".nii.gz" if path.suffix.lower() == ".gz" else ".nii"

        def nifti(target: Path, mask: NDArray[np.bool_]) -> Path:
            volumes.write_mask(made := target.with_name(f"{target.name}_mask{suffix}"), mask, path)
            return made

        return volumes.read(path, settings.axis), nifti
    from brisc.inference import dicom, dicom_seg

    series = dicom.read(list(source.paths), settings.axis, force=settings.force)

    def seg(target: Path, mask: NDArray[np.bool_]) -> Path:
        made = target.with_name(f"{target.name}_mask.dcm")
        version = str(model.config["files"]["model.onnx"])[:12]
        try:
            dicom_seg.write_mask(made, mask[series.order], series.datasets, model=model.name, version=version)
        except dicom.UNREADABLE as error:
            raise refuse(
                source.where,
                "a header that no DICOM-SEG can refer to",
                got=str(error)[:200],
                expected="what the standard asks of an MR image",
                mend="Use --dicom png.",
            ) from None
        return made

    return series.image, seg if settings.dicom == "seg" else _write_frames


def _write_png(target: Path, mask: NDArray[np.bool_]) -> Path:
    pictures.write_mask(made := target.with_name(f"{target.name}_mask.png"), mask)
    return made


def _write_frames(target: Path, mask: NDArray[np.bool_]) -> Path:
    """A PNG for each frame, of the frame's size, numbered by their positions."""
    several = len(mask) > 1
    for number, frame in enumerate(mask):
        made = target.with_name(f"{target.name}_mask{f'_{number:04}' if several else ''}.png")
        pictures.write_mask(made, frame)
    return target.with_name(f"{target.name}_mask{'_*' if several else ''}.png")


def _row(model: Model, source: Source, image: Image, k: int, finding: Finding | None) -> Row:
    warnings = list(image.warnings)
    row: Row = {"file": source.where.as_posix(), "slice": k, "mm": "" if image.mm is None else image.mm[k]}
    if finding is None:
        return row | {"warnings": " ".join(sorted([*warnings, "air"]))}
    if finding.mask is not None:
        pixels = int(finding.mask.sum())
        row["area_pixels"] = pixels
        row["area_mm2"] = "" if image.pixel_mm2 is None else f"{pixels * image.pixel_mm2:.1f}"
    if finding.probabilities is not None:
        row["predicted"] = max(finding.probabilities, key=finding.probabilities.__getitem__)
        row |= {f"p_{name}": f"{p:.4f}" for name, p in finding.probabilities.items()}
        if max(finding.probabilities.values()) < UNSURE_BELOW:
            warnings.append("unsure")
    grey = image.slices[k]
    assert grey is not None  # there is a finding
    warnings += unlike_grey(grey)
    row["doubt"] = f"{finding.doubt:.3f}"
    if finding.doubt > model.doubt.threshold:
        warnings.append("doubt")
    assert set(warnings) <= set(WORDS)
    return row | {"warnings": " ".join(sorted(warnings))}


def _table(rows: list[Row], model: Model) -> str:
    heads = model.config["heads"]
    columns = ["file", "slice", "mm"]
    columns += ["area_pixels", "area_mm2"] if "mask" in heads else []
    columns += ["predicted", *(f"p_{name}" for name in model.classes)] if "label" in heads else []
    text = io.StringIO()
    columns += ["doubt", "warnings", *(["mask"] if "mask" in heads else [])]
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(errors="backslashreplace").decode()  # names of files need not be text
