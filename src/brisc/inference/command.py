"""The console script: brisc predict, brisc models, brisc score."""

import argparse
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from brisc.errors import InputError, InputErrors
from brisc.progress import Items
from brisc.vocabulary import PLANES

T = TypeVar("T")

HERE = Path(__file__).resolve().parents[3]  # the repository

RESEARCH = (
    "Research only: not a medical device, not for diagnosis or treatment; nobody has tested it on patients."
)
SHOWN = 5  # of a list of files
PHANTOM = "This model was trained on generated phantoms: what it says of a patient's image means nothing."


def main() -> int:
    """Exit code 0; 1 where any input was refused; 2 for a wrong command line."""
    arguments = parser().parse_args()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names need not be text
    print(RESEARCH, file=sys.stderr)
    warnings.simplefilter("ignore")  # of libraries about files; what matters of them is refused or told
    logging.disable()  # the same
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is done so far is written
    try:
        done: int = arguments.do(arguments)
        return done
    except (InputError, InputErrors) as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(
            f"error: {error.filename or 'disk'}: {error.strerror or error}. Mend this and run it again.",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("interrupted; what is written is whole", file=sys.stderr)
    return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="brisc", description=RESEARCH)
    top.add_argument(
        "--models",
        type=Path,
        help="folder of exported models (default: models/ here, then of this repository)",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser("predict", help="masks and classes of MRI slices and volumes of a head")
    predict.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="PNG, JPEG, NIfTI, DICOM; folders"
    )
    predict.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    predict.add_argument(
        "--model", default="joint", help="as brisc models lists it, or a path (default: joint)"
    )
    predict.add_argument(
        "--axis", choices=["auto", *PLANES], default="auto", help="how a volume is cut (default: as acquired)"
    )
    predict.add_argument(
        "--dicom", choices=["seg", "png"], default="seg", help="format of masks of DICOM files (default: seg)"
    )
    predict.add_argument("--force", action="store_true", help="another modality or part of the body is meant")
    predict.set_defaults(do=run_predict)
    models = commands.add_parser("models", help="the exported models that are here")
    models.set_defaults(do=run_models)
    score = commands.add_parser("score", help="scores of any predictions of the test images of BRISC 2025")
    score.add_argument(
        "predictions",
        type=Path,
        help="a folder of masks, <id>.png; or a CSV with id (or file) and predicted, a class",
    )
    score.add_argument("--data", type=Path, help="the data set, a folder or zip: for masks")
    score.add_argument("--out", type=Path, metavar="DIR", help="also write scores.json and per_image.csv")
    score.set_defaults(do=run_score)
    return top


def run_models(arguments: argparse.Namespace) -> int:
    from brisc.inference.model import available, read_config

    found = available(roots(arguments.models))
    for name, folder in found.items():
        config = read_config(folder)
        heads = " and ".join(config["heads"])
        print(f"{name}  {heads}, {config['size']} px, trained on {config['source']}  {folder}")
    if not found:
        print("no exported model here: dvc repro export@<profile>-<run>, or dvc pull --remote kept")
    return 0


def run_predict(arguments: argparse.Namespace) -> int:
    from brisc.inference.model import available, choose, load
    from brisc.inference.predict import TABLE, Settings, predict
    from brisc.inference.warnings import WORDS

    model = load(choose(arguments.model, available(roots(arguments.models))))
    if model.config["source"] == "phantom":
        print(PHANTOM, file=sys.stderr)
    settings = Settings(arguments.axis, arguments.dicom, arguments.force)
    done = predict(model, arguments.inputs, arguments.out, settings=settings, track=bar)
    for problem in done.problems:
        print(f"refused: {problem}", file=sys.stderr)
    if done.passed_over:
        names = ", ".join(path.as_posix() for path in done.passed_over[:SHOWN])
        more = ", ..." if len(done.passed_over) > SHOWN else ""
        print(
            f"passed over: {len(done.passed_over)} files that are no images ({names}{more})", file=sys.stderr
        )
    for name, count in done.warnings.items():
        print(f"warning: {name}, {count} of {len(done.rows)} slices: {WORDS[name]}", file=sys.stderr)
    files = len({row["file"] for row in done.rows})
    if files:
        print(f"{model.name}: {files} judged, {len(done.problems)} refused: {arguments.out / TABLE}")
    return 1 if done.problems else 0


def run_score(arguments: argparse.Namespace) -> int:
    try:
        from brisc.scoring import score
    except ModuleNotFoundError as error:
        raise InputError(
            "brisc score needs more than brisc predict",
            where=Path(sys.prefix),
            got=f"no {error.name}",
            expected="the study's environment",
            mend="Make it with make, and run .venv/bin/brisc score.",
        ) from None
    images = score.read_images(HERE)
    if arguments.predictions.is_dir():
        if arguments.data is None:
            raise InputError(
                "masks are held against the publisher's",
                where=arguments.predictions,
                got="no --data",
                expected="the data set, a folder or a zip",
                mend="Say where it is with --data.",
            )
        if not arguments.data.exists():
            raise InputError(
                "no such data set",
                where="--data",
                got=arguments.data,
                expected="the folder or zip that has manifest.csv",
                mend="Check the path.",
            )
        judged = score.judge_masks(arguments.predictions, arguments.data, images, track=bar)
        scores = score.score_masks(judged)
        if resized := int(judged["resized"].sum()):
            print(f"stretched to the size of their images: {resized} of {len(judged)} masks", file=sys.stderr)
    else:
        judged = score.judge_labels(arguments.predictions, images)
        scores = score.score_labels(judged)
    print(score.table(scores))
    if arguments.out:
        score.write_scores(arguments.out, scores, judged)
    return 0


def roots(given: Path | None) -> list[Path]:
    return [given] if given else [Path("models"), HERE / "models"]


def bar(items: Items[T], description: str) -> Iterable[T]:
    """A progress bar in a terminal."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description, total=len(items), console=Console(stderr=True), transient=True)
