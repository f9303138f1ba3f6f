"""Warnings: what would fail in a panel, each with the button that mends it."""

from __future__ import annotations

from typing import Any

import bpy

from ..drawing import draw_text
from ..errors import Place, Problem
from ..preferences import worker_settings
from ..render.problems import Looked, problems_of


def draw_problems(layout: bpy.types.UILayout, context: bpy.types.Context, *places: Place) -> None:
    """Draw what would fail, or differ, that belongs to panels. Changes nothing."""
    looked = Looked(context.scene, context.view_layer, worker_settings())
    for problem in problems_of(places, looked):
        draw_problem(layout, problem, context.scene)


def draw_problem(layout: bpy.types.UILayout, problem: Problem, scene: bpy.types.Scene) -> None:
    """Draw one: its sentence, what to do, and its button or setting."""
    box = layout.box().column(align=True)
    draw_text(box, problem.sentence, "ERROR" if problem.fails else "INFO")
    if problem.cure and not (problem.operator and problem.mends):
        draw_text(box, problem.cure)
    if problem.operator:
        box.separator(factor=0.5)
        box.operator_context = "INVOKE_DEFAULT"
        text: dict[str, Any] = {"text": problem.label} if problem.label else {}
        button = box.operator(problem.operator, **text)
        for name, value in problem.properties.items():
            setattr(button, name, value)
    if problem.setting:
        box.separator(factor=0.5)
        path, _, name = problem.setting.rpartition(".")
        box.prop(scene.path_resolve(path) if path else scene, name, text="")
