"""Training: the right weights learn, and a killed run that resumes is the run that was not killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import AutoencoderTiny, DDIMScheduler
from torch import Tensor, nn

from na_core.data.labels import load_labels
from na_core.data.scenes import Scene, read_picture, scene_folders
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import build_pipeline
from na_core.training import decoder
from na_core.training.cache import cache_pairs
from na_core.training.config import TrainingConfig
from na_core.training.decoder import PairSet, load_pair_set, train_decoder
from na_core.training.train import main
from na_core.training.vae import psnr, reconstruction_loss, train_vae

Configure = Callable[..., TrainingConfig]


@pytest.fixture(autouse=True)
def one_thread_and_no_left_over_state() -> Iterable[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    AcceleratorState._reset_state(reset_partial_state=True)  # the next test may train in another precision


def weights(*modules: nn.Module) -> list[Tensor]:
    return [value.clone() for module in modules for value in module.state_dict().values()]


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def pictures_of(scenes: Path) -> list[np.ndarray]:
    found = [Scene(folder, load_labels(folder)) for folder in scene_folders(scenes)]
    return [read_picture(s.picture_path(i)) for s in found for i in range(len(s.labels.frames))]


@pytest.fixture(scope="module")
def data(
    painted_scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[NeuralAssetsPipeline], PairSet]:
    folder = tmp_path_factory.mktemp("pairs")

    def make(pipeline: NeuralAssetsPipeline) -> PairSet:
        guided = pipeline.config.preset == "guided"
        cache = folder / f"pairs-{guided}"
        return load_pair_set(cache_pairs(painted_scenes, cache, guided=guided, factor=8, jobs=1), pipeline)

    return make


class Killed(Exception):
    """Stands for the end of the process."""


class TestVae:
    def test_the_loss_falls(self, configure: Configure, painted_scenes: Path) -> None:
        vae = build_pipeline("guided", "tiny").vae
        assert isinstance(vae, AutoencoderTiny)
        config = configure(vae_steps=50)
        train_vae(vae, pictures_of(painted_scenes), replace(config, save_every=1000), resume=False)
        lines = (config.output / "vae" / "log.jsonl").read_text().splitlines()
        losses = [json.loads(line)["loss"] for line in lines]
        assert len(losses) == 2
        assert losses[-1] < 0.75 * losses[0]

    def test_latents_have_unit_spread_afterwards(self, configure: Configure, painted_scenes: Path) -> None:
        vae = build_pipeline("guided", "tiny").vae
        assert isinstance(vae, AutoencoderTiny)
        pictures = pictures_of(painted_scenes)
        train_vae(vae, pictures, configure(), resume=False)
        tensor = torch.as_tensor(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            spread = (vae.encode(tensor).latents * vae.config.scaling_factor).std()
        assert float(spread) == pytest.approx(1.0, abs=1e-3)
        assert not vae.training

    def test_the_reconstruction_loss_is_zero_for_the_truth_alone(self) -> None:
        truth = torch.rand(2, 3, 8, 8) * 2 - 1
        assert float(reconstruction_loss(truth, truth)) == 0
        assert float(reconstruction_loss(truth + 0.1, truth)) == pytest.approx(0.11, abs=1e-5)

    def test_psnr(self) -> None:
        assert psnr(torch.zeros(4), torch.full((4,), 0.2)) == pytest.approx(20.0, abs=1e-4)

    def test_pictures_smaller_than_the_crop_are_refused(self, configure: Configure) -> None:
        vae = build_pipeline("guided", "tiny").vae
        assert isinstance(vae, AutoencoderTiny)
        with pytest.raises(ValueError, match="'crop' is 32, but the smallest picture has 16 pixels"):
            train_vae(vae, [np.zeros((16, 40, 3), np.uint8)], configure(), resume=False)


class TestDecoder:
    @pytest.mark.parametrize("preset", ["guided", "paper"])
    def test_a_few_steps_write_a_checkpoint_that_loads(
        self, preset: str, configure: Configure, data: Callable[[NeuralAssetsPipeline], PairSet]
    ) -> None:
        pipeline = build_pipeline(preset, "tiny")  # type: ignore[arg-type]
        trained = (pipeline.unet, pipeline.encoder, pipeline.tokenizer3d)
        before = [weights(module) for module in trained]
        frozen = weights(pipeline.vae)
        config = configure(preset=preset)
        train_decoder(pipeline, data(pipeline), config, resume=False)
        for module, old in zip(trained, before, strict=True):
            assert not equal(weights(module), old)
            assert all(p.requires_grad for p in module.parameters())
            assert not module.training
        assert equal(weights(pipeline.vae), frozen)
        assert not any(p.requires_grad for p in pipeline.vae.parameters())
        loaded = load_checkpoint(config.output / "checkpoint")
        assert loaded.config.preset == preset
        for own, stored in zip(pipeline.unet.parameters(), loaded.unet.parameters(), strict=True):
            torch.testing.assert_close(own, stored, atol=1e-3, rtol=2e-3)

    def test_gradients_reach_every_weight_that_counts(
        self,
        configure: Configure,
        data: Callable[[NeuralAssetsPipeline], PairSet],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Two steps: the UNet's last layer starts at zero and blocks the first step's gradients."""
        pipeline = build_pipeline("guided", "tiny")
        before = {name: p.detach().clone() for name, p in pipeline.unet.named_parameters()}
        rest = {name: p.detach().clone() for name, p in pipeline.tokenizer3d.named_parameters()}
        train_decoder(pipeline, data(pipeline), configure(steps=3), resume=False)
        still = [n for n, p in pipeline.unet.named_parameters() if torch.equal(p, before[n])]
        still += [n for n, p in pipeline.tokenizer3d.named_parameters() if torch.equal(p, rest[n])]
        assert still == []

    def test_the_residuals_scale_is_measured_and_saved(
        self, configure: Configure, data: Callable[[NeuralAssetsPipeline], PairSet]
    ) -> None:
        pipeline = build_pipeline("guided", "tiny")
        pairs = data(pipeline)
        config = configure(steps=1)
        train_decoder(pipeline, pairs, config, resume=False)
        target = pairs.target_latents[pairs.target].float()
        expected = float((target - pairs.proxy_latents.float()).std())
        assert load_checkpoint(config.output / "checkpoint").config.residual_scale == pytest.approx(expected)

    def test_bfloat16_training_runs(
        self, configure: Configure, data: Callable[[NeuralAssetsPipeline], PairSet]
    ) -> None:
        pipeline = build_pipeline("guided", "tiny")
        train_decoder(pipeline, data(pipeline), configure(steps=2, mixed_precision="bf16"), resume=False)
        assert all(torch.isfinite(w).all() for w in weights(pipeline.unet))
        assert {p.dtype for p in pipeline.unet.parameters()} == {torch.float32}

    @pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "sample"])
    def test_the_target_is_the_schedulers(self, kind: str) -> None:
        pipeline = build_pipeline("paper", "tiny")
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, prediction_type=kind)
        clean, noise = torch.randn(2, 1, 4, 2, 2)
        timestep = torch.tensor([500])
        noisy = pipeline.scheduler.add_noise(clean, noise, timestep)
        target = decoder._target(pipeline, clean, noise, timestep)
        pipeline.scheduler.set_timesteps(10)
        found = pipeline.scheduler.step(target, 500, noisy).pred_original_sample
        torch.testing.assert_close(found, clean, atol=1e-4, rtol=1e-4)

    def test_timesteps_are_uniform_but_for_a_share_at_the_last(self) -> None:
        pipeline = build_pipeline("paper", "tiny")
        random = np.random.default_rng(0)
        steps = decoder._timesteps(pipeline, 20000, 0.3, random)
        assert steps.min() == 0
        assert float((steps == 999).float().mean()) == pytest.approx(0.3, abs=0.02)
        rest = steps[steps < 999].float()
        assert float(rest.mean()) == pytest.approx(499, abs=10)

    def test_training_and_rendering_see_the_same_tokens(
        self, painted_scenes: Path, data: Callable[[NeuralAssetsPipeline], PairSet]
    ) -> None:
        from na_core.data.pairs import frame_message, pairs
        from na_core.model.conditioning import conditions

        for preset in ("guided", "paper"):
            pipeline = build_pipeline(preset, "tiny")  # type: ignore[arg-type]
            pair_set = data(pipeline)
            folder = scene_folders(painted_scenes)[0]
            scene = Scene(folder, load_labels(folder))
            frame, paths = frame_message(scene, *pairs(scene)[3])
            photos = {name: read_picture(p).astype(np.float32) / 255 for name, p in paths.items()}
            c = conditions(frame, photos, 64, 64, factor=8, guided=preset == "guided")
            with torch.no_grad():
                used = pipeline.batch([frame], [c], photos)
                tokens, mask = decoder._tokens(pipeline, pair_set, np.array([3]), torch.tensor([False]))
            torch.testing.assert_close(tokens, used.tokens, atol=1e-5, rtol=1e-4)
            assert (mask is None) == (used.attention_mask is None)
            if used.anchor is not None:
                scaled = pair_set.proxy_latents[3:4].float()
                torch.testing.assert_close(scaled, used.anchor, atol=2e-2, rtol=1e-2)


