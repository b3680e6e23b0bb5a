import json
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from brisc.config import Optimizer, Run, resolve
from brisc.evaluation import memory
from brisc.evaluation.memory import LiveBytes, estimate, training_memory
from brisc.models import build
from brisc.training.losses import TotalLoss
from brisc.training.optim import build_optimizer

MIB = 2**20
PLAIN = {"batch_size": 4, "accumulate": 1, "precision": "32-true", "ema_decay": 0.0}


@pytest.fixture
def run(repository: Path) -> Run:
    """A small U-Net with the paper's settings, in batches of four."""
    small = {"arch": "unet", "in_channels": 1, "base_channels": 8, "levels": 3}
    return replace(resolve("paper", "unet").run, model=small, **PLAIN)


def on_meta(run: Run) -> nn.Module:
    return build(**run.model).to("meta")


# counting
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_bytes_are_counted_from_the_operation_to_the_last_reference(device):
    held = torch.ones(10, device=device)
    with LiveBytes([held]) as live:
        a = held * 2  # 40 bytes
        b = a.double()  # 80 more
        assert (live.now, live.peak) == (120, 120)
        view = b[2:]
        held[:5].zero_()  # a view and a change in place are no new bytes
        assert live.now == 120
        del a, b
        assert live.now == 80  # kept by the view
        del view
        assert (live.now, live.peak) == (0, 120)


def test_what_a_convolution_and_relu_keep_by_hand():
    # Image (2, 1, 4, 4) -> 3 maps of 96 numbers. The convolution keeps image and weights, which are held;
    # ReLU keeps its result. Beside it the scalar loss lives. On the way back ReLU's gradient is a second map,
    # and the convolution's a 3 x 3 x 3 kernel.
    image = torch.empty(2, 1, 4, 4, device="meta")
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.ReLU()).to("meta")
    with LiveBytes([image, *net.parameters()]) as live:
        loss = net(image).sum()
        assert (live.now, live.peak) == (4 * 96 + 4, 4 * (96 + 96))
        loss.backward()
        del loss
        assert live.now == 4 * 27


def test_a_storage_that_is_freed_and_made_again_counts_again():
    with LiveBytes([]) as live:
        for _ in range(3):
            made = torch.empty(25, device="meta")
            assert live.now == 100
            gone = weakref.ref(made)
            del made
            assert gone() is None
            assert live.now == 0


@pytest.mark.parametrize("arch", ["unet", "joint"])
def test_estimate_is_what_the_allocator_of_the_cpu_measures(arch, run, tmp_path):
    if arch == "joint":
        joint = resolve("paper", "joint").run
        run = replace(joint, model={**joint.model, "base_channels": 8, "levels": 3}, **PLAIN)
    net, criterion = build(**run.model).train(), TotalLoss(run.loss)
    batch = {
        "image": torch.rand(4, 1, 64, 64),
        "mask": torch.ones(4, 1, 64, 64),
        "label": torch.zeros(4, dtype=torch.int64),
    }
    criterion(net(batch["image"]), batch).backward()  # the first step fills caches of its own
    net.zero_grad()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as measured:
        criterion(net(batch["image"]), batch).backward()
    measured.export_chrome_trace(str(tmp_path / "trace.json"))
    events = [
        event
        for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
        if event["name"] == "[memory]"
    ]
    now = peak = 0
    for event in sorted(events, key=lambda event: event["ts"]):
        now += event["args"]["Bytes"]
        peak = max(peak, now)
    optimizer = replace(run.optimizer, name="sgd", momentum=0.0)
    found = training_memory(on_meta(run), replace(run, optimizer=optimizer), size=64)
    # oneDNN's kernels for AVX-512 hold half a MiB for themselves, those for AVX2 next to nothing.
    assert -0.2 < peak / MIB - (found["peak_mib"] - found["weights_mib"]) < 0.6
    assert peak / MIB > 5


# the parts of a step
# ------------------------------------------------------------------------------------------


