"""The card of an exported model, in the format of Hugging Face, from result files alone."""

from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import ModelCardData

from brisc.vocabulary import HEADS, LABELS, TEST_SUBSETS, TUMOURS

TEMPLATE = Path(__file__).with_name("card.md.j2")
DATA_LICENCE = "cc-by-4.0"


def card(
    name: str,
    *,
    config: dict[str, Any],
    checks: dict[str, Any],
    metrics: dict[str, Any],
    audit: dict[str, Any],
    images: dict[str, int],
    parameters: int,
) -> str:
    """Markdown with Hugging Face's block of YAML on top."""
    heads = config["heads"]
    data = ModelCardData(
        license="mit",
        library_name="onnx",
        pipeline_tag="image-segmentation" if "mask" in heads else "image-classification",
        tags=["brain-tumor", "mri", "medical", "research-only"],
        datasets=[] if config["source"] == "phantom" else ["briscdataset/brisc2025"],
        metrics=[metric for head, metric in (("mask", "dice"), ("label", "accuracy")) if head in heads],
    )
    # Sentences are the template's.
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"percent": percent, "interval": interval}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        yaml=data.to_yaml(),
        name=name,
        config=config,
        checks=checks,
        metrics=metrics,
        audit=audit,
        images=images,
        parameters=parameters,
        heads=[HEADS[head] for head in heads],
        subsets=TEST_SUBSETS,
        tumours=TUMOURS,
        labels=LABELS,
        data_licence=DATA_LICENCE,
    )


def percent(fraction: float | None) -> str:
    return "\N{EN DASH}" if fraction is None else f"{100 * fraction:.2f}"


def interval(scores: dict[str, Any], name: str) -> str:
    """A score of that name in percent, with its interval where there is one."""
    low, high = scores.get(f"{name}_low"), scores.get(f"{name}_high")
    value = percent(scores[name])
    return value if low is None else f"{value} [{percent(low)}, {percent(high)}]"