class TestResuming:
    def test_a_killed_decoder_run_resumes_to_the_same_weights(
        self,
        configure: Configure,
        data: Callable[[NeuralAssetsPipeline], PairSet],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        config = configure(steps=6)
        whole = build_pipeline("guided", "tiny")
        train_decoder(whole, data(whole), config, resume=False)

        halved = replace(config, output=tmp_path / "killed")
        first = build_pipeline("guided", "tiny")
        pairs = data(first)
        draws = 0
        tokens = decoder._tokens

        def dies(*arguments: object) -> object:
            nonlocal draws
            draws += 1
            if draws == 4:  # a step after the state at 2 was saved
                raise Killed
            return tokens(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(decoder, "_tokens", dies)
        with pytest.raises(Killed):
            train_decoder(first, pairs, halved, resume=False)
        monkeypatch.setattr(decoder, "_tokens", tokens)
        second = build_pipeline("guided", "tiny")
        torch.manual_seed(1234)
        train_decoder(second, data(second), halved, resume=True)
        for name in ("unet", "encoder", "tokenizer3d"):
            assert equal(weights(getattr(whole, name)), weights(getattr(second, name))), name

    def test_a_kill_while_saving_loses_at_most_that_state(
        self,
        configure: Configure,
        painted_scenes: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pictures = pictures_of(painted_scenes)
        config = configure(vae_steps=6)
        whole = build_pipeline("guided", "tiny").vae
        assert isinstance(whole, AutoencoderTiny)
        train_vae(whole, pictures, config, resume=False)

        killed = replace(config, output=config.output / "killed")
        rename, renames = Path.rename, 0

        def dies(self: Path, target: Path) -> Path:
            nonlocal renames
            renames += 1
            if renames == 3:  # the second state is written, the first already moved away
                raise Killed
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", dies)
        first = build_pipeline("guided", "tiny").vae
        assert isinstance(first, AutoencoderTiny)
        with pytest.raises(Killed):
            train_vae(first, pictures, killed, resume=False)
        monkeypatch.setattr(Path, "rename", rename)
        assert not (killed.output / "vae" / "state").exists()
        second = build_pipeline("guided", "tiny").vae
        assert isinstance(second, AutoencoderTiny)
        train_vae(second, pictures, killed, resume=True)
        assert equal(weights(whole), weights(second))


class TestTheCommand:
    @staticmethod
    def write(config: TrainingConfig, file: Path) -> Path:
        def lines(values: dict[str, object]) -> list[str]:
            texts = {k: json.dumps(str(v) if isinstance(v, Path) else v) for k, v in values.items()}
            return [f"{name} = {text}" for name, text in texts.items()]

        top = {k: v for k, v in vars(config).items() if k not in ("vae", "decoder")}
        tables = [["[vae]", *lines(vars(config.vae))], ["[decoder]", *lines(vars(config.decoder))]]
        file.write_text("\n".join([*lines(top), *tables[0], *tables[1]]))
        return file

    def test_from_scenes_to_a_checkpoint_and_again(self, configure: Configure, tmp_path: Path) -> None:
        config = configure(steps=2, vae_steps=2)
        file = self.write(config, tmp_path / "config.toml")
        folder = main(file)
        first = load_checkpoint(folder)
        assert main(file, resume=True) == folder
        again = load_checkpoint(folder)
        for name in ("vae", "unet", "encoder", "tokenizer3d"):
            assert equal(weights(getattr(first, name)), weights(getattr(again, name))), name
        assert first.vae.config.scaling_factor != 1.0

    def test_no_scenes(self, configure: Configure, tmp_path: Path) -> None:
        config = configure(scenes=tmp_path / "empty")
        with pytest.raises(FileNotFoundError, match="neural-assets dataset render"):
            main(self.write(config, tmp_path / "config.toml"))
