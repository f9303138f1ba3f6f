"""Waiting for the worker's answer beside the window, with Esc to cancel."""

from __future__ import annotations

from typing import Any

import bpy

from ..worker.task import WorkerTask

TICK_SECONDS = 0.05


class AsksWorker:
    """An operator that asks the worker something, and goes on when the answer is there.

    It calls :meth:`ask`, hands its ``modal`` events to :meth:`wait` while :attr:`asking`, and has
    ``answered`` of its own.

    Attributes:
        asked: what was asked, and the scene that it was asked about.
    """

    _task: WorkerTask[Any] | None = None
    asked: tuple[WorkerTask[Any], bpy.types.Scene]

    @property
    def asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._task is not None

    def ask(self, context: bpy.types.Context, task: WorkerTask[Any], status: str) -> set[str]:
        """Wait for an answer from now on; the status bar says what for."""
        self._task, self.asked = task, (task, context.scene)
        self._timer = context.window_manager.event_timer_add(TICK_SECONDS, window=context.window)
        context.workspace.status_text_set(f"{status}. Esc cancels")
        context.window.cursor_modal_set("WAIT")
        return {"RUNNING_MODAL"}

    def wait(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look whether the answer is there; Esc gives up."""
        assert self._task is not None
        if event.type == "ESC" and event.value == "PRESS":
            self._task.stop()
        if self._task.is_running():
            return {"RUNNING_MODAL"} if event.type in {"TIMER", "ESC"} else {"PASS_THROUGH"}
        self.end_asking(context)
        return self.answered(context)

    def ask_to_the_end(self, context: bpy.types.Context, task: WorkerTask[Any]) -> set[str]:
        """Wait for an answer here and now: for scripts, and Adjust Last Operation."""
        self.asked = task, context.scene
        task.finish()
        return self.answered(context)

    def answered(self, context: bpy.types.Context) -> set[str]:
        """Take the answer to what was asked."""
        raise NotImplementedError

    def end_asking(self, context: bpy.types.Context) -> None:
        """Clean up; an answer that is still to come is no longer wanted."""
        if self._task is None:
            return
        if self._task.is_running():
            self._task.stop()
        self._task = None
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)
        context.window.cursor_modal_restore()
