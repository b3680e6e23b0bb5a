from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from nets import Classifier, Joint

from brisc.evaluation import cost
from brisc.evaluation.cost import measure_cost
from brisc.evaluation.macs import count_macs
from brisc.evaluation.predict import Inference

# At 16 px. Stem 256 pixels x 3 x 9; deep 64 x 6 x 3 x 9; label 6 x 4; up 64 x 6 x 3 x 4; merge 256 x 6 x 9.
JOINT_MACS = 6912 + 10368 + 24 + 4608 + 13824


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(bytes(3 * 2**20 + 2**19))
    return path


def test_macs_by_hand():
    assert count_macs(Classifier(), size=16) == 256 * 5 * 9 + 5 * 4
    assert count_macs(Joint(), size=16) == JOINT_MACS


def test_macs_are_counted_without_memory_for_the_numbers():
    with torch.device("meta"):
        net = Joint()
    assert count_macs(net, size=16) == JOINT_MACS
    assert count_macs(net, size=4096) == 65536 * (JOINT_MACS - 24) + 24


def test_cost_without_seconds_is_the_same_everywhere(run, weights):
    measured = measure_cost(
        Inference(Joint(), run), size=16, batch_size=8, weights=weights, measure_seconds=False
    )
    # 3 x 9 + 3 + 3; 6 x 3 x 9 + 6; 6 x 4 + 4; 6 x 3 x 4 + 3; 6 x 9 + 1.
    assert measured == {
        "parameters": 33 + 168 + 28 + 75 + 55,
        "macs": JOINT_MACS,
        "latency_ms": None,
        "batch_latency_ms": None,
        "batch_size": 8,
        "weights_mb": 3.5,
    }


def test_latency_is_the_median_after_a_warm_up(run, weights, monkeypatch):
    # Two runs to warm up, then the clock goes on by these seconds; the limit of five is reached, but three
    # are the fewest.
    durations = {1: [100.0, 90.0, 3.0, 7.0, 2.0], 8: [100.0, 90.0, *[0.25] * 20]}
    clock, left = SimpleNamespace(now=0.0), {size: iter(seconds) for size, seconds in durations.items()}

    class Slow(Classifier):
        def forward(self, image):
            clock.now += next(left[len(image)])
            return super().forward(image)

    monkeypatch.setattr(cost, "count_macs", lambda net, size: 0)
    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock.now)
    net = Inference(Slow(), replace(run, measure_seconds=True))
    measured = measure_cost(net, size=16, batch_size=8, weights=weights, measure_seconds=True)
    assert (measured["latency_ms"], measured["batch_latency_ms"]) == (3000.0, 250.0)
    assert [next(rest, None) for rest in left.values()] == [None, None]
