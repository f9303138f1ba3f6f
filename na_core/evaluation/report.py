"""The results as JSON for programs and as Markdown for people."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from na_core.evaluation.scores import Scores

Results = Mapping[str, Mapping[str, Scores]]

COLUMNS: Mapping[str, tuple[str, str]] = {
    "image_psnr": ("image PSNR", ".2f"),
    "image_ssim": ("image SSIM", ".3f"),
    "image_sharpness": ("image sharpness", ".2f"),
    "object_psnr": ("object PSNR", ".2f"),
    "object_psnr_deviation": ("± over seeds", ".3f"),
    "object_ssim": ("object SSIM", ".3f"),
    "sharpness": ("sharpness", ".2f"),
    "perceptual": ("perceptual", ".3f"),
    "vacated_psnr": ("vacated PSNR", ".2f"),
    "holes_psnr": ("holes PSNR", ".2f"),
    "holes_perceptual": ("holes perceptual", ".3f"),
    "edges_psnr": ("edges PSNR", ".2f"),
    "unchanged_psnr": ("unchanged PSNR", ".2f"),
    "right_way": ("right way", ".0%"),
    "warp_error": ("warp error", ".5f"),
    "warp_ratio": ("warp ratio", ".2f"),
    "photograph_psnr": ("photograph PSNR", ".2f"),
    "outline_iou": ("outline IoU", ".3f"),
    "outline_iou_median": ("its median", ".3f"),
    "outline_iou_worst_tenth": ("its worst tenth", ".3f"),
    "boundary_f": ("boundary F", ".3f"),
    "alpha_error": ("alpha error", ".3f"),
    "depth_error": ("depth error", ".1%"),
    "plate_psnr": ("plate PSNR", ".2f"),
    "plate_shadow_psnr": ("plate PSNR in shadows", ".2f"),
    "shadow_error": ("shadow error", ".3f"),
    "ap3d_25": ("AP3D 0.25", ".1f"),
    "ap3d_50": ("AP3D 0.5", ".1f"),
    "found": ("found in 2D", ".0%"),
    "false": ("false", ".2f"),
    "centre_error": ("centre", ".1%"),
    "yaw_error": ("yaw", ".1f"),
    "front_error": ("front", ".1f"),
    "axis_error": ("axes", ".1f"),
    "focal_error": ("focal length", ".1%"),
    "pitch_error": ("pitch", ".1f"),
    "roll_error": ("roll", ".1f"),
    "drag_iou": ("3D IoU from rectangles", ".2f"),
    "iou_unoccluded": ("IoU unoccluded", ".2f"),
    "iou_half_occluded": ("IoU half-occluded", ".2f"),
    "lpips": ("LPIPS", ".3f"),
    "dino": ("DINO", ".3f"),
    "fid": ("FID", ".1f"),
    "objects": ("objects", ".0f"),
    "pictures": ("pictures", ".0f"),
    "pairs": ("pairs", ".0f"),
    "scenes": ("scenes", ".0f"),
}
"""Metrics in the order of the table's columns: title and format."""

LEGEND = """\
PSNR in dB. Objects are measured in their 2D boxes grown by 10 %; *vacated* is what an edited object uncovers,
*unchanged* what neither shows nor showed a changed object while camera and background stand still.
*Sharpness* is the power of fine detail over the truth's: 1 is right, less is blurred, more is noisy. *Right
way* is the share of half turns that look more like the turned object than like the unturned one. *Warp error*
is how much a film's surfaces change from frame to frame, *warp ratio* the same over the true film's. Each
number is the mean over scenes of each scene's mean (of ratios the geometric one).

*Holes* are what no photo showed, by the labels' depths, *edges* the pixels within 3 of an object's outline.
*Perceptual* is the distance of a network's features, 0 where the crop of what was edited looks as it should;
in holes that of the true picture with nothing but the holes replaced.

Layers: what photos are taken apart into, given true boxes, over objects with 64 visible pixels. *Boundary F*
counts outlines within 2 pixels; *alpha error* is the mean difference of alpha and true mask within 4 pixels
of the outline; *depth error* is relative. Plates are measured under objects, and where objects shade what is
beside them; *shadow error* is that of the logarithm of photo over plate beside objects.

Detection: average precision of 3D boxes in percent, whatever the objects are, with the camera's height
given; medians of the errors of those found in 2D: of the centre relative to its distance, of yaw in degrees
(of objects with a symmetry up to it, of *axes* up to quarter turns), of the focal length, and of pitch in
degrees. Box fitting is given true masks; *IoU* is the median.
"""


@dataclass(frozen=True)
class Settings:
    """How checkpoints sampled.

    Attributes:
        preset: the sampling's name.
        samplings: the steps and guidance that it means, by checkpoint.
        seeds: how many, from 0.
    """

    preset: str
    samplings: Mapping[str, tuple[int, float]]
    seeds: int


def write_results(folder: Path, results: Results, settings: Settings, notices: Mapping[str, str]) -> Path:
    """Write ``results.json`` and ``results.md``, whole or not at all; return the path of the first."""
    whole = {"suites": results, "settings": asdict(settings), "notices": notices}
    _write(folder / "results.md", markdown(results, settings, notices))
    return _write(folder / "results.json", json.dumps(whole, indent=2) + "\n")


def markdown(results: Results, settings: Settings, notices: Mapping[str, str]) -> str:
    """Return the results as one Markdown table per suite: methods as rows, metrics as columns."""
    said = f"Preset {settings.preset}, seeds {', '.join(map(str, range(settings.seeds)))}."
    for name, (steps, guidance) in settings.samplings.items():
        said += f" `{name}`: steps {steps}, guidance {guidance:g}."
    parts = ["# Evaluation", said, LEGEND.rstrip(), *notices.values()]
    parts += [f"## {suite}\n\n{_table(methods)}" for suite, methods in results.items() if methods]
    return "\n\n".join(parts) + "\n"


def _table(methods: Mapping[str, Scores]) -> str:
    measured = {name for scores in methods.values() for name in scores}
    names = [name for name in COLUMNS if name in measured]
    rows = [["method", *(COLUMNS[name][0] for name in names)], ["---", *["---:"] * len(names)]]
    for method, scores in methods.items():
        cells = [format(scores[name], COLUMNS[name][1]) if name in scores else "" for name in names]
        rows.append([method, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _write(file: Path, text: str) -> Path:
    unfinished = file.with_name(f"{file.name}.partial")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)
    return file
