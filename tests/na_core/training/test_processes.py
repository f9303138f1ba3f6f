"""Several processes train together as one: what a step learns is the mean over their shards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from na_core.model.checkpoints import load_checkpoint
from na_core.training.config import load_config
from na_core.training.decoder import MEASURING, SCALE_BATCHES, DecoderObjective
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.initial import starting_pipeline
from na_core.training.pair_batches import PairBatches
from na_core.training.randomness import DrawKey, seed_torch
from na_core.training.run_folder import export_folder
from na_core.training.run_log import read_log
from na_core.training.scene_shards import shard_of
from na_core.training.train import main
from na_core.training.training_state import state_folder
from tests.na_core.training.conftest import MakeRun, WriteConfig, start_training


def test_two_processes_learn_from_both_shards(
    write_config: WriteConfig, painted_scenes: Path, make_run: MakeRun
) -> None:
    file = write_config(
        top={"processes": 2, "save_every": 1, "keep_states": 0},
        vae={"steps": 2},
        decoder={"steps": 2, "batch_size": 4, "warmup_steps": 0, "null_probability": 0.0},
        validation={"scenes": str(painted_scenes), "every": 1, "pairs": 1},
    )
    process = start_training(file)
    assert process.wait(120) == 0, process.said()
    config = load_config(file)
    lines = read_log(config.output / "decoder")
    assert [line["samples"] for line in lines if "loss" in line] == [4, 8]
    assert len([line for line in lines if "validation" in line]) == 2  # by one process alone
    load_checkpoint(config.output / "checkpoint")

    # The first step again, one shard after the other, by hand.
    assert config.decoder is not None
    pipeline = starting_pipeline(config, file)
    pipeline.register_modules(vae=type(pipeline.vae).from_pretrained(export_folder(config.output, "vae")))
    pipeline.vae.requires_grad_(False)
    makers = []
    for rank in range(2):
        run = make_run(config, pipeline)
        run.scenes = shard_of(config.scenes, rank, 2)
        makers.append(PairBatches(run, config.decoder, 2))
    drawn = [m.batch(DrawKey(0, s, r, MEASURING)) for r, m in enumerate(makers) for s in range(SCALE_BATCHES)]
    residual = torch.cat([batch.target - batch.proxy for batch in drawn])
    pipeline.register_to_config(residual_scale=float(residual.square().mean().sqrt()))
    objective = DecoderObjective(pipeline, 0.0, config.decoder.first_step_share).train()
    losses = []
    for rank, maker in enumerate(makers):
        batch = maker.batch(DrawKey(0, 0, rank))
        seed_torch(DrawKey(0, 0, rank))
        losses.append(objective(batch))
    mean = torch.stack(losses).mean()
    assert lines[0]["loss"] == pytest.approx(float(mean.detach()), rel=1e-4)
    mean.backward()
    torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
    torch.optim.AdamW(objective.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0).step()
    saved = load_file(state_folder(config.output / "decoder", 1) / "weights.safetensors")
    name = "unet.conv_out.weight"  # the one that the first step reaches
    torch.testing.assert_close(saved[name], objective.state_dict()[name], atol=2e-5, rtol=0.02)


def test_a_batch_that_processes_cannot_share(write_config: WriteConfig) -> None:
    file = write_config(decoder={"batch_size": 3, "accumulation": 2})
    with pytest.raises(ConfigError, match="decoder: 'batch_size' is 3, which 1 process"):
        main(file)


class TestWhatIsSaidBeforeAnythingStarts:
    @pytest.mark.parametrize("key", ["scenes", "validation.scenes"])
    def test_no_scenes(
        self, key: str, write_config: WriteConfig, painted_scenes: Path, tmp_path: Path
    ) -> None:
        places = {"scenes": painted_scenes, "validation.scenes": painted_scenes, key: tmp_path / "empty"}
        file = write_config(
            top={"scenes": str(places["scenes"])},
            validation={"scenes": str(places["validation.scenes"]), "every": 1},
        )
        with pytest.raises(ConfigError) as caught:
            main(file)
        assert f"{file}: '{key}' is {tmp_path / 'empty'}, which holds no complete scene" in str(caught.value)
        assert "neural-assets dataset render" in str(caught.value)
        assert not load_config(file).output.exists()

    def test_a_process_says_it_in_a_sentence(self, write_config: WriteConfig) -> None:
        process = start_training(write_config(top={"scenes": "nowhere"}))
        assert process.wait(60) == 1
        assert "'scenes' is nowhere, which holds no complete scene" in process.said()
        assert "Traceback" not in process.said()

    def test_pictures_that_the_model_cannot_take(self, write_config: WriteConfig, tmp_path: Path) -> None:
        from tests.na_core.conftest import write_scenes

        odd = write_scenes(tmp_path / "odd", 1, 40)
        with pytest.raises(ConfigError, match="pictures of 40 x 40 pixels; this model needs multiples of 16"):
            main(write_config(top={"scenes": str(odd)}))

    def test_a_run_that_is_there(self, write_config: WriteConfig) -> None:
        file = write_config(vae={"steps": 1}, decoder=None)
        main(file)
        with pytest.raises(TrainingError, match="go on with --resume"):
            main(file)
        main(file, resume=True)
