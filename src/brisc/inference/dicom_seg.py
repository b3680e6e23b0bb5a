"""A mask as DICOM-SEG, which viewers lay over the series that it belongs to."""

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from brisc.atomic import atomic

# The standard asks for these, if only empty; programs that take names out leave them out as well.
MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)


def write_mask(path: Path, mask: NDArray[np.bool_], datasets: list[Any], *, model: str, version: str) -> None:
    """All frames (frames, rows, columns), empty ones too, as the data sets have them one after the other."""
    for dataset in datasets:
        for tag in MAY_BE_EMPTY:
            if tag not in dataset:
                setattr(dataset, tag, "")
    tumour = SegmentDescription(
        segment_number=1,
        segment_label="Tumour (research)",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=f"BRISC Study {model}", version=version, family=codes.DCM.ArtificialIntelligence
        ),
    )
    segmentation = Segmentation(
        source_images=datasets,
        pixel_array=mask.astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[tumour],
        series_instance_uid=highdicom.UID(),
        series_number=9000,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="BRISC Study",
        manufacturer_model_name=model,
        software_versions=version,
        device_serial_number="none",
        series_description="Research only, not for diagnosis",
        content_label="TUMOUR",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=False,
    )
    with atomic(path) as temporary:
        segmentation.save_as(temporary)
