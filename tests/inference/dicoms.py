"""DICOM files of an MRI of a head, written from an array, with any element changed: a series of single
slices, or one multi-frame file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SERIES = {
    "Modality": "MR",
    "BodyPartExamined": "HEAD",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "EchoTime": 4.0,
    "RepetitionTime": 500.0,
    "ContrastBolusAgent": "Gadolinium",
    "PatientName": "Secret^Name",
    "PatientID": "id",
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyDate": "20260101",
    "StudyTime": "120000",
    "StudyID": "1",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "none",
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1",
    "SeriesNumber": 3,
    "SeriesDescription": "t1 gd",
    "ProtocolName": "t1 gd",
    "ScanningSequence": "SE",
    "SequenceVariant": "NONE",
    "ScanOptions": "",
    "MRAcquisitionType": "2D",
    "PatientPosition": "HFS",
    "PositionReferenceIndicator": "",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
    "MagneticFieldStrength": 1.5,
}


def write_series(
    folder: Path,
    frames: NDArray[np.uint16],
    *,
    position: tuple[float, float, float] = (-30.0, -40.0, 0.0),
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    spacing: tuple[float, float] = (1.0, 1.0),
    step: float = 5.0,
    each: dict[int, dict[str, Any]] | None = None,
    **changes: Any,
) -> list[Path]:
    """Frames (N, rows, columns), `step` mm apart along their normal. each: elements of one file alone. Files
    are named against the order of their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series, reference = (generate_uid(entropy_srcs=[str(folder), kind]) for kind in "abc")
    normal = np.cross(orientation[:3], orientation[3:])
    paths = []
    for k, pixels in enumerate(frames):
        dataset = Dataset()
        dataset.SOPClassUID = MRImageStorage
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(k)])
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.FrameOfReferenceUID = reference
        dataset.InstanceNumber = k + 1
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.PixelSpacing = list(spacing)
        dataset.SliceThickness = step
        dataset.ImageOrientationPatient = list(orientation)
        dataset.ImagePositionPatient = [round(float(x), 6) for x in np.array(position) + k * step * normal]
        dataset.PixelData = pixels.astype("<u2").tobytes()
        change(dataset, SERIES | changes | (each or {}).get(k, {}))
        paths.append(save(folder / f"{len(frames) - k:04}.dcm", dataset))
    return paths


# Where a multi-frame file has what a single slice has at its top.
GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "RepetitionTime": "MRTimingAndRelatedParametersSequence",
    "StackID": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
}
SHARED = {
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [1.0, 1.0],
    "SliceThickness": 5.0,
    "EffectiveEchoTime": 4.0,
    "RepetitionTime": 500.0,
}


def write_multiframe(
    path: Path,
    frames: NDArray[np.uint16],
    each: list[dict[str, Any]],
    *,
    shared: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """An Enhanced MR image of frames (N, rows, columns). each: elements of each frame, `shared` those of all
    of them, both named as in GROUPS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = Dataset()
    dataset.SOPClassUID = EnhancedMRImageStorage
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, name, generate_uid(entropy_srcs=[str(path), name]))
    dataset.InstanceNumber = 1
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.SharedFunctionalGroupsSequence = [groups(SHARED | (shared or {}))]
    dataset.PerFrameFunctionalGroupsSequence = [groups(values) for values in each]
    dataset.PixelData = frames.astype("<u2").tobytes()
    change(dataset, SERIES | {"EchoTime": None, "RepetitionTime": None} | changes)
    return save(path, dataset)


def groups(values: dict[str, Any]) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        if value is not None:
            if GROUPS[name] not in made:
                setattr(made, GROUPS[name], [Dataset()])
            setattr(made[GROUPS[name]].value[0], name, value)
    return made


def change(dataset: Dataset, changes: dict[str, Any]) -> None:
    """None takes an element away."""
    for name, value in changes.items():
        if value is not None:
            setattr(dataset, name, value)
        elif name in dataset:
            delattr(dataset, name)


def save(path: Path, dataset: Dataset) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", MRImageStorage)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    FileDataset(str(path), dataset, preamble=b"\0" * 128, file_meta=meta).save_as(path)
    return path