def test_activations_are_what_autograd_keeps(run):
    net, criterion, saved = on_meta(run).train(), TotalLoss(run.loss), {}
    batch = {
        "image": torch.empty(4, 1, 64, 64, device="meta"),
        "mask": torch.empty(4, 1, 64, 64, device="meta"),
    }
    held = {
        tensor.untyped_storage()._cdata for tensor in (*net.parameters(), *net.buffers(), *batch.values())
    }

    def keep(tensor):
        saved[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = criterion(net(batch["image"]), batch)
    kept = sum(storage.nbytes() for key, storage in saved.items() if key not in held)
    assert loss.device.type == "meta"
    assert training_memory(net, run, size=64)["activations_mib"] == pytest.approx(kept / MIB, abs=0.1)


def test_weights_and_optimizer_by_hand(run):
    # 1 MiB is 262,144 float32. A running mean holds the weights twice, bfloat16 copies them at half the size.
    big = replace(run, model={**run.model, "base_channels": 32})
    net = on_meta(big)
    weights = sum(parameter.numel() for parameter in net.parameters()) / 262144
    statistics = sum(buffer.numel() for buffer in net.buffers()) / 262144
    single = training_memory(net, big, size=32)
    assert (single["weights_mib"], single["optimizer_mib"]) == pytest.approx(
        (weights + statistics, 2 * weights), abs=0.06
    )
    averaged = training_memory(net, replace(big, ema_decay=0.9), size=32)
    assert averaged["weights_mib"] == pytest.approx(2 * (weights + statistics), abs=0.06)
    assert averaged["peak_mib"] - single["peak_mib"] == pytest.approx(weights + statistics, abs=0.11)
    half = training_memory(net, replace(big, precision="bf16-mixed"), size=32)
    assert half["weights_mib"] == pytest.approx(1.5 * weights + statistics, abs=0.06)


@pytest.mark.parametrize(
    ("name", "momentum"), [("adam", 0.9), ("adamw", 0.9), ("rmsprop", 0.9), ("sgd", 0.9), ("sgd", 0.0)]
)
def test_optimizer_is_the_state_that_a_step_leaves(name, momentum, run):
    chosen = replace(
        run, optimizer=Optimizer(name=name, learning_rate=0.1, weight_decay=0.0, momentum=momentum)
    )
    weight = nn.Parameter(torch.zeros(1000))
    weight.grad = torch.ones(1000)
    optimizer = build_optimizer([weight], chosen.optimizer)
    optimizer.step()
    state = sum(
        value.numel()
        for value in optimizer.state[weight].values()
        if torch.is_tensor(value) and value.numel() > 1
    )
    net = on_meta(chosen)
    weights = sum(parameter.numel() for parameter in net.parameters())
    found = training_memory(net, chosen, size=32)["optimizer_mib"]
    assert found == pytest.approx(4 * weights * state / 1000 / MIB, abs=0.06)


def test_memory_grows_with_batch_and_size_and_halves_in_half_precision(run):
    net = on_meta(run)
    one = training_memory(net, run, size=64)["activations_mib"]
    assert training_memory(net, replace(run, batch_size=8), size=64)["activations_mib"] == pytest.approx(
        2 * one, rel=0.02
    )
    assert training_memory(net, run, size=128)["activations_mib"] == pytest.approx(4 * one, rel=0.02)
    half = training_memory(net, replace(run, precision="bf16-mixed"), size=64)["activations_mib"]
    assert 0.5 * one <= half < 0.6 * one  # the loss stays in float32
    assert training_memory(net, run, size=64)["activations_mib"] == one  # the net is as it was


def test_gradients_of_earlier_batches_of_a_step_stay(run):
    big = replace(run, model={**run.model, "base_channels": 64})
    net = on_meta(big)
    gradients = 4 * sum(parameter.numel() for parameter in net.parameters()) / MIB
    single, several = (training_memory(net, replace(big, accumulate=n), size=64)["peak_mib"] for n in (1, 3))
    assert several - single == pytest.approx(gradients, rel=0.1)


# verdicts
# ------------------------------------------------------------------------------------------


def test_verdict_and_the_batch_that_fits(run, monkeypatch):
    run = replace(run, model={**run.model, "base_channels": 4, "levels": 1})
    monkeypatch.setattr(memory, "PRECISIONS", ("32-true",))
    net = on_meta(run)
    peak = {
        n: training_memory(net, replace(run, batch_size=n, accumulate=4 // n), size=64)["peak_mib"]
        for n in (4, 2, 1)
    }

    def found(budget):
        monkeypatch.setattr(memory, "GPU_MIB", budget + memory.CONTEXT_MIB)
        model = estimate({"net": run}, size=64)["models"]["net"]
        full = model["options"][0]
        return model["as_set"]["verdict"], full["batch_size"], full["accumulate"], full["verdict"]

    assert found(1.2 * peak[4]) == ("fits", 4, 1, "fits")
    assert found(1.05 * peak[4]) == ("tight", 2, 2, "fits")
    assert found(0.9 * peak[4]) == ("does not fit", 2, 2, "fits")
    assert found(1.2 * peak[1]) == ("does not fit", 1, 4, "fits")
    assert found(0.5 * peak[1]) == ("does not fit", 1, 4, "does not fit")


def test_estimate_describes_each_model_and_itself(run):
    label_only = resolve("paper", "label_only").run
    classifier = replace(label_only, model={**label_only.model, "base_channels": 4, "levels": 2})
    runs = {"net": run, "classifier": classifier}
    found = estimate(
        {name: replace(each, batch_size=3, accumulate=2) for name, each in runs.items()}, size=64
    )
    json.dumps(found, allow_nan=False)
    assert (found["estimate"], found["image_size"], found["images_per_step"]) == (True, 64, 6)
    assert found["budget_mib"] == found["gpu_mib"] - found["context_mib"]
    assert list(found["models"]) == ["net", "classifier"]
    net = found["models"]["net"]
    assert net["parameters"] == sum(parameter.numel() for parameter in build(**run.model).parameters())
    assert {key: net["as_set"][key] for key in ("precision", "batch_size", "accumulate")} == {
        "precision": "32-true",
        "batch_size": 3,
        "accumulate": 2,
    }
    assert [
        (option["precision"], option["batch_size"], option["accumulate"]) for option in net["options"]
    ] == [
        ("32-true", 6, 1),
        ("bf16-mixed", 6, 1),
    ]


def test_macs_are_those_of_one_image(run):
    # The first convolution of a one-level net: 64 x 64 places x 9 x 8; the second 64 x 64 x 9 x 8 x 8; the
    # head 64 x 64 x 8.
    flat = replace(run, model={**run.model, "levels": 1})
    assert estimate({"net": flat}, size=64)["models"]["net"]["macs"] == 64 * 64 * (9 * 8 + 9 * 8 * 8 + 8)
