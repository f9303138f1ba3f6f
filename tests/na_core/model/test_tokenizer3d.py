"""The tokens: shapes, order, symmetry and the meaning of null, as in the paper."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from na_core.model.tokenizer3d import Tokenizer3D

FEATURES = 8


@pytest.fixture
def tokenizer() -> Tokenizer3D:
    torch.manual_seed(0)
    return Tokenizer3D(FEATURES, 6, 6, 16, 12).eval()


def inputs(count: int, batch: int = 1, numbers: int = 12, width: int = FEATURES) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(count)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    low = torch.rand(batch, count, 2, generator=generator) * 0.5
    high = low + 0.1 + torch.rand(batch, count, 2, generator=generator) * 0.4
    return {
        "object_features": normal(batch, 1, 7, 7, width),
        "background_features": normal(batch, 7, 7, width),
        "rectangles": torch.cat([low, high], dim=-1),
        "poses": normal(batch, count, numbers),
        "background_pose": normal(batch, 12),
    }


class TestThePaper:
    @pytest.mark.parametrize(("count", "tokens"), [(23, 96), (10, 44)])
    def test_sequence_length_and_width(self, count: int, tokens: int) -> None:
        tokenizer = Tokenizer3D()
        result = tokenizer(**inputs(count, batch=2, width=768))
        assert result.shape == (2, tokens, 1024)

    def test_layers_to_the_letter(self) -> None:
        """768 → 512; pose 12 → 1024 → 512; background 12 → 24 → 12 before it; one linear 1024 → 1024."""
        layers = {
            name: (m.in_features, m.out_features)
            for name, m in Tokenizer3D().named_modules()
            if isinstance(m, nn.Linear)
        }
        assert layers == {
            "appearance": (768, 512),
            "pose.0": (12, 1024),
            "pose.2": (1024, 512),
            "background_pose.0": (12, 24),
            "background_pose.2": (24, 12),
            "fusion": (1024, 1024),
        }

    def test_parameter_count(self) -> None:
        linear = lambda i, o: i * o + o  # noqa: E731
        expected = linear(768, 512) + linear(12, 1024) + linear(1024, 512) + linear(1024, 1024)
        expected += linear(12, 24) + linear(24, 12)
        assert sum(p.numel() for p in Tokenizer3D().parameters()) == expected

    def test_gelu_is_the_tanh_form(self) -> None:
        kinds = [m.approximate for m in Tokenizer3D().modules() if isinstance(m, nn.GELU)]
        assert kinds == ["tanh", "tanh"]

    def test_guided_poses_are_twice_as_wide(self) -> None:
        tokenizer = Tokenizer3D(FEATURES, 6, 6, 16, 12, source_pose=True)
        assert tokenizer.pose[0].in_features == 24
        assert tokenizer.background_pose[2].out_features == 24
        assert tokenizer(**inputs(3, numbers=24)).shape == (1, 16, 12)


class TestASet:
    def test_the_background_comes_last(self, tokenizer: Tokenizer3D) -> None:
        given = inputs(3)
        before = tokenizer(**given)
        after = tokenizer(**given | {"background_pose": given["background_pose"] + 1})
        torch.testing.assert_close(before[:, :-4], after[:, :-4])
        assert not torch.allclose(before[:, -4:], after[:, -4:])

    def test_permuting_objects_permutes_their_tokens(self, tokenizer: Tokenizer3D) -> None:
        given = inputs(4)
        order = torch.tensor([2, 0, 3, 1])
        shuffled = given | {name: given[name][:, order] for name in ("rectangles", "poses")}
        expected = tokenizer(**given).unflatten(1, (5, 4))[:, [*order.tolist(), 4]].flatten(1, 2)
        torch.testing.assert_close(tokenizer(**shuffled), expected)

    def test_one_photo_for_all_equals_the_same_photo_for_each(self, tokenizer: Tokenizer3D) -> None:
        given = inputs(3, batch=2)
        each = given | {"object_features": given["object_features"].expand(-1, 3, -1, -1, -1)}
        torch.testing.assert_close(tokenizer(**given), tokenizer(**each))

    def test_appearance_may_come_from_another_photo(self, tokenizer: Tokenizer3D) -> None:
        given = inputs(2)
        photos = given["object_features"].repeat(1, 2, 1, 1, 1)
        photos[:, 1] = torch.randn(7, 7, FEATURES)
        before = tokenizer(**given)
        after = tokenizer(**given | {"object_features": photos})
        torch.testing.assert_close(before[:, :4], after[:, :4])
        assert not torch.allclose(before[:, 4:8], after[:, 4:8])

    def test_the_four_tokens_of_an_object_share_its_pose_and_differ_in_appearance(
        self, tokenizer: Tokenizer3D
    ) -> None:
        tokens = tokenizer(**inputs(1))[0, :4]
        assert len({tuple(t.tolist()) for t in tokens}) == 4


class TestNothing:
    def test_an_empty_slot_keeps_its_pose_and_loses_its_appearance(self, tokenizer: Tokenizer3D) -> None:
        given = inputs(2)
        given["rectangles"][:, 1] = 0
        first = tokenizer(**given)[:, 4:8]
        given["object_features"] = torch.randn_like(given["object_features"])
        torch.testing.assert_close(tokenizer(**given)[:, 4:8], first)
        given["poses"][:, 1] += 1
        assert not torch.allclose(tokenizer(**given)[:, 4:8], first)

    def test_null_is_all_boxes_zero_objects_and_background(self, tokenizer: Tokenizer3D) -> None:
        given = inputs(3, batch=2)
        null = torch.tensor([True, False])
        mixed = tokenizer(**given, null=null)
        torch.testing.assert_close(mixed[1:], tokenizer(**given)[1:])
        other = inputs(3, batch=2) | {
            "object_features": torch.randn(2, 1, 7, 7, FEATURES),
            "background_features": torch.randn(2, 7, 7, FEATURES),
            "poses": torch.zeros(2, 3, 12),
            "rectangles": torch.zeros(2, 3, 4),
            "background_pose": torch.zeros(2, 12),
        }
        expected = tokenizer(**other)
        torch.testing.assert_close(mixed[:1, :-4], expected[:1, :-4])
        # The background's 2D box is a constant of the tokenizer, so only null can zero it.
        appearance = tokenizer.appearance(torch.zeros(1, 4, FEATURES))
        pose = tokenizer.pose(tokenizer.background_pose(torch.zeros(1, 12)))[:, None].expand(-1, 4, -1)
        torch.testing.assert_close(mixed[:1, -4:], tokenizer.fusion(torch.cat([appearance, pose], dim=-1)))

    def test_null_does_not_depend_on_anything_given(self, tokenizer: Tokenizer3D) -> None:
        null = torch.tensor([True])
        other = {name: value + 1 for name, value in inputs(3).items()}
        torch.testing.assert_close(tokenizer(**inputs(3), null=null), tokenizer(**other, null=null))

    def test_no_objects_at_all_leaves_the_background(self, tokenizer: Tokenizer3D) -> None:
        assert tokenizer(**inputs(0)).shape == (1, 4, 12)
