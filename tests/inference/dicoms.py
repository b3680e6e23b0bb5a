"""DICOM series of an MRI of a head, written from an array, with any element changed."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

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
        for name, value in (SERIES | changes | (each or {}).get(k, {})).items():
            if value is None:
                if name in dataset:
                    delattr(dataset, name)
            else:
                setattr(dataset, name, value)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{len(frames) - k:04}.dcm"
        FileDataset(str(path), dataset, preamble=b"\0" * 128, file_meta=meta).save_as(path)
        paths.append(path)
    return paths
