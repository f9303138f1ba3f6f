"""Which pictures can be asked for, and the message that asks for one."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from na_core.data.labels import Edit
from na_core.data.pairs import (
    DrawnPair,
    Pair,
    PairLists,
    crossed_pairs,
    draw_pairs,
    edit_pair,
    edit_pairs,
    frame_message,
    pair_lists,
    video_pairs,
)
from na_core.data.scenes import Scene, load_scene
from na_core.geometry.boxes import box_matrix, source_quarter_turns
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Frame

SIDE = 32

MakeScene = Callable[..., Scene]


@pytest.fixture
def make(make_scene: Callable[..., Path], tmp_path: Path) -> MakeScene:
    """Return a maker of scenes: a frame for each row of presence, an object for each column."""

    def write(
        presence: Sequence[Sequence[bool]],
        stages: Sequence[int] | None = None,
        edits: Sequence[Edit] = (),
    ) -> Scene:
        cameras = [camera_of_photo(SIDE, SIDE, SIDE, 1.0 + 0.1 * k, 0.3) for k in range(len(presence))]
        placements = [
            [
                box_matrix((i - 0.5, 3 + 0.1 * k, 0.2), (0.4, 0.4, 0.4), k + i) if here else None
                for i, here in enumerate(row)
            ]
            for k, row in enumerate(presence)
        ]
        folder = tmp_path / f"scene-{len(list(tmp_path.iterdir()))}"
        return load_scene(make_scene(folder, cameras, placements, SIDE, SIDE, stages=stages, edits=edits))

    return write


def ends(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    return [(pair.source, pair.target) for pair in pairs]


class TestVideo:
    def test_every_ordered_pair_of_frames_is_a_pair(self, make: MakeScene) -> None:
        pairs = video_pairs(make([[True, True]] * 3))
        assert ends(pairs) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
        assert all(pair.background == pair.source and pair.donor is None for pair in pairs)

    def test_an_object_may_vanish_but_none_may_appear(self, make: MakeScene) -> None:
        assert ends(video_pairs(make([[True, True], [True, False]]))) == [(0, 1)]

    def test_both_frames_are_of_one_stage(self, make: MakeScene) -> None:
        assert ends(video_pairs(make([[True]] * 4, stages=[0, 1, 0, 1]))) == [(0, 2), (1, 3), (2, 0), (3, 1)]

    def test_what_shows_too_little_counts_as_unseen(self, make: MakeScene) -> None:
        scene = make([[True, True], [True, True]])
        hardly = dataclasses.replace(scene.labels.frames[0], visible=(0.9, 0.01))
        labels = dataclasses.replace(scene.labels, frames=(hardly, scene.labels.frames[1]))
        assert ends(video_pairs(dataclasses.replace(scene, labels=labels))) == [(1, 0)]


class TestCrossed:
    def test_objects_of_one_stage_on_the_background_of_another(self, make: MakeScene) -> None:
        scene = make([[True], [True], [True]], stages=[0, 1, 1])
        assert crossed_pairs(scene) == [Pair(0, 2, 1), Pair(0, 1, 2)]

    def test_one_stage_has_none(self, make: MakeScene) -> None:
        assert crossed_pairs(make([[True]] * 3)) == []

    def test_the_source_shows_every_object_of_the_target(self, make: MakeScene) -> None:
        scene = make([[True, False], [True, False], [True, True]], stages=[0, 1, 1])
        assert crossed_pairs(scene) == [Pair(0, 1, 2)]


class TestEdits:
    @pytest.mark.parametrize("kind", ["translate", "rotate", "scale", "remove", "camera"])
    def test_most_take_everything_from_the_source(self, kind: str) -> None:
        edit = Edit(kind, 1, 2, None, 0)
        assert edit_pair(edit) == Pair(1, 2, background=1, edit=edit)

    @pytest.mark.parametrize("kind", ["add", "transfer"])
    def test_what_is_new_comes_from_the_donor(self, kind: str) -> None:
        edit = Edit(kind, 0, 1, 2, 0)
        assert edit_pair(edit) == Pair(0, 1, background=0, donor=2, edit=edit)

    def test_new_surroundings_come_from_the_donor_and_objects_do_not(self) -> None:
        edit = Edit("background", 0, 1, 2, None)
        assert edit_pair(edit) == Pair(0, 1, background=2, edit=edit)

    def test_an_edit_is_usable_where_source_or_donor_shows_every_object(self, make: MakeScene) -> None:
        presence = [[True, False], [True, True], [False, True], [False, False]]
        usable, unusable = Edit("add", 0, 1, 2, 1), Edit("add", 0, 1, 3, 1)
        found = edit_pairs(make(presence, edits=[usable, unusable]))
        assert [pair.edit for pair in found] == [usable]

    def test_an_edit_of_an_object_that_neither_frame_shows_is_no_edit(self, make: MakeScene) -> None:
        seen, hidden = Edit("rotate", 0, 1, None, 0), Edit("rotate", 0, 1, None, 1)
        found = edit_pairs(make([[True, False], [True, False]], edits=[seen, hidden]))
        assert [pair.edit for pair in found] == [seen]


class TestDrawing:
    @pytest.fixture
    def lists(self, make: MakeScene) -> list[PairLists]:
        """Return those of a scene of two stages with an edit, of two films, and of a scene of one frame."""
        return [
            pair_lists(make([[True]] * 4, stages=[0, 0, 1, 1], edits=[Edit("translate", 0, 1, None, 0)])),
            pair_lists(make([[True]] * 3)),
            pair_lists(make([[True]] * 3)),
            pair_lists(make([[True]])),
        ]

    @staticmethod
    def kinds(drawn: Sequence[DrawnPair], lists: Sequence[PairLists]) -> Counter[str]:
        return Counter(
            next(kind for kind in ("film", "edits", "crossed") if d.pair in getattr(lists[d.scene], kind))
            for d in drawn
        )

    def test_a_scene_of_every_kind(self, lists: list[PairLists]) -> None:
        assert [len(kind) for kind in (lists[0].film, lists[0].edits, lists[0].crossed)] == [4, 1, 8]
        assert len(lists[3]) == 0

    def test_shares_are_kept(self, lists: list[PairLists]) -> None:
        found = self.kinds(draw_pairs(lists[:1], 3000, np.random.default_rng(0), 0.3, 0.2), lists)
        assert found["edits"] == pytest.approx(900, abs=90)
        assert found["crossed"] == pytest.approx(600, abs=90)
        assert found["film"] == pytest.approx(1500, abs=90)

    def test_both_orders_of_two_frames_come_alike(self, lists: list[PairLists]) -> None:
        drawn = draw_pairs(lists[1:2], 3000, np.random.default_rng(0), 0.3, 0.2)
        found = Counter((d.pair.source, d.pair.target) for d in drawn)
        assert len(found) == 6
        assert min(found.values()) > 400

    def test_every_scene_and_pair_is_drawn_but_those_without_pairs_are_not(
        self, lists: list[PairLists]
    ) -> None:
        drawn = draw_pairs(lists, 3000, np.random.default_rng(0), 0.3, 0.2)
        found = Counter(d.scene for d in drawn)
        assert found.keys() == {0, 1, 2}
        assert min(found.values()) > 900
        assert {d.pair for d in drawn if d.scene == 0} == {*lists[0].film, *lists[0].edits, *lists[0].crossed}

    def test_a_kind_without_a_share_comes_where_a_scene_has_nothing_else(
        self, lists: list[PairLists]
    ) -> None:
        only_edits = PairLists((), lists[0].edits, ())
        drawn = draw_pairs([only_edits, lists[0]], 200, np.random.default_rng(0), 0.0, 0.0)
        assert {d.scene for d in drawn} == {0, 1}
        assert self.kinds([d for d in drawn if d.scene == 1], [only_edits, lists[0]]).keys() == {"film"}

    def test_a_pair_that_only_works_backwards_is_drawn(self, make: MakeScene) -> None:
        lists = [pair_lists(make([[True, False], [True, True]]))]
        (drawn,) = draw_pairs(lists, 1, np.random.default_rng(0), 0.3, 0.2)
        assert (drawn.pair.source, drawn.pair.target) == (1, 0)

    def test_no_pair_at_all(self, lists: list[PairLists]) -> None:
        with pytest.raises(ValueError, match="no scene has a pair"):
            draw_pairs(lists[3:], 1, np.random.default_rng(0), 0.3, 0.2)

    def test_the_same_numbers_draw_the_same(self, lists: list[PairLists]) -> None:
        first, second, other = (
            draw_pairs(lists, 20, np.random.default_rng(seed), 0.3, 0.2) for seed in (3, 3, 4)
        )
        assert first == second != other


class TestMessage:
    def test_appearance_is_the_sources_and_pose_the_targets(self, make: MakeScene) -> None:
        scene = make([[True, True], [True, True]])
        frame, photos = frame_message(scene, Pair(0, 1, 0))
        source, target = scene.labels.frames
        assert frame.camera == target.camera
        assert frame.background.source_camera == source.camera
        assert frame.background.hidden_boxes == source.boxes
        assert [placed.asset.name for placed in frame.assets] == ["block 0", "block 1"]
        for i, placed in enumerate(frame.assets):
            box = source.boxes[i]
            assert box is not None
            assert placed.asset.source_box == box
            assert placed.asset.source_box_2d == source.boxes_2d[i]
            assert placed.box == target.boxes[i]
            assert placed.asset.quarter_turns == source_quarter_turns(box, source.camera)
        sha256 = hashlib.sha256(scene.picture_bytes(0)).hexdigest()
        assert photos == {sha256: 0}
        assert frame.background.photo.sha256 == sha256
        assert Frame.from_json(frame.to_json()) == frame

    def test_a_removed_object_is_hidden_and_not_placed(self, make: MakeScene) -> None:
        frame, _ = frame_message(make([[True, True], [True, False]]), Pair(0, 1, 0))
        assert [placed.asset.name for placed in frame.assets] == ["block 0"]
        assert len(frame.background.hidden_boxes) == 2

    def test_a_new_object_comes_from_the_donor_with_its_camera(self, make: MakeScene) -> None:
        scene = make([[True, False], [True, True], [False, True]])
        frame, photos = frame_message(scene, Pair(0, 1, 0, donor=2))
        old, new = (placed.asset for placed in frame.assets)
        donor = scene.labels.frames[2]
        assert photos[old.photo.sha256] == 0
        assert photos[new.photo.sha256] == 2
        assert (new.source_camera, new.source_box) == (donor.camera, donor.boxes[1])
        assert frame.background.hidden_boxes == (scene.labels.frames[0].boxes[0],)

    def test_a_background_of_another_stage(self, make: MakeScene) -> None:
        scene = make([[True, True], [True, False], [True, True]], stages=[0, 1, 1])
        frame, photos = frame_message(scene, Pair(0, 2, 1))
        assert sorted(photos.values()) == [0, 1]
        assert photos[frame.background.photo.sha256] == 1
        assert frame.background.source_camera == scene.labels.frames[1].camera
        assert frame.background.hidden_boxes == (scene.labels.frames[1].boxes[0],)
        assert {photos[placed.asset.photo.sha256] for placed in frame.assets} == {0}

    def test_an_object_that_is_hidden_in_the_photo_keeps_its_pose(self, make: MakeScene) -> None:
        scene = make([[True, True], [True, True]])
        unseen = dataclasses.replace(scene.labels.frames[0], visible=(0.9, 0.0))
        labels = dataclasses.replace(scene.labels, frames=(unseen, scene.labels.frames[1]))
        frame, _ = frame_message(dataclasses.replace(scene, labels=labels), Pair(0, 1, 0))
        assert len(frame.assets) == 2
