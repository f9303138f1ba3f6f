"""The photo network: it learns what its outputs mean, and goes on like other tasks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from na_core.data.labels import LABELS_FILE
from na_core.layers.photo_network import Inputs, Output
from na_core.model.checkpoints import load_checkpoint
from na_core.model.presets import build_pipeline
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.labelled import labelled_frames
from na_core.training.loop import train_task
from na_core.training.pair_batches import all_layers
from na_core.training.photo_network import (
    PhotoNetworkTask,
    PhotoObjective,
    draw_photos,
)
from na_core.training.photo_truth import check_truth, load_truth
from na_core.training.randomness import DrawKey
from na_core.training.run_folder import export_folder
from na_core.training.run_log import read_log
from na_core.training.scene_shards import load_pictures, shard_of
from na_core.training.tables import PhotoNetworkConfig
from na_core.training.train import main
from tests.na_core.training.conftest import Configure, MakeRun, WriteConfig, equal, weights

CPU = torch.device("cpu")
RATES = {"steps": 60, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 5, "ema_decay": 0.5}
PLAIN = {
    "jitter_boxes": 0,
    "drop_boxes": 0,
    "forget_rectangles": 0,
    "mirror": 0,
    "smallest_crop": 1,
    "recolour": 0,
    "degrade": 0,
}
RIGHT = PhotoNetworkConfig(steps=1, batch_size=4, learning_rate=1e-3, warmup_steps=1, **PLAIN)


@pytest.fixture(scope="module")
def shard(painted_scenes: Path):
    return shard_of(painted_scenes)


def test_it_learns_outlines_and_saves_what_it_learnt(configure: Configure, make_run: MakeRun) -> None:
    config = configure(
        photo_network={**RATES, "backbone": "random", "frozen_blocks": 0},
        top={"save_every": 1000, "log_every": 20},
    )
    assert isinstance(config.photo_network, PhotoNetworkConfig)
    run = make_run(config, build_pipeline("guided", "tiny", photo_network=True))
    network, labels, truth = run.pipeline.photo_network, run.frames, load_truth(run.scenes)
    task = PhotoNetworkTask(run, config.photo_network)
    train_task(task)
    losses = [line["loss"] for line in read_log(config.output / "photo_network")]
    assert losses[-1] < 0.6 * losses[0]
    assert equal(weights(type(network).from_pretrained(task.folder)), weights(network))
    network.register_to_config(working_size=max(run.picture_size))
    found = all_layers(run.pipeline.taking_apart, labels, run.device)
    owner, depth, far, _ = truth[torch.arange(len(labels.pictures))]
    assert (found.owner == owner).float().mean() > 0.9
    right = (found.owner == owner) & (owner >= 0)
    for said, true in ((found.surfaces.near, depth), (found.surfaces.far, far)):
        assert float((said - true)[right].abs().median()) < 0.15  # metres, of boxes of half a metre


def test_a_steps_truth_is_what_the_masks_and_depths_say(shard) -> None:
    labels, truth = labelled_frames(shard, load_pictures(shard, CPU)), load_truth(shard)
    batch = draw_photos(labels, truth, 4, RIGHT, DrawKey(0, 3), CPU)
    again = draw_photos(labels, truth, 4, RIGHT, DrawKey(0, 3), CPU)
    assert torch.equal(batch.inputs.planes, again.inputs.planes)
    rows = torch.from_numpy(np.random.default_rng((0, 3, 0, 0)).integers(len(labels.pictures), size=4))
    owner, *_ = truth[rows]
    ground = owner < 0  # painted objects throw no shadow
    assert torch.equal(batch.plate.movedim(1, -1)[ground], batch.inputs.colours.movedim(1, -1)[ground])
    assert float(batch.shadow.abs().amax(dim=1)[ground].max()) == 0
    lengths = batch.normal.norm(dim=1)[batch.normal_known]
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-4)
    first, second = batch.kind == 1, batch.kind == 2
    assert torch.equal(batch.inputs.layers.index[:, 0][first], owner[first])
    assert torch.equal(batch.inputs.layers.index[:, 1][second], owner[second])
    # Painted boxes are met where rays enter them, and left where they leave; depths are rounded, which is
    # much of the way at a corner.
    assert float(batch.met[:, 0][first].mean()) < 1e-3
    assert float(batch.left[:, 0][first].mean()) > 0.99


def test_the_loss_of_the_truth_is_next_to_nothing(shard) -> None:
    labels, truth = labelled_frames(shard, load_pictures(shard, CPU)), load_truth(shard)
    batch = draw_photos(labels, truth, 4, RIGHT, DrawKey(0, 0), CPU)

    class Oracle(torch.nn.Module):
        """Says what is true, as the network would."""

        def forward(self, inputs: Inputs) -> Output:
            owner = torch.nn.functional.one_hot(batch.kind, 3).permute(0, 3, 1, 2) * 40.0
            return Output(owner, batch.met, batch.left, batch.normal, batch.plate, batch.shadow)

    assert float(PhotoObjective(Oracle())(batch)) < 0.025  # the plate's error is rounded at its tip
    untrained = PhotoObjective(build_pipeline("guided", "tiny", photo_network=True).photo_network)
    assert untrained(batch).item() > 0.1


def test_a_run_trains_them_all_and_its_checkpoint_holds_the_network(
    write_config: WriteConfig,
) -> None:
    file = write_config(photo_network={**RATES, "steps": 2}, vae={"steps": 1}, decoder={"steps": 1})
    folder = main(file)
    pipeline = load_checkpoint(folder)
    assert pipeline.photo_network is not None
    trained = type(pipeline.photo_network).from_pretrained(export_folder(folder.parent, "photo_network"))
    assert equal(weights(pipeline.photo_network), weights(trained.half().float()))
    # Taken by another run, by the checkpoint's folder.
    other = write_config("other", photo_network={"from": str(folder)}, vae={"steps": 1}, decoder={"steps": 1})
    assert equal(weights(load_checkpoint(main(other)).photo_network), weights(pipeline.photo_network))


def test_a_checkpoint_gets_a_network_and_keeps_the_rest(write_config: WriteConfig) -> None:
    bare = main(write_config(vae={"steps": 1}, decoder={"steps": 1}))
    top = {"initial": str(bare), "size": None}
    rates = {**RATES, "steps": 1, "working_size": 48}
    folder = main(write_config("more", top, vae=None, photo_network=rates, decoder=None))
    before, after = load_checkpoint(bare), load_checkpoint(folder)
    assert before.photo_network is None
    assert after.photo_network is not None and after.photo_network.config.working_size == 48
    assert equal(weights(before.unet, before.vae), weights(after.unet, after.vae))
    assert dict(before.config)["residual_scale"] == after.config.residual_scale


def test_it_goes_on_to_the_bit(write_config: WriteConfig) -> None:
    tables = {
        "photo_network": {**RATES, "steps": 6},
        "decoder": None,
        "top": {"save_every": 3, "keep_states": 0},
    }
    whole = main(write_config("whole", **tables))
    part = write_config("part", **tables)
    main(part)
    before = weights(
        build_pipeline("guided", "tiny", photo_network=True).photo_network.from_pretrained(whole)
    )
    main(part, step=3)
    after = weights(
        build_pipeline("guided", "tiny", photo_network=True).photo_network.from_pretrained(
            export_folder(part.parent / "part", "photo_network")
        )
    )
    assert equal(before, after)


@pytest.mark.parametrize(
    ("missing", "option"), [("depth", "--no-depth"), ("far", "--no-depth"), ("plate", "--no-plates")]
)
def test_scenes_without_truth_are_refused(
    missing: str, option: str, painted_scenes: Path, tmp_path: Path
) -> None:
    bare = Path(shutil.copytree(painted_scenes, tmp_path / "train"))
    for file in bare.glob(f"*/{LABELS_FILE}"):
        labels = json.loads(file.read_text())
        for frame in labels["frames"]:
            frame[missing] = None
        file.write_text(json.dumps(labels))
    with pytest.raises(TrainingError, match=f"without {option}"):
        check_truth(shard_of(bare))


def test_the_paper_has_none_and_a_missing_one_is_named(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError, match="'paper' has none"):
        main(write_config(top={"preset": "paper"}, decoder={"start": "noise"}, photo_network=RATES))
    with pytest.raises(ConfigError, match=r"photo_network: 'from': .*mono"):
        main(write_config("missing", photo_network={"from": "mono"}))
