"""The page as it is used: in a real browser, from disk. `visit` fails a test at any console message, error or
request."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from made_up import MODELS
from playwright.sync_api import Browser, Locator, Page, expect

from brisc.page.build import write_site
from brisc.vocabulary import LABELS

SCREENSHOTS = Path(__file__).parents[2] / ".scratch" / "screenshots"
VIEWS = ("cases", "compare", "classes", "training", "cost", "copies")
Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    expect.set_options(timeout=15_000)
    yield
    expect.set_options(timeout=5_000)


def place(page: Page) -> Locator:
    return page.locator(".view:not([hidden]) .leaf strong")


def name(page: Page) -> Locator:
    return page.locator(".view:not([hidden]) .leaf code")


def drawn(page: Page, case: str) -> None:
    """Wait until the panels show a case."""
    expect(page.locator("#panels")).to_have_attribute("data-case", case)


def choose(page: Page, label: str, value: str) -> None:
    control(page, "combobox", label).select_option(value)


def control(page: Page, role: Any, label: str) -> Locator:
    return page.locator(".view:not([hidden])").get_by_role(role, name=label, exact=True)


def stage(page: Page, figure: str) -> Locator:
    """The picture under a caption."""
    return page.locator("#panels figure", has_text=figure).locator(".stage")


def lit(page: Page, figure: str) -> int:
    """Pixels of a mask that a canvas shows, by its alpha, counted at the centre of each."""
    return int(
        stage(page, figure)
        .locator("canvas")
        .evaluate(
            """(canvas) => {
                const side = canvas.width, grain = side / core.size;
                const copy = new OffscreenCanvas(side, side).getContext("2d");
                copy.drawImage(canvas, 0, 0);
                const { data } = copy.getImageData(0, 0, side, side);
                let count = 0;
                for (let y = grain / 2; y < side; y += grain)
                    for (let x = grain / 2; x < side; x += grain) count += data[4 * (y * side + x) + 3] > 0;
                return count;
            }"""
        )
    )


def per_image(profile: Path, model: str) -> pd.DataFrame:
    table = pd.read_csv(profile / "runs" / "eval" / model / "per_image.csv").query("split == 'test'")
    return table.set_index(table["id"].str.removeprefix("brisc2025_").str.removesuffix("_t1"))


# ----------------------------------------------------------------------------------------------------
# cases


def test_the_first_view_says_what_it_is_made_of(visit: Open) -> None:
    page = visit()
    drawn(page, "test_00001_gl_ax")
    expect(place(page)).to_have_text("1 of 24")
    expect(page).to_have_title("Phantoms: Cases, BRISC study, demo")
    expect(page.locator("#notice")).to_have_text("Phantom data: says nothing about patients.")
    shown = page.locator("figure.panel:visible")
    assert shown.count() == 5
    for figure in shown.all():
        expect(figure.locator(".phantom")).to_have_text("phantom")


def test_paging_by_button_and_by_key(visit: Open) -> None:
    page = visit()
    drawn(page, "test_00001_gl_ax")
    page.get_by_role("button", name="Next", exact=True).click()
    drawn(page, "test_00002_me_ax")
    expect(place(page)).to_have_text("2 of 24")
    page.keyboard.press("ArrowRight")
    drawn(page, "test_00003_no_ax")
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Previous", exact=True).click()
    drawn(page, "test_00001_gl_ax")
    page.keyboard.press("ArrowLeft")
    expect(place(page)).to_have_text("1 of 24")
    page.keyboard.press("End")
    drawn(page, "test_00024_pi_sa")
    page.keyboard.press("ArrowRight")
    expect(place(page)).to_have_text("24 of 24")
    page.keyboard.press("Home")
    drawn(page, "test_00001_gl_ax")
    page.locator(".thumbs button").nth(4).click()
    drawn(page, "test_00005_gl_co")
    expect(page.locator(".thumbs [aria-current]")).to_contain_text("test_00005_gl_co")


def test_arrows_in_a_control_do_not_turn_the_page(visit: Open) -> None:
    page = visit()
    drawn(page, "test_00001_gl_ax")
    opacity = control(page, "slider", "Opacity")
    opacity.focus()
    page.keyboard.press("ArrowRight")
    expect(opacity).to_have_value("46")
    expect(place(page)).to_have_text("1 of 24")


def test_holding_an_arrow_is_no_flood_of_addresses(visit: Open) -> None:
    page = visit()
    drawn(page, "test_00001_gl_ax")
    page.evaluate(
        """for (let press = 0; press < 401; press += 1) {
            dispatchEvent(new KeyboardEvent("keydown", { key: press % 2 ? "ArrowLeft" : "ArrowRight" }));
        }"""
    )
    drawn(page, "test_00002_me_ax")
    page.wait_for_url("**case=test_00002_me_ax")


def test_filters(visit: Open, profile: Path) -> None:
    page = visit()
    table = per_image(profile, "unet")
    choose(page, "Class", "glioma")
    expect(place(page)).to_have_text("1 of 6")
    choose(page, "Subset", "copied")
    copied = table[(table["label"] == "glioma") & (table["clean"] == 0)]
    expect(place(page)).to_have_text(f"1 of {len(copied)}")
    assert len(copied) == 2
    choose(page, "Subset", "clean")
    expect(place(page)).to_have_text("1 of 4")
    choose(page, "Plane", "coronal")
    only = table.query("label == 'glioma' and clean == 1 and plane == 'coronal'").index.tolist()
    expect(place(page)).to_have_text(f"1 of {len(only)}")
    expect(name(page)).to_have_text(only[0])
    choose(page, "Subset", "copied")
    choose(page, "Plane", "sagittal")
    expect(page.get_by_text("No test image passes these filters.").first).to_be_visible()
    expect(page.locator("#panels")).to_be_hidden()
    choose(page, "Plane", "")
    expect(place(page)).to_have_text(re.compile("of 2"))


def test_a_filter_keeps_the_case_that_passes_it(visit: Open) -> None:
    page = visit("#cases?case=test_00010_me_sa")
    drawn(page, "test_00010_me_sa")
    choose(page, "Class", "meningioma")
    expect(place(page)).to_have_text("3 of 6")
    drawn(page, "test_00010_me_sa")


def test_sorting_by_dice(visit: Open, profile: Path) -> None:
    page = visit()
    table = per_image(profile, "unet")
    tumours = table[table["label"] != "no_tumor"]
    choose(page, "Sort", "low")
    drawn(page, "test_00024_pi_sa")  # the tumour that no model finds
    expect(page.locator("#view-cases .facts div", has_text="Dice").first).to_contain_text("0.0")
    choose(page, "Sort", "high")
    drawn(page, str(tumours["dice"].idxmax()))
    page.keyboard.press("End")
    assert "_no_" in name(page).inner_text()  # healthy slices have no Dice and come last


def test_a_deep_link_and_the_address_that_follows(visit: Open) -> None:
    page = visit("#cases?case=test_00012_pi_sa&model=joint&class=&plane=sagittal")
    drawn(page, "test_00012_pi_sa")
    expect(control(page, "combobox", "Model")).to_have_value("joint")
    expect(page.locator("#panels figure:visible")).to_have_count(6)  # a joint net has Grad-CAM too
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**#cases?case=test_00021_gl_sa&model=joint&plane=sagittal")
    page.reload()
    drawn(page, "test_00021_gl_sa")
    expect(place(page)).to_have_text("5 of 8")
    page.evaluate("location.hash = '#cases?case=test_00003_no_ax'")
    drawn(page, "test_00003_no_ax")
    expect(control(page, "combobox", "Model")).to_have_value("unet")


@pytest.mark.parametrize(
    "fragment",
    [
        "#cases?case=nobody&model=vnet&label=%3Cb%3E&subset=all&sort=x",
        "#nowhere",
        "#cases?",
        "#classes?page=-3&classifier=unet",
    ],
)
def test_an_address_that_names_nothing_shows_the_default(visit: Open, fragment: str) -> None:
    page = visit(fragment)
    if "classes" in fragment:
        expect(page.locator("#view-classes .pager span")).to_have_text(re.compile("Page 1 of"))
    else:
        drawn(page, "test_00001_gl_ax")
        expect(place(page)).to_have_text("1 of 24")


@pytest.mark.parametrize("case", ["test_00001_gl_ax", "test_00003_no_ax", "test_00024_pi_sa"])
def test_the_masks_drawn_are_the_masks_measured(visit: Open, profile: Path, case: str) -> None:
    page = visit(f"#cases?case={case}")
    drawn(page, case)
    row = per_image(profile, "unet").loc[case]
    assert lit(page, "Truth") == row["true_pixels"]
    assert lit(page, "Prediction") == row["predicted_pixels"]
    hit = row["intersection"]
    missed, extra = row["true_pixels"] - hit, row["predicted_pixels"] - hit
    expect(stage(page, "Difference")).to_have_attribute(
        "aria-label", f"Difference: {hit} pixels right, {missed} missed, {extra} false positive"
    )
    assert lit(page, "Difference") == row["true_pixels"] + row["predicted_pixels"] - hit


def test_opacity_by_slider_and_by_key(visit: Open) -> None:
    page = visit()
    drawn(page, "test_00001_gl_ax")
    middle = """(canvas) => {
        const mask = decodeMask(truth[0]), grain = canvas.width / core.size;
        const cells = [...mask.keys()].filter((index) => mask[index]);
        const at = cells[Math.floor(cells.length / 2)], x = at % core.size, y = Math.floor(at / core.size);
        const copy = new OffscreenCanvas(canvas.width, canvas.width).getContext("2d");
        copy.drawImage(canvas, 0, 0);
        return copy.getImageData((x + 0.5) * grain, (y + 0.5) * grain, 1, 1).data[3];
    }"""
    page.evaluate("(async () => { window.truth = await load('truth'); })()")
    canvas, opacity = stage(page, "Overlay").locator("canvas"), control(page, "slider", "Opacity")
    opacity.fill("100")
    assert canvas.evaluate(middle) == 255
    opacity.fill("20")
    assert canvas.evaluate(middle) == 51
    opacity.evaluate("(input) => input.blur()")
    page.keyboard.press("o")
    assert canvas.evaluate(middle) == 0
    page.keyboard.press("o")
    assert canvas.evaluate(middle) == 51


def test_zoom_brings_the_tumour_near_and_a_healthy_slice_stays(visit: Open) -> None:
    page = visit()
    drawn(page, "test_00001_gl_ax")
    zoom = "(panels) => Number(getComputedStyle(panels).getPropertyValue('--zoom'))"
    page.keyboard.press("z")
    page.wait_for_function(f"({zoom})(document.querySelector('#panels')) > 1.5")
    page.evaluate("location.hash = '#cases?case=test_00007_no_co'")
    drawn(page, "test_00007_no_co")
    assert page.locator("#panels").evaluate(zoom) == 1


def test_what_classifiers_say_of_a_case(visit: Open, profile: Path) -> None:
    page = visit("#cases?case=test_00006_me_co&model=densenet121")
    drawn(page, "test_00006_me_co")
    row = per_image(profile, "densenet121").loc["test_00006_me_co"]
    says = page.locator(".bars", has_text="densenet121")
    expect(says).to_contain_text(
        "right" if row["predicted"] == "meningioma" else f"wrong: {row['predicted'].replace('_', ' ')}"
    )
    for at, label in enumerate(LABELS):
        expect(says.locator("li").nth(at)).to_contain_text(f"{100 * row[f'p_{label}']:.1f}\u202f%")
    expect(page.locator("#panels figure:visible")).to_have_count(3)
    expect(stage(page, "Grad-CAM")).to_have_attribute("aria-label", re.compile("Where densenet121 looked"))


# ----------------------------------------------------------------------------------------------------
# compare


def test_compare_begins_with_the_two_unets_and_their_largest_difference(visit: Open, profile: Path) -> None:
    page = visit("#compare")
    expect(page.locator(".side h3")).to_have_text(["unet", "attention_unet"])
    one, two = (per_image(profile, model) for model in ("unet", "attention_unet"))
    tumours = one["label"] != "no_tumor"
    gap = (one["dice"] - two["dice"])[tumours].abs()
    expect(page.locator("#pair")).to_have_attribute("data-case", str(gap.idxmax()))
    for side, table in zip(page.locator(".side").all(), (one, two), strict=True):
        expect(side.locator(".facts")).to_contain_text(f"{100 * table.loc[gap.idxmax(), 'dice']:.1f}\u202f%")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#pair")).not_to_have_attribute("data-case", str(gap.idxmax()))
    expect(place(page)).to_have_text("2 of 24")


def test_only_tested_differences_are_told(visit: Open) -> None:
    page = visit("#compare")
    verdict = page.locator("#view-compare .card", has_text="Do they differ?")
    expect(verdict.locator("tbody td:nth-child(2)")).to_have_text(["not significantly different"] * 3)
    expect(verdict).not_to_contain_text("ahead")
    expect(verdict).to_contain_text("+1.0 (seed 42), \u22122.0 (seed 43)")
    choose(page, "Second model", "joint")
    expect(verdict.locator("tbody td:nth-child(2)")).to_have_text(["significantly different: unet ahead"] * 3)
    expect(verdict.locator("tbody td:nth-child(3)").first).to_have_text("+2.0 [\u22121.0, 5.0]")
    choose(page, "First model", "joint")
    choose(page, "Second model", "unet")
    # The other way round, so is the difference.
    expect(verdict.locator("tbody td:nth-child(3)").first).to_have_text("\u22122.0 [\u22125.0, 1.0]")
    expect(verdict.locator("tbody td:nth-child(2)").first).to_have_text("significantly different: unet ahead")
    choose(page, "First model", "mobilenetv2")
    expect(verdict).to_contain_text("nothing to compare them by")
    choose(page, "Second model", "densenet121")
    expect(verdict.locator("tbody td:nth-child(2)")).to_have_text(
        ["not significantly different", "not significantly different", "not tested: 9 groups"]
    )
    choose(page, "Second model", "mobilenetv2")
    expect(verdict).to_contain_text("one model twice")


def test_a_point_of_the_scatter_is_a_case(visit: Open, profile: Path) -> None:
    page = visit("#compare")
    points = page.locator("#view-compare svg .case")
    expect(points).to_have_count(18)  # the tumour slices
    # The tumour that both miss lies at the origin.
    box = page.locator("#view-compare .chart svg").bounding_box()
    line = page.locator("#view-compare svg .equal").evaluate(
        "(line) => [line.x1.baseVal.value, line.y1.baseVal.value]"
    )
    assert box is not None
    page.locator("#view-compare .chart svg").click(position={"x": line[0] + 2, "y": line[1] - 2})
    expect(page.locator("#pair")).to_have_attribute("data-case", "test_00024_pi_sa")


# ----------------------------------------------------------------------------------------------------
# classes


@pytest.mark.parametrize("subset", ["official", "clean", "strict"])
def test_the_matrix_is_that_of_the_metrics(visit: Open, profile: Path, subset: str) -> None:
    page = visit(f"#classes?classifier=mobilenetv2&subset={subset}")
    confusion = json.loads((profile / "reports" / "metrics.json").read_text())["mobilenetv2"][subset][
        "confusion"
    ]
    cells = page.locator("#view-classes .matrix .heat b")
    expect(cells).to_have_text([str(confusion[truth][guess]) for truth in LABELS for guess in LABELS])
    rows = page.locator("#view-classes .card", has_text="Each class").locator("tbody tr")
    expect(rows.first.locator("td").first).to_have_text(str(sum(confusion["glioma"].values())))


def test_a_cell_of_the_matrix_shows_its_images(visit: Open, profile: Path) -> None:
    page = visit("#classes?classifier=densenet121")
    table = per_image(profile, "densenet121")
    wrong = table[table["label"] != table["predicted"]]
    expect(page.locator("#cell")).to_have_text(f"All mistakes: {len(wrong)} images")
    inside = table[(table["label"] == "pituitary") & (table["predicted"] == "pituitary")]
    page.locator('[data-cell="pituitary pituitary"]').click()
    expect(page.locator("#cell")).to_have_text(f"True pituitary, named pituitary: {len(inside)} images")
    expect(page.locator(".gallery > li")).to_have_count(len(inside))
    order = inside["p_pituitary"].sort_values(ascending=False)
    expect(page.locator(".gallery figcaption > span:first-child")).to_have_text(list(order.index))
    expect(page.locator(".gallery .chosen").first).to_contain_text(f"{100 * order.iloc[0]:.1f}\u202f%")
    # By keyboard: the focus stays on the cell although the matrix is drawn anew.
    cell = page.locator('[data-cell="glioma glioma"]')
    cell.focus()
    page.keyboard.press("Enter")
    expect(cell).to_have_attribute("aria-pressed", "true")
    expect(cell).to_be_focused()
    page.wait_for_url("**truth=glioma&predicted=glioma")
    page.locator(".gallery a").first.click()
    expect(page.locator("#view-cases")).to_be_visible()
    expect(control(page, "combobox", "Model")).to_have_value("densenet121")


def test_grad_cam_of_the_gallery_can_be_switched_off(visit: Open) -> None:
    page = visit("#classes?classifier=mobilenetv2")
    painted = (
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, 512, 512).data.some((value) => value > 0)"
    )
    canvas = page.locator(".gallery canvas").first
    assert canvas.evaluate(painted)
    control(page, "checkbox", "Grad-CAM").uncheck()
    page.wait_for_function(f"!({painted})(document.querySelector('.gallery canvas'))")


def test_copied_images_have_a_matrix_but_no_interval(visit: Open) -> None:
    page = visit("#classes?classifier=densenet121&subset=copied")
    expect(page.locator("#view-classes .lead")).to_contain_text("of 8 images that are also in train")
    total = sum(int(text) for text in page.locator("#view-classes .matrix .heat b").all_inner_texts())
    assert total == 8


def test_the_gallery_is_paged(visit: Open, profile: Path) -> None:
    page = visit("#classes?classifier=mobilenetv2")
    table = per_image(profile, "mobilenetv2")
    wrong = int((table["label"] != table["predicted"]).sum())
    assert wrong > 12
    expect(page.locator(".gallery > li")).to_have_count(12)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".gallery > li")).to_have_count(wrong - 12)
    page.locator("#view-classes").get_by_role("button", name="Previous page").click()
    expect(page.locator(".gallery > li")).to_have_count(12)


# ------------------------------------------------------------------------------------------------- training,
# cost, copies


def test_a_cell_of_the_grid_shows_its_curve_on_hover_and_on_focus(visit: Open) -> None:
    page = visit("#training")
    title = page.locator("#view-training h4")
    cell = page.locator('[data-cell^="sgd"]').first
    cell.hover()
    expect(title).to_have_text("sgd, rate 1e\u22125: 47.0\u202f% [42.0, 52.0] in epoch 4, rank 1 to 6 of 6")
    expect(page.locator("#view-training svg .line.faint")).to_have_count(5)
    claim = "the study's table: adam, rate 1e\u22125 is best, 79.0\u202f%. inconclusive: 4 of 5 other cells"
    expect(page.locator("#view-training .claims li")).to_contain_text([claim])
    page.locator('[data-cell="adam 1e\u22124"]').focus()
    expect(title).to_contain_text("adam, rate 1e\u22124: 55.0")
    page.keyboard.press("Tab")
    expect(title).to_contain_text("adam, rate 1e\u22123")
    diverged = page.locator('[data-cell="sgd 1e\u22123"]')
    expect(diverged).to_contain_text("diverged, epoch 2")
    diverged.click()
    expect(diverged).to_have_attribute("aria-pressed", "true")
    expect(title).to_contain_text("diverged in epoch 2")


def test_learning_curves_of_the_models_that_have_them(visit: Open) -> None:
    page = visit("#training?curve=validation_accuracy")
    chart = page.locator("#view-training .chart").first
    expect(chart.locator("svg")).to_have_attribute(
        "aria-label", "validation accuracy over epochs of mobilenetv2, densenet121, joint"
    )
    control(page, "checkbox", "joint").uncheck()
    expect(chart.locator("svg")).to_have_attribute(
        "aria-label", "validation accuracy over epochs of mobilenetv2, densenet121"
    )
    choose(page, "Curve", "train_loss")
    expect(chart.locator("svg .line")).to_have_count(4)
    chart.locator("svg").hover()
    expect(chart.locator(".tip")).to_contain_text("epoch")


def test_the_curves_of_other_runs_are_drawn_when_asked_for(visit: Open) -> None:
    page = visit("#training?curve=validation_dice")
    drawing = page.locator("#view-training .chart svg").first
    before = "validation Dice over epochs of unet, attention_unet, joint"
    expect(drawing).to_have_attribute("aria-label", before)
    control(page, "checkbox", "unet-43").check()
    expect(drawing).to_have_attribute("aria-label", f"{before}, unet-43")
    control(page, "checkbox", "unet-fewer").check()
    expect(drawing).to_have_attribute("aria-label", f"{before}, unet-43, unet-fewer")
    page.get_by_text("Values as a table").click()
    rows = page.locator("#view-training details tr")
    expect(rows.filter(has_text="unet-43")).to_contain_text("as unet, seed 43")
    expect(rows.filter(has_text="unet-bare")).to_contain_text("as unet, epochs 4, augment.horizontal_flip 0")
    # They name no classes, so they have no such curve.
    choose(page, "Curve", "validation_accuracy")
    expect(control(page, "checkbox", "unet-43")).to_be_hidden()
    expect(page.get_by_role("group", name="Recipes")).to_be_hidden()


def test_only_models_are_compared(visit: Open) -> None:
    page = visit("#compare?model=unet-43&other=unet-bare")
    for which in ("First", "Second"):
        options = control(page, "combobox", f"{which} model").locator("option")
        assert [option.get_attribute("value") for option in options.all()] == list(MODELS)
    expect(page.locator(".side h3")).to_have_text(["unet", "attention_unet"])


@pytest.mark.parametrize(
    "code", ["absent", "measure", "alone", "diverged", "behind", "tied", "fewer", "ahead"]
)
def test_a_verdict_on_the_grid_has_its_reason(visit: Open, code: str) -> None:
    page = visit("#cases")
    numbers = {"better": 2, "tied": 3, "others": 5, "cells": 6, "published_cells": 20, "epoch": 7}
    reason = json.dumps({"code": code, "measure": "accuracy", **numbers})
    page.evaluate(f"core.grid.claims[0].reason = {reason}; location.hash = '#training'")
    claim = page.locator("#view-training .claims li")
    expect(claim).to_contain_text("inconclusive: ")
    expect(claim).not_to_contain_text("undefined")


def test_cost_is_shown_as_far_as_it_was_measured(visit: Open) -> None:
    page = visit("#cost")
    options = control(page, "combobox", "Cost").locator("option")
    expect(options.nth(0)).to_be_enabled()
    expect(options.nth(3)).to_be_disabled()
    expect(options.nth(3)).to_have_text("latency of one image, ms (not measured)")
    first = page.locator("#view-cost tbody tr").first
    expect(first.locator("th")).to_have_text("unet")
    expect(first.locator("td").nth(2)).to_have_text("a")
    expect(page.locator("#view-cost tbody tr", has_text="joint").locator("td").nth(2)).to_have_text("b")
    expect(page.locator("#view-cost svg .dot")).to_have_count(6)
    native = page.locator("#view-cost tbody td:nth-child(3)")
    expect(native).to_have_text(["50.0\u202f% [40.0, 60.0]", *["\u2013"] * 4])
    page.evaluate("location.hash = '#cost?cost=latency_ms'")
    expect(page.locator("#view-cost .chart").first).to_contain_text("not measured in this profile")


def test_names_on_the_cost_chart_cover_no_point_or_whisker(visit: Open) -> None:
    page = visit("#cost")
    expect(page.locator("#view-cost svg .dot")).to_have_count(6)
    # Nets of nearly the same cost, the one on the right with a whisker beside all the others' points.
    page.evaluate(
        """() => {
            core.models.forEach((model, i) => {
                model.cost.parameters = i ? 1.9e6 : 2.05e6;
                for (const metrics of Object.values(model.metrics))
                    for (const key of ["dice_per_image", "accuracy"])
                        if (key in metrics)
                            Object.assign(metrics, {
                                [key]: 0.8 - 0.01 * i, [`${key}_low`]: 0.7, [`${key}_high`]: 0.9,
                            });
            });
            location.hash = "#cost?quality=clean";
        }"""
    )
    expect(page.locator("#view-cost figcaption").first).to_contain_text("no copy in train")
    covered = page.locator("#view-cost .chart svg").evaluate_all(
        """(charts) => charts.flatMap((chart) => {
            const boxes = (kind) =>
                [...chart.querySelectorAll(kind)].map((one) => one.getBoundingClientRect());
            const meet = (a, b) =>
                a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;
            const names = boxes(".name");
            return names.map((name, i) =>
                [...boxes(".dot, .whisker"), ...names.toSpliced(i, 1)].some((box) => meet(name, box)));
        })"""
    )
    assert covered == [False] * 6


def test_a_copy_and_its_twin_flicker(visit: Open) -> None:
    page = visit("#copies")
    expect(place(page)).to_have_text("1 of 8")
    expect(page.locator("#view-copies .lead")).to_contain_text(
        "8 of 24 test images are also in train: 4 encoded again, 4 mirrored left to right."
    )
    choose(page, "Relation", "mirrored")
    expect(place(page)).to_have_text("1 of 4")
    twin = page.locator("#twins figure", has_text="twin in train").locator(".layer")
    expect(twin).to_have_class(re.compile("mirrored"))
    # Turned back, the twin's mask lies on that of the test image.
    expect(page.locator("#view-copies .facts div", has_text="Agreement")).to_contain_text("Dice 100.0")
    control(page, "checkbox", "Turn mirrored twins back").uncheck()
    expect(twin).not_to_have_class(re.compile("mirrored"))
    flicker, over = page.get_by_role("button", name="Flicker"), page.locator("#twins .over")
    flicker.click()
    expect(flicker).to_have_attribute("aria-pressed", "true")
    expect(over).to_have_css("opacity", "1")
    expect(over).to_have_css("opacity", "0")
    page.keyboard.press("f")
    expect(flicker).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowRight")
    expect(place(page)).to_have_text("2 of 4")


def test_nothing_flickers_for_those_who_want_less_motion(visit: Open) -> None:
    page = visit("#copies", reduced_motion="reduce")
    expect(place(page)).to_have_text("1 of 8")
    expect(page.get_by_role("button", name="Flicker")).to_be_hidden()
    page.keyboard.press("f")
    expect(page.locator("#view-copies button[aria-pressed]")).to_have_attribute("aria-pressed", "false")
    over = page.locator("#twins .over")
    page.get_by_role("button", name="Swap").click()
    expect(over).to_have_css("opacity", "1")
    control(page, "slider", "Share of the twin").fill("25")
    expect(over).to_have_css("opacity", "0.25")


def test_from_a_copied_case_to_its_twin_and_back(visit: Open) -> None:
    page = visit("#cases?case=test_00006_me_co")
    drawn(page, "test_00006_me_co")
    page.get_by_role("link", name="See its twin in train").click()
    expect(page.locator("#twins")).to_have_attribute("data-pair", "test_00006_me_co+train_00006_me_co")
    page.get_by_role("link", name="See what the models make of it").click()
    drawn(page, "test_00006_me_co")
    page.go_back()
    expect(page.locator("#view-copies")).to_be_visible()


# ----------------------------------------------------------------------------------------------------
# the whole page


def test_views_by_keyboard_and_what_a_screen_reader_hears(visit: Open) -> None:
    page = visit()
    drawn(page, "test_00001_gl_ax")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    status = page.get_by_role("status")
    expect(status).to_have_text(re.compile(r"1 of 24: test_00001_gl_ax, glioma\. unet: Dice \d"))
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="Compare")).to_be_focused()
    expect(page.get_by_role("navigation").get_by_role("link", name="Compare")).to_have_attribute(
        "aria-current", "page"
    )
    expect(page).to_have_title("Phantoms: Compare, BRISC study, demo")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("checkbox", name="Letter keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.locator("#view-compare")).to_be_visible()
    at = int(place(page).inner_text().split()[0])
    page.keyboard.press("ArrowRight")
    expect(place(page)).to_have_text(f"{at + 1} of 24")


def test_a_view_is_left_with_what_was_looked_at(visit: Open) -> None:
    page = visit("#cases?case=test_00010_me_sa&label=meningioma")
    drawn(page, "test_00010_me_sa")
    page.get_by_role("navigation").get_by_role("link", name="Compare").click()
    expect(page.locator("#pair")).to_have_attribute("data-case", "test_00010_me_sa")
    expect(place(page)).to_contain_text("of 6")


def test_the_theme_is_kept(visit: Open) -> None:
    page = visit()
    theme = page.get_by_role("button", name="Theme")
    theme.click()
    theme.click()
    expect(theme).to_have_text("Theme: dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(13, 17, 23)")
    page.reload()
    expect(theme).to_have_text("Theme: dark")


def show(page: Page, view: str) -> None:
    page.evaluate("(view) => { location.hash = `#${view}`; }", view)
    expect(page.locator(f"#view-{view}")).to_be_visible()
    pictures = f"[...document.querySelectorAll('#view-{view} img[src]')]"
    page.wait_for_function(f"{pictures}.every((image) => image.complete || image.loading === 'lazy')")


def test_a_desk_and_a_phone(visit: Open) -> None:
    """No view is wider than the screen, what is pressed is large enough for a finger, and the pictures are
    kept."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for width, height in ((1400, 1000), (390, 844)):
        page = visit(width=width, height=height)
        for view in VIEWS:
            show(page, view)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, view
            small = page.evaluate(
                """[...document.querySelectorAll("button, select, nav a, .tick")]
                    .filter((one) => one.checkVisibility())
                    .filter((one) => {
                        const { width, height } = one.getBoundingClientRect();
                        return width < 24 || height < 24;
                    })
                    .map((one) => one.outerHTML.slice(0, 80))"""
            )
            assert small == [], view
            page.screenshot(path=SCREENSHOTS / f"{view}-{width}.png", full_page=True)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_serious(visit: Open, scheme: str, width: int) -> None:
    page = visit(width=width, color_scheme=scheme)
    page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = {}

    def check(part: str, name: str) -> None:
        # preload: axe would fetch the style sheet, which the page's policy forbids.
        for violation in page.evaluate("(part) => axe.run(part, { preload: false })", part)["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found[f"{name}: {violation['id']}"] = [
                    node["failureSummary"] + node["html"] for node in violation["nodes"]
                ]

    for view in VIEWS:
        show(page, view)
        check("html" if view == VIEWS[0] else f"#view-{view}", view)
    page.keyboard.press("?")
    check("dialog", "the list of keys")
    assert found == {}, json.dumps(found, indent=1)


