"""bench/results.json as the Markdown that docs/speed.md shows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Json = dict[str, Any]

# What the project wants of a machine with two cores.
TARGETS = {"study": 5.0, "step": 0.97, "start_up_seconds": 3.5, "demo_seconds": 300.0}


def markdown(results: Json) -> str:
    parts = [headline, choices, ways, models, stages, growth, same]
    if "gpu" in results:
        parts.insert(3, gpu)
    return f"{machine(results)}\n\n" + "\n\n".join(part(results) for part in parts) + "\n"


def machine(results: Json) -> str:
    here, what = results["machine"], results["settings"]
    return (
        f"Measured in one run on {here['cores']} cores of {here['processor']}, torch {here['torch']}, load "
        f"{here['load_at_start']:.1f} at the start: {what['source']} images, {what['pixels']} px, base width "
        f"{what['base_channels']}, batch {what['batch_size']}, {what['precision']}."
    )


def headline(results: Json) -> str:
    training, evaluation, pipeline = results["training"], results["evaluation"], results["pipeline"]
    rates, start_up = training["images_per_second"], pipeline["stages"]["train"]["start_up_seconds"]
    demo = f"demo: {pipeline['stages_run']} stages, {pipeline['trainings']} trainings"
    rows = [
        (
            "training, ours against the study's way",
            times(training["ours_over_study"]),
            f"{rates['ours']:.1f} against {rates[training['study']]:.1f} images/s",
            f"at least {TARGETS['study']:g}",
        ),
        (
            "training, ours against the step alone on one batch",
            times(training["ours_over_step"]),
            f"{rates['ours']:.1f} against {rates['step alone']:.1f} images/s",
            f"at least {TARGETS['step']:g}",
        ),
        (
            "prediction from the cache against the net alone",
            f"{evaluation['predict'] / evaluation['net alone']:.2f}",
            f"{evaluation['predict']:.0f} images/s",
            "",
        ),
        ("archive to cache", "", f"{results['prepare_images_per_second']:.0f} images/s", ""),
        ("start-up of a training", "", f"{start_up:.1f} s", f"at most {TARGETS['start_up_seconds']:g} s"),
        ("DVC, per stage that runs", "", f"{pipeline['dvc_seconds_per_stage']:.2f} s", ""),
        ("DVC, nothing to do", "", f"{pipeline['nothing_to_do_seconds']:.1f} s", ""),
    ]
    if pipeline["whole_demo"]:
        rows.append((demo, "", f"{pipeline['seconds']:.0f} s", f"at most {TARGETS['demo_seconds']:g} s"))
    return grid(("what", "ratio", "here", "target"), rows)


def choices(results: Json) -> str:
    """What each choice of the step is worth: the step with that one thing different, against ours."""
    rates = results["choices"]["images_per_second"]
    rows = [(name, f"{rate:.1f}", f"{rate / rates['ours']:.2f}") for name, rate in rates.items()]
    if (compiling := results["choices"]["compile_seconds"]) is not None:
        rows[-1] = (f"torch.compile, after {compiling:.0f} s", *rows[-1][1:])
    kept = results["training"]["memory_kept_over_given_back"]
    rows.append(("freed memory given back", "", f"{1 / kept['median']:.2f}"))
    return grid(("U-Net step", "images/s", "against ours"), rows)


def ways(results: Json) -> str:
    rows = [
        (row["what"], row["error"], "", "")
        if "error" in row
        else (row["what"], f"{row['images_per_second']:.0f}", f"{row['ratio']:.2f}", row["against"])
        for row in results["ways"]
    ]
    return grid(("way to train a small U-Net", "images/s", "ratio", "against"), rows)


def gpu(results: Json) -> str:
    """Training at paper size, against the step alone, and against the lower of what the machine's arithmetic
    and memory allow."""
    head = (
        "paper size",
        "compile",
        "training, images/s",
        "of the step",
        "of the limit",
        "arithmetic",
        "memory",
    )
    return grid(head, gpu_rows(results["gpu"]["models"]))


def gpu_rows(models: Json) -> Iterator[tuple[str, ...]]:
    for name, tries in models.items():
        for compile, found in tries.items():
            arithmetic, memory = found["by_arithmetic"], found["by_memory"]
            limits = f"{arithmetic:.0f}", f"{memory:.0f}"
            if "error" in found:
                yield f"`{name}`", compile, found["error"], "", "", *limits
            else:
                rate = found["training"]
                share = f"{rate / min(arithmetic, memory):.2f}"
                yield f"`{name}`", compile, f"{rate:.0f}", f"{rate / found['step']:.2f}", share, *limits


def models(results: Json) -> str:
    rows = [
        (
            f"`{name}`",
            f"{found['channels last']:.1f}",
            f"{found['NCHW']:.1f}",
            f"{found['channels last'] / found['NCHW']:.2f}",
        )
        for name, found in results["models"].items()
    ]
    return grid(("training step", "channels last, images/s", "NCHW, images/s", "ratio"), rows)


def stages(results: Json) -> str:
    rows = [
        (f"`{name}`", f"{cost['start_up_seconds']:.1f}", f"{cost['seconds']:.1f}", f"{cost['peak_mb']:,}")
        for name, cost in results["pipeline"]["stages"].items()
    ]
    return grid(("stage of the demo", "start-up, s", "in all, s", "peak memory, MB"), rows)


def growth(results: Json) -> str:
    rows = []
    for what, found in results["growth"].items():
        steps = " → ".join(f"{step['size']:g}: {1000 * step['seconds']:.0f} ms" for step in found["steps"])
        memory = " → ".join(f"{step['peak_mb']:,}" for step in found["steps"] if "peak_mb" in step)
        rows.append((found["what"], steps, f"{what}^{found['exponent']:.2f}", memory))
    return grid(("how it grows", "measured", "seconds", "peak memory, MB"), rows)


def same(results: Json) -> str:
    rows = [
        (
            check["what"],
            check["error"]
            if "error" in check
            else "none"
            if check["difference"] == 0
            else f"{check['difference']:.1e}",
            "none" if check["tolerance"] == 0 else f"{check['tolerance']:g}",
            "yes" if check["holds"] else "NO",
        )
        for check in results["same_results"]
    ]
    return grid(("same results", "difference", "allowed", "holds"), rows)


def times(ratio: Json) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, all but the first column right-aligned."""
    ruler = [":--", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))
