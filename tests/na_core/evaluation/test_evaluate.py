"""From scenes to ``results.json``: its form, what is averaged, and resuming."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from na_core.data.scenes import load_scene, scene_folders, scenes
from na_core.data.shards import pack
from na_core.evaluation import bench, evaluate
from na_core.evaluation.evaluate import SUITES, main
from na_core.evaluation.learned import LearnedMetrics
from na_core.evaluation.methods import Checkpoint, Copy, ProxyOnly
from na_core.evaluation.metrics import psnr
from na_core.evaluation.suite_pairs import PAIR_SUITES, suite_pairs
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Picture

Results = dict[str, dict[str, dict[str, float]]]


def results_of(file: Path) -> Results:
    found: Results = json.loads(file.read_text())["suites"]
    return found


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by a method's name with every picture that it renders."""
    found: list[str] = []
    for method in (Copy, ProxyOnly, Checkpoint):
        render = method.render

        def noting(self: Any, *arguments: Any, render: Callable[..., Picture] = render) -> Picture:
            found.append(self.name)
            return render(self, *arguments)

        monkeypatch.setattr(method, "render", noting)
    return found


@pytest.fixture(scope="module")
def out(bench_scenes: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of every suite, to be read only.

    One scene each: the edits come from the stills, and the film is all that the detector looks at.
    """
    folder = tmp_path_factory.mktemp("out")
    assert main([checkpoint], ["all"], bench_scenes, 1, folder) == folder / "results.json"
    return folder


class TestResults:
    def test_the_form_of_the_file(self, out: Path) -> None:
        text = json.loads((out / "results.json").read_text())
        assert set(text) == {"suites", "settings", "notices"}
        assert text["settings"] == {"preset": "standard", "samplings": {"small": [1, 1.0]}, "seeds": 1}
        assert list(text["suites"]) == list(SUITES)
        assert all(list(text["suites"][suite]) == ["copy", "proxy", "small"] for suite in PAIR_SUITES)
        assert all(scores["scenes"] > 0 for suite in text["suites"].values() for scores in suite.values())
        assert list(text["suites"]["layers"]) == ["proxy", "small"]
        assert set(text["suites"]["vae"]["small"]) == {"image_psnr", "photograph_psnr", "scenes"}
        assert 3 < text["suites"]["vae"]["small"]["photograph_psnr"] < 30

    def test_films_flicker_and_other_suites_do_not(self, out: Path) -> None:
        for suite, methods in results_of(out / "results.json").items():
            for scores in methods.values():
                assert ("warp_ratio" in scores) == ("warp_error" in scores) == (suite == "video")
                assert ("right_way" in scores) == (suite == "turn180")

    def test_copying_turns_nothing_and_the_proxy_does(self, out: Path) -> None:
        turned = results_of(out / "results.json")["turn180"]
        assert [turned[name]["right_way"] for name in ("copy", "proxy")] == [0, 1]

    def test_one_step_of_an_untrained_pipeline_is_the_proxy(self, out: Path) -> None:
        for suite in PAIR_SUITES:
            scores = results_of(out / "results.json")[suite]
            assert scores["small"]["image_psnr"] == pytest.approx(scores["proxy"]["image_psnr"], abs=0.05)

    def test_a_table_and_a_sheet_for_each_suite(self, out: Path) -> None:
        table = (out / "results.md").read_text()
        for suite in SUITES:
            assert f"\n## {suite}\n" in table
            with Image.open(out / "sheets" / f"{suite}.png") as sheet:
                assert sheet.width >= (2 * 64 if suite == "detection" else 3 * 200)

    def test_a_shard_gives_the_numbers_of_its_folders(
        self, out: Path, bench_scenes: Path, tmp_path: Path
    ) -> None:
        pack(scene_folders(bench_scenes), tmp_path / "test.tar")
        again = main((), ["scale", "video"], tmp_path / "test.tar", None, tmp_path / "out")
        for suite, methods in results_of(again).items():
            for name, scores in methods.items():
                assert scores == results_of(out / "results.json")[suite][name]


class TestAverages:
    def test_a_scene_counts_once_however_many_pairs_it_has(
        self, make_scene: Callable[..., Path], tmp_path: Path
    ) -> None:
        camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
        for frames in (2, 3):
            boxes = [[box_matrix((0.2 * i, 4, 0.4), (0.6, 0.6, 0.8))] for i in range(frames)]
            make_scene(tmp_path / "test" / str(frames), [camera] * frames, boxes, 64, 64)
        found = results_of(main((), ["video"], tmp_path / "test", None, tmp_path / "out"))["video"]["copy"]
        each = []
        for scene in scenes(tmp_path / "test"):
            ends = [(p.source, p.target) for p in suite_pairs("video", scene)]
            each.append(fmean(psnr(scene.picture(source), scene.picture(target)) for source, target in ends))
        assert (found["pairs"], found["scenes"]) == (8, 2)
        assert found["image_psnr"] == pytest.approx(fmean(each))

    def test_a_limit_is_for_each_suite(self, bench_scenes: Path, tmp_path: Path) -> None:
        found = results_of(main((), ["video", "add", "reconstruct"], bench_scenes, 1, tmp_path))
        assert {suite: methods["copy"]["scenes"] for suite, methods in found.items()} == {
            "video": 1,
            "add": 1,
            "reconstruct": 1,
        }

    def test_a_suite_that_no_scene_has_is_empty(self, painted_scenes: Path, tmp_path: Path) -> None:
        assert results_of(main((), ["transfer"], painted_scenes, None, tmp_path)) == {"transfer": {}}

    def test_seeds_are_averaged_and_their_spread_is_told(
        self, bench_scenes: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        render = Checkpoint.render

        def brighter(self: Checkpoint, task: Any, seed: int) -> Picture:
            return np.minimum(render(self, task, seed), 200) + np.uint8(10 * seed)

        monkeypatch.setattr(Checkpoint, "render", brighter)
        file = main([checkpoint], ["scale"], bench_scenes, None, tmp_path, seeds=3)
        found = results_of(file)["scale"]
        lines = [json.loads(line) for line in (tmp_path / "measurements.jsonl").read_text().splitlines()]
        by_seed = {e["seed"]: e["scores"]["object_psnr"] for e in lines if e["method"] == "small"}
        assert sorted(by_seed) == [0, 1, 2]
        assert found["small"]["object_psnr"] == pytest.approx(fmean(by_seed.values()))
        assert found["small"]["object_psnr_deviation"] == pytest.approx(pstdev(by_seed.values()))
        assert found["small"]["object_psnr_deviation"] > 0.1
        assert "object_psnr_deviation" not in found["copy"]
        assert found["small"]["scenes"] == found["small"]["pairs"] == 1


class TestResuming:
    def test_nothing_is_rendered_twice_in_a_run(
        self, bench_scenes: Path, checkpoint: Path, tmp_path: Path, renderings: list[str]
    ) -> None:
        main([checkpoint], PAIR_SUITES, bench_scenes, None, tmp_path)
        different = set()
        for scene in scenes(bench_scenes):
            for suite in PAIR_SUITES:
                for p in suite_pairs(suite, scene):
                    different.add((scene.name, p.source, p.target, p.background, p.donor))
        assert renderings.count("small") == renderings.count("proxy") == len(different)

    def test_what_is_measured_is_not_measured_again(
        self, bench_scenes: Path, tmp_path: Path, renderings: list[str]
    ) -> None:
        first = main((), ["translate", "video"], bench_scenes, None, tmp_path, sheet_rows=0).read_text()
        record = tmp_path / "measurements.jsonl"
        lines = record.read_text().splitlines(keepends=True)
        assert len(lines) == 4
        record.write_text("".join(lines[2:]) + lines[0][:30])  # killed while it wrote the third
        renderings.clear()
        again = main((), ["translate", "video"], bench_scenes, None, tmp_path, sheet_rows=0).read_text()
        assert again == first
        assert renderings == ["copy"] * 9 + ["proxy"] * 9  # the film: 8 pairs, and its first frame
        renderings.clear()
        again = main((), ["translate", "video"], bench_scenes, None, tmp_path, sheet_rows=0).read_text()
        assert again == first
        assert renderings == []

    def test_a_sheet_that_is_there_is_not_drawn_again(
        self, bench_scenes: Path, tmp_path: Path, renderings: list[str]
    ) -> None:
        main((), ["add"], bench_scenes, None, tmp_path)
        renderings.clear()
        main((), ["add"], bench_scenes, None, tmp_path)
        assert renderings == []
        (tmp_path / "sheets" / "add.png").unlink()
        main((), ["add"], bench_scenes, None, tmp_path)
        assert renderings == ["copy", "proxy"]

    def test_photos_that_are_taken_apart_are_not_again(
        self, bench_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = main((), ["layers"], bench_scenes, None, tmp_path).read_text()
        found = results_of(tmp_path / "results.json")["layers"]["proxy"]
        assert (found["scenes"], found["pictures"], found["outline_iou"]) == (2, 18, 1)
        monkeypatch.setattr(ProxyOnly, "take_apart", None)
        assert main((), ["layers"], bench_scenes, None, tmp_path).read_text() == first

    @pytest.mark.parametrize("kind", ["frame", "mask", "depth"])
    def test_a_changed_picture_is_measured_anew(
        self, kind: str, bench_scenes: Path, tmp_path: Path, renderings: list[str]
    ) -> None:
        copied = Path(shutil.copytree(bench_scenes, tmp_path / "test"))
        main((), ["scale"], copied, None, tmp_path / "out")
        renderings.clear()
        file = copied / "stills" / f"{kind}_000.png"
        file.write_bytes(file.read_bytes() + b" ")
        main((), ["scale"], copied, None, tmp_path / "out")
        assert renderings == ["copy", "proxy"]

    def test_another_sampling_is_measured_anew(
        self, bench_scenes: Path, checkpoint: Path, tmp_path: Path, renderings: list[str]
    ) -> None:
        def run(**sampling: Any) -> int:
            renderings.clear()
            main([checkpoint], ["scale"], bench_scenes, None, tmp_path, sheet_rows=0, **sampling)
            return renderings.count("small")

        assert [run(), run(preset="best"), run(steps=3), run(guidance=2.0), run(), run(seeds=2)] == [
            *(1, 1, 1, 1, 0, 1)
        ]


class TestLearnedMetrics:
    def test_what_is_not_available_is_told_and_not_given(
        self,
        bench_scenes: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        notices = {name: f"{name} is not reported: nothing here." for name in ("lpips", "dino", "fid")}
        monkeypatch.setattr(evaluate, "load_learned", lambda device: LearnedMetrics(notices=notices))
        text = json.loads(main((), ["add"], bench_scenes, None, tmp_path).read_text())
        assert text["notices"] == notices
        assert not {"lpips", "dino", "fid"} & set(text["suites"]["add"]["copy"])
        said = capsys.readouterr().err
        assert [said.count(notice) for notice in notices.values()] == [1, 1, 1]

    def test_what_is_available_is_given_and_survives_a_restart(
        self, bench_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renderings: list[str]
    ) -> None:
        def features(pictures: list[Picture]) -> np.ndarray:
            return np.stack([picture.mean(axis=(0, 1)) for picture in pictures]).astype(np.float32)

        learned = LearnedMetrics(lambda a, b: 0.3, lambda a, b: 0.7, lambda a, b: 0.2, features, "all")
        monkeypatch.setattr(evaluate, "load_learned", lambda device: learned)
        monkeypatch.setattr(bench, "FID_PICTURES", 4)
        file = main((), ["add", "video"], bench_scenes, None, tmp_path)
        text = json.loads(file.read_text())
        assert text["suites"]["add"]["proxy"]["perceptual"] == pytest.approx(0.2)
        for suite in ("add", "video"):
            assert text["suites"][suite]["proxy"]["lpips"] == pytest.approx(0.3)
            assert text["suites"][suite]["proxy"]["dino"] == pytest.approx(0.7)
        assert text["suites"]["video"]["copy"]["fid"] > 0
        assert "fid" not in text["suites"]["add"]["copy"]
        assert text["notices"] == {"fid": "fid is not reported for add: it needs at least 4 pictures."}
        renderings.clear()
        assert json.loads(main((), ["add", "video"], bench_scenes, None, tmp_path).read_text()) == text
        assert renderings == []


class TestErrors:
    def test_an_unknown_suite(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"no suite 'vidio'\. Choose from video"):
            main(suites=["vidio"], out=tmp_path)

    @pytest.mark.parametrize("place", ["empty", "missing", "missing.tar"])
    def test_no_scenes(self, place: str, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(ValueError, match=r"no complete scene here.*neural-assets dataset render"):
            main(scenes=tmp_path / place, out=tmp_path)

    def test_the_embedded_scenes_are_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(evaluate, "BENCH", tmp_path / "test.tar")
        with pytest.raises(ValueError, match=r"embedded scenes are missing.*--scenes data/test"):
            main(out=tmp_path)

    def test_two_methods_of_one_name(self, bench_scenes: Path, checkpoint: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="Two methods are called 'small'"):
            main([checkpoint, checkpoint], ["video"], bench_scenes, None, tmp_path)

    def test_a_missing_checkpoint(self, bench_scenes: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no checkpoint"):
            main([tmp_path / "none"], ["video"], bench_scenes, None, tmp_path)

    @pytest.mark.parametrize("changes", [{"steps": 1001}, {"guidance": 31}, {"preset": "slow"}])
    def test_sampling_out_of_range(
        self, changes: dict[str, Any], bench_scenes: Path, checkpoint: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ValueError, match=rf"sampling\.{next(iter(changes))}"):
            main([checkpoint], ["video"], bench_scenes, None, tmp_path, **changes)

    def test_a_picture_that_cannot_be_read(self, bench_scenes: Path, tmp_path: Path) -> None:
        copied = Path(shutil.copytree(bench_scenes, tmp_path / "test"))
        (copied / "stills" / "frame_000.png").write_text("no picture")
        with pytest.raises(OSError, match=r"frame_000\.png: not a readable picture"):
            main((), ["scale"], copied, None, tmp_path / "out")


class TestCommandLine:
    def test_its_help_names_every_suite(self) -> None:
        from server.commands import evaluate as command

        option = get_args(get_type_hints(command, include_extras=True)["suite"])[1]
        assert option.help.split(";")[0].split(", ") == [*SUITES, "or all (the default)"]

    def test_its_options_are_the_functions(self) -> None:
        from server.commands import evaluate as command

        options = set(inspect.signature(command).parameters)
        assert {"checkpoint", "suite", "scenes", "limit", "out"} <= options
        assert options - {"checkpoint", "suite"} <= set(inspect.signature(main).parameters)

    @pytest.mark.parametrize(
        ("options", "measured"),
        [([], ["mini"]), (["--checkpoint", "a", "--checkpoint", "b"], ["a", "b"])],
    )
    def test_without_a_checkpoint_it_measures_mini(
        self, options: list[str], measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from server.commands import app

        asked: dict[str, Any] = {}
        monkeypatch.setattr(evaluate, "main", lambda **options: asked.update(options))
        done = CliRunner().invoke(app, ["evaluate", "--out", str(tmp_path), *options])
        assert done.exit_code == 0, done.output
        assert (asked["checkpoints"], asked["suites"]) == (measured, ["all"])


def test_the_fixture_has_every_suite(bench_scenes: Path) -> None:
    found = [load_scene(folder) for folder in scene_folders(bench_scenes)]
    assert all(any(suite_pairs(suite, scene) for scene in found) for suite in PAIR_SUITES)