def test_every_view_without_the_optional_results(visit: Open, profile: Path, tmp_path: Path) -> None:
    """One mask model, nothing compared, no grid, no audit: as a profile is that has only begun."""
    copied = shutil.copytree(profile, tmp_path / "profile")
    for optional in ("comparisons.json", "grid_history.csv", "audit.json"):
        (copied / "reports" / optional).unlink()
    (copied / "reports" / "grid.json").write_text('{"cells": []}')  # what params.yaml without a grid gives
    path = copied / "reports" / "metrics.json"
    path.write_text(json.dumps({"unet": json.loads(path.read_text())["unet"]}))
    write_site(reports=copied / "reports", runs=copied / "runs", data=copied / "data", out=tmp_path / "site")
    page = visit(folder=tmp_path / "site")
    for view in VIEWS:
        show(page, view)
    expect(page.locator("#view-copies .lead")).to_contain_text("Test images whose slice is also in train")
    show(page, "classes")
    expect(page.locator("#view-classes")).to_contain_text("No model of this profile names classes.")
    show(page, "training")
    expect(page.locator("#view-training")).to_contain_text("The grid was not run in this profile.")
    show(page, "compare")
    expect(page.locator("#view-compare .card").first).to_contain_text("This is one model twice.")


def test_a_folder_that_was_copied_in_part_is_told(browser: Browser, site: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(site, tmp_path / "site")
    (copied / "page" / "data" / "masks-joint.js").unlink()
    (copied / "page" / "images" / "test_00002_me_ax.webp").unlink()
    page = browser.new_page()
    page.goto(f"{(copied / 'index.html').as_uri()}#cases?model=joint")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("page/data/masks-joint.js cannot be read")
    page.evaluate("location.hash = '#cases?model=unet'")
    drawn(page, "test_00001_gl_ax")
    expect(alert).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(alert).to_contain_text("page/images/test_00002_me_ax.webp cannot be read")
    page.close()


def test_the_contact_sheets_are_linked_and_shown(visit: Open) -> None:
    page = visit()
    page.get_by_role("link", name="Contact sheets of all copies").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(
        ["mirrored: 4 of 4 pairs", "neighbour: 2 of 2 pairs", "reencoded: 4 of 4 pairs"]
    )
    expect(page.locator("body")).to_contain_text("Phantom data")
    for sheet in page.locator(".sheets img").all():
        sheet.scroll_into_view_if_needed()
        sheet.evaluate("(image) => image.decode()")


def test_a_net_that_the_study_has_not_is_starred(visit: Open, profile: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(profile, tmp_path / "profile")
    path = copied / "reports" / "runs.json"
    runs = json.loads(path.read_text())
    runs["joint"]["of_study"] = False
    path.write_text(json.dumps(runs))
    write_site(reports=copied / "reports", runs=copied / "runs", data=copied / "data", out=tmp_path / "site")
    page = visit("#cases?model=joint", folder=tmp_path / "site")
    drawn(page, "test_00001_gl_ax")
    expect(page.locator("footer")).to_contain_text("*: not of the study.")
    places = {"cases": "option", "cost": "td, th", "classes": "option", "training": "label"}
    for view, named in places.items():
        show(page, view)
        names = page.locator(f"#view-{view}").locator(named)
        expect(names.filter(has_text=re.compile(r"^joint\*(:|$)"))).not_to_have_count(0)
        expect(names.filter(has_text=re.compile(r"^joint(:|$)"))).to_have_count(0)
        expect(names.filter(has_text=re.compile(r"^[a-z]*net[a-z0-9]*\*"))).to_have_count(0)


def test_real_data_is_not_called_phantom(visit: Open, profile: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(profile, tmp_path / "profile")
    path = copied / "reports" / "provenance.json"
    path.write_text(path.read_text().replace('"phantom"', '"brisc2025"'))
    write_site(reports=copied / "reports", runs=copied / "runs", data=copied / "data", out=tmp_path / "site")
    page = visit(folder=tmp_path / "site")
    drawn(page, "test_00001_gl_ax")
    expect(page).to_have_title("Cases, BRISC study, demo")
    expect(page.locator("#notice")).to_have_text(
        "BRISC 2025, Fateh et al., CC BY 4.0. Research material, not for diagnosis."
    )
    for view in VIEWS:
        show(page, view)
        assert "phantom" not in page.locator("body").inner_text().lower()
