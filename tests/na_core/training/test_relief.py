"""The relief network: it learns outlines, depths and far sides, and goes on like other tasks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from na_core.data.labels import LABELS_FILE
from na_core.model.checkpoints import load_checkpoint
from na_core.model.presets import build_pipeline
from na_core.training.config import ReliefConfig
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.labelled import labelled_frames
from na_core.training.loop import train_task
from na_core.training.pair_batches import all_layers
from na_core.training.randomness import DrawKey
from na_core.training.relief import (
    ReliefObjective,
    ReliefTask,
    check_depths,
    draw_photos,
    load_truth,
)
from na_core.training.run_folder import export_folder
from na_core.training.run_log import read_log
from na_core.training.scene_shards import load_pictures, shard_of
from na_core.training.train import main
from tests.na_core.training.conftest import Configure, MakeRun, WriteConfig, equal, weights

CPU = torch.device("cpu")
RELIEF = {"steps": 60, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 5, "ema_decay": 0.5}
PLAIN = {
    "jitter_boxes": 0,
    "drop_boxes": 0,
    "forget_rectangles": 0,
    "mirror": 0,
    "smallest_crop": 1,
    "recolour": 0,
}
RIGHT = ReliefConfig(steps=1, batch_size=4, learning_rate=1e-3, warmup_steps=1, **PLAIN)


@pytest.fixture(scope="module")
def shard(painted_scenes: Path):
    return shard_of(painted_scenes)


def test_it_learns_outlines_and_saves_what_it_learnt(configure: Configure, make_run: MakeRun) -> None:
    config = configure(relief=RELIEF, top={"save_every": 1000, "log_every": 20})
    assert isinstance(config.relief, ReliefConfig)
    run = make_run(config, build_pipeline("guided", "tiny", relief=True))
    network, labels, truth = run.pipeline.relief, run.frames, load_truth(run.scenes)
    task = ReliefTask(run, config.relief)
    train_task(task)
    losses = [line["loss"] for line in read_log(config.output / "relief")]
    assert losses[-1] < 0.6 * losses[0]
    assert equal(weights(type(network).from_pretrained(task.folder)), weights(network))
    run.pipeline.register_to_config(picture_size=max(run.picture_size))
    found = all_layers(run.pipeline, labels)
    owner, depth, far = truth[torch.arange(len(labels.pictures))]
    assert (found.owner == owner).float().mean() > 0.9
    right = (found.owner == owner) & (owner >= 0)
    for said, true in ((found.surfaces.near, depth), (found.surfaces.far, far)):
        assert float((said - true)[right].abs().median()) < 0.15  # metres, of boxes of half a metre


def test_a_steps_truth_is_what_the_masks_and_depths_say(shard) -> None:
    labels, truth = labelled_frames(shard, load_pictures(shard, CPU)), load_truth(shard)
    batch = draw_photos(labels, truth, 4, RIGHT, DrawKey(0, 3), CPU)
    again = draw_photos(labels, truth, 4, RIGHT, DrawKey(0, 3), CPU)
    assert torch.equal(batch.inputs, again.inputs)
    rows = torch.from_numpy(np.random.default_rng((0, 3, 0, 0)).integers(len(labels.pictures), size=4))
    owner, _, _ = truth[rows]
    first, second = batch.kind == 1, batch.kind == 2
    assert torch.equal(batch.layers.index[:, 0][first], owner[first])
    assert torch.equal(batch.layers.index[:, 1][second], owner[second])
    # Painted boxes are met where rays enter them, and left where they leave; depths are rounded, which is
    # much of the way at a corner.
    assert float(batch.met[:, 0][first].mean()) < 1e-3
    assert float(batch.left[:, 0][first].mean()) > 0.99


def test_the_loss_of_the_truth_is_next_to_nothing(shard) -> None:
    labels, truth = labelled_frames(shard, load_pictures(shard, CPU)), load_truth(shard)
    batch = draw_photos(labels, truth, 4, RIGHT, DrawKey(0, 0), CPU)

    class Oracle(torch.nn.Module):
        """Says what is true, as the network would."""

        dtype = torch.float32
        config = build_pipeline("guided", "tiny", relief=True).relief.config

        def forward(self, cells: torch.Tensor, timestep: int):
            kind = torch.nn.functional.one_hot(batch.kind, 3).permute(0, 3, 1, 2) * 40.0
            rest = (batch.left - batch.met) / (1 - batch.met).clamp_min(1e-6)
            met, left = (torch.logit(of.clamp(1e-6, 1 - 1e-6)) for of in (batch.met, rest))
            said = torch.nn.functional.pixel_unshuffle(torch.cat([kind, met, left], dim=1), 2)
            return type("Output", (), {"sample": said})

    assert float(ReliefObjective(Oracle())(batch)) < 1e-3
    untrained = ReliefObjective(build_pipeline("guided", "tiny", relief=True).relief)
    assert untrained(batch).item() > 0.1


def test_a_run_trains_them_all_and_its_checkpoint_holds_the_network(
    write_config: WriteConfig,
) -> None:
    file = write_config(relief={**RELIEF, "steps": 2}, vae={"steps": 1}, decoder={"steps": 1})
    folder = main(file)
    pipeline = load_checkpoint(folder)
    assert pipeline.relief is not None
    trained = type(pipeline.relief).from_pretrained(export_folder(folder.parent, "relief"))
    assert equal(weights(pipeline.relief), weights(trained.half().float()))
    # Taken by another run, by the checkpoint's folder.
    other = write_config("other", relief={"from": str(folder)}, vae={"steps": 1}, decoder={"steps": 1})
    assert equal(weights(load_checkpoint(main(other)).relief), weights(pipeline.relief))


def test_a_checkpoint_gets_a_network_and_keeps_the_rest(write_config: WriteConfig) -> None:
    bare = main(write_config(vae={"steps": 1}, decoder={"steps": 1}))
    top = {"initial": str(bare), "size": None}
    folder = main(write_config("more", top, vae=None, relief={**RELIEF, "steps": 1}, decoder=None))
    before, after = load_checkpoint(bare), load_checkpoint(folder)
    assert before.relief is None
    assert after.relief is not None
    assert equal(weights(before.unet, before.vae), weights(after.unet, after.vae))
    assert dict(before.config)["residual_scale"] == after.config.residual_scale


def test_it_goes_on_to_the_bit(write_config: WriteConfig) -> None:
    tables = {"relief": {**RELIEF, "steps": 6}, "decoder": None, "top": {"save_every": 3, "keep_states": 0}}
    whole = main(write_config("whole", **tables))
    part = write_config("part", **tables)
    main(part)
    before = weights(build_pipeline("guided", "tiny", relief=True).relief.from_pretrained(whole))
    main(part, step=3)
    after = weights(
        build_pipeline("guided", "tiny", relief=True).relief.from_pretrained(
            export_folder(part.parent / "part", "relief")
        )
    )
    assert equal(before, after)


@pytest.mark.parametrize("missing", ["depth", "far"])
def test_scenes_without_depth_are_refused(missing: str, painted_scenes: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(painted_scenes, tmp_path / "train"))
    for file in bare.glob(f"*/{LABELS_FILE}"):
        labels = json.loads(file.read_text())
        for frame in labels["frames"]:
            frame[missing] = None
        file.write_text(json.dumps(labels))
    with pytest.raises(TrainingError, match="without --no-depth"):
        check_depths(shard_of(bare))


def test_the_paper_has_none_and_a_missing_one_is_named(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError, match="'paper' has none"):
        main(write_config(top={"preset": "paper"}, decoder={"start": "noise"}, relief=RELIEF))
    with pytest.raises(ConfigError, match=r"relief: 'from': .*mono"):
        main(write_config("missing", relief={"from": "mono"}))
