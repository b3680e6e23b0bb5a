from dataclasses import replace

import pytest
import torch

from brisc.config import load
from brisc.training.device import build_fabric, has_bf16_units, precision_on

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "units"),
    [("fpu avx512_bf16 amx_bf16 amx_tile", True), ("fpu avx512f avx512_bf16", False), ("fpu avx2", False)],
)
def test_a_cpu_has_units_for_bfloat16_if_linux_lists_them(tmp_path, flags, units):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: Some CPU\nflags\t\t: {flags}\n", encoding="utf-8")
    assert has_bf16_units(CPU, cpuinfo) is units


def test_without_a_list_of_flags_no_units_are_assumed(tmp_path):
    assert has_bf16_units(CPU, tmp_path / "none") is False


@pytest.mark.parametrize(("units", "chosen"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_goes_by_the_units_and_what_is_asked_for_by_name_does_not(monkeypatch, units, chosen):
    monkeypatch.setattr("brisc.training.device.has_bf16_units", lambda device: units)
    assert precision_on(CPU, "auto") == chosen
    assert [precision_on(CPU, name) for name in ("32-true", "bf16-mixed")] == ["32-true", "bf16-mixed"]


@pytest.mark.parametrize(("units", "computed"), [(True, torch.bfloat16), (False, torch.float32)])
def test_what_is_chosen_is_what_the_net_is_computed_in(monkeypatch, units, computed):
    monkeypatch.setattr("brisc.training.device.has_bf16_units", lambda device: units)
    fabric = build_fabric(replace(load("demo", "train"), accelerator="cpu", precision="auto"), devices=1)
    with fabric.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == computed
