from brisc.analysis.results import Record
from brisc.report.cells import DASH, Cell
from brisc.report.tables.data import matrix


def test_numbers_of_nested_blocks_are_laid_out_by_key() -> None:
    record = Record(
        {"a": {"n": 1234, "x": {"y": 0.5}}, "b_c": {"n": 2, "x": {"y": None}}, "d": {"n": 3}}, "audit.json"
    )
    table = matrix(record, "caption", "what")
    assert table.header == ["what", "n", "x y, %"]
    assert table.rows == [
        ["a", "1,234", "50.00"],
        ["b c", "2", Cell(DASH, "not defined here")],
        ["d", "3", Cell(DASH, "not measured for this row")],
    ]


def test_an_area_under_a_curve_is_no_share() -> None:
    table = matrix(Record({"a": {"accuracy": 0.5, "auc": 0.5}}, "audit.json"), "caption", "what")
    assert (table.header[1:], table.rows[0][1:]) == (["accuracy, %", "auc"], ["50.00", "0.500"])
