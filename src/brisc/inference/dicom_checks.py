"""What a DICOM header says against an image, before its pixels are looked at."""

from pathlib import Path
from typing import Any

import pydicom

from brisc.inference.images import refuse

HEADS = ("HEAD", "BRAIN", "SKULL", "HEADNECK")
PROJECTIONS = (
    *("PROJECTION IMAGE", "PROJECTION", "MIP", "MNIP", "MINIP", "MAXIMUM", "MPR THICK"),
    *("MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER", "CURVED_MPR"),  # as multi-frame files have it
)
LONGEST_TE_MS, LONGEST_TR_MS = 30.0, 3000.0  # of T1-weighted images


def check(path: Path, dataset: Any, *, force: bool) -> None:
    """Raise InputError for what is no slice of an MRI of a head; `force` lifts modality and body part."""
    modality = str(dataset.get("Modality", "") or "")
    kinds = [str(kind).upper() for kind in _several(dataset.get("ImageType"))]
    kinds += [str(dataset.get("VolumeBasedCalculationTechnique", "")).upper()]
    if modality in ("SEG", "RTSTRUCT", "PR", "SR") or "PixelData" not in dataset:
        raise refuse(
            path,
            "no image" if modality != "SEG" else "a segmentation",
            got=f"modality {modality or 'none'}, {'with' if 'PixelData' in dataset else 'without'} pixels",
            expected="an MR image",
            mend="Give the images that it belongs to.",
        )
    samples, kind = dataset.get("SamplesPerPixel", 1), dataset.get("PhotometricInterpretation")
    if samples != 1 or kind == "PALETTE COLOR":
        raise refuse(
            path,
            "a colour picture",
            got=f"{kind}, {samples} samples a pixel",
            expected="MONOCHROME1 or MONOCHROME2, 1 sample",
            mend="Give the images that the scanner took.",
        )
    if "MOSAIC" in kinds:
        raise refuse(
            path,
            "a Siemens mosaic",
            got="ImageType MOSAIC",
            expected="one slice a frame",
            mend="Unpack it with dcm2niix.",
        )
    if set(PROJECTIONS) & set(kinds):
        raise refuse(
            path,
            "a projection",
            got=", ".join(sorted(set(PROJECTIONS) & set(kinds))),
            expected="slices",
            mend="Give the series that it was made of.",
        )
    if not force and modality != "MR":
        raise refuse(
            path,
            "another modality",
            got=modality or "none",
            expected="MR",
            mend="Give an MRI; --force if the header is wrong.",
        )
    part = str(dataset.get("BodyPartExamined", "") or "").upper().strip()
    if not force and part and part not in HEADS:
        raise refuse(
            path,
            "another part of the body",
            got=part,
            expected=" or ".join(HEADS),
            mend="Give an MRI of a head; --force if the header is wrong.",
        )


def warn(dataset: Any) -> list[str]:
    """Names of brisc.inference.warnings that the header gives cause for."""
    found = []
    if "LOCALIZER" in [str(kind).upper() for kind in _several(dataset.get("ImageType"))]:
        found.append("localizer")
    echo, repetition = (_number(dataset, name) for name in ("EchoTime", "RepetitionTime"))
    if echo is None and repetition is None:
        found.append("no_timing")
    elif (echo or 0) > LONGEST_TE_MS or (repetition or 0) > LONGEST_TR_MS:
        found.append("not_t1")
    if not str(dataset.get("ContrastBolusAgent", "") or "").strip() and not dataset.get(
        "ContrastBolusAgentSequence"
    ):
        found.append("no_contrast")
    if not str(dataset.get("BodyPartExamined", "") or "").strip():
        found.append("no_body_part")
    return found


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | pydicom.multival.MultiValue) else [value]


def _number(dataset: Any, name: str) -> float | None:
    """Of a multi-frame file the first frame's, or the shared one, wherever it is nested."""
    try:
        if dataset.get(name) is not None:
            return float(dataset.get(name))
        names = {"EchoTime": "EffectiveEchoTime"}
        for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            for item in list(dataset.get(group, []))[:1]:
                for element in item.iterall():
                    if element.keyword in (name, names.get(name)) and element.value is not None:
                        return float(element.value)
    except (TypeError, ValueError):
        return None
    return None
