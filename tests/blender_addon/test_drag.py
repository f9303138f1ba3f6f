"""Dragging over the photo: presses and releases become drags, and Esc leaves nothing behind.

No window can be opened from the bpy package, so the events and the view come from plain objects here.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest


class View:
    """What a drag touches of a window: it remembers the cursor and the status line."""

    def __init__(self, perspective="CAMERA"):
        self.status, self.cursor, self.handlers = None, None, []
        self.region = SimpleNamespace(type="WINDOW", x=10, y=20)
        self.area = SimpleNamespace(
            type="VIEW_3D",
            regions=[SimpleNamespace(type="UI", x=0, y=0), self.region],
            tag_redraw=lambda: None,
        )
        self.space_data = SimpleNamespace(region_3d=SimpleNamespace(view_perspective=perspective))
        self.window = SimpleNamespace(
            cursor_modal_set=lambda kind: setattr(self, "cursor", kind),
            cursor_modal_restore=lambda: setattr(self, "cursor", None),
        )
        self.workspace = SimpleNamespace(status_text_set=lambda text: setattr(self, "status", text))
        self.timers, self.scene = [], None
        self.window_manager = SimpleNamespace(
            modal_handler_add=self.handlers.append,
            event_timer_add=lambda seconds, window: self.timers.append(seconds) or seconds,
            event_timer_remove=self.timers.remove,
        )


def event(kind, x=0, y=0, value="PRESS"):
    return SimpleNamespace(type=kind, value=value, mouse_x=x, mouse_y=y)


@pytest.fixture
def drag(part):
    """An operator that wants two drags."""

    class Drag(part("operators.drag").DragsOverPhoto):
        def __init__(self):
            self.taken, self.said, self.ran = [], [], False

        def report(self, kind, text):
            self.said.append(text)

        def dragged(self, context, start, end):
            self.taken.append((start, end))
            return "One more" if len(self.taken) < 2 else None

        def execute(self, context):
            self.ran = True
            return {"FINISHED"}

    return Drag()


def dragged(drag, view, start, end):
    drag.modal(view, event("LEFTMOUSE", *start))
    drag.modal(view, event("MOUSEMOVE", *end))
    return drag.modal(view, event("LEFTMOUSE", *end, value="RELEASE"))


def test_it_takes_drags_in_the_windows_region_until_it_has_enough(drag):
    view = View()
    assert drag.begin(view, event("LEFTMOUSE"), "Drag") == {"RUNNING_MODAL"}
    assert view.handlers == [drag]
    assert view.cursor == "CROSSHAIR"
    assert view.status.startswith("Drag")
    assert drag.modal(view, event("LEFTMOUSE", value="RELEASE")) == {"RUNNING_MODAL"}  # of the button
    assert drag.modal(view, event("WHEELUPMOUSE")) == {"PASS_THROUGH"}
    assert dragged(drag, view, (15, 25), (30, 60)) == {"RUNNING_MODAL"}
    assert view.status.startswith("One more")
    assert drag.modal(view, event("WHEELUPMOUSE")) == {"RUNNING_MODAL"}  # the first drag stays in place
    assert dragged(drag, view, (10, 20), (11, 21)) == {"FINISHED"}
    assert drag.taken == [((5, 5), (20, 40)), ((0, 0), (1, 1))]
    assert drag.ran
    assert view.status is None
    assert view.cursor is None


@pytest.mark.parametrize("key", ["ESC", "RIGHTMOUSE"])
def test_cancelling_leaves_nothing_behind(drag, key):
    view = View()
    drag.begin(view, event("LEFTMOUSE"), "Drag")
    drag.modal(view, event("LEFTMOUSE", 15, 25))
    assert drag.modal(view, event(key)) == {"CANCELLED"}
    assert not drag.ran
    assert view.status is None
    assert view.cursor is None
    drag.cancel(view)  # Blender may end it again


def test_without_camera_view_the_fix_is_named(drag):
    view = View("PERSP")
    assert drag.begin(view, event("LEFTMOUSE"), "Drag") == {"CANCELLED"}
    assert "Numpad 0" in drag.said[0]
    assert not view.handlers


class Answer:
    """What a drag waits for of a question to the worker: it comes when the test says so."""

    def __init__(self):
        self.running, self.stopped = True, False

    def is_running(self):
        return self.running

    def stop(self):
        self.running, self.stopped = False, True


@pytest.fixture
def asking_drag(part, drag):
    """A drag that asks the worker when it is drawn, as Add Asset from Box does."""

    class AskingDrag(type(drag), part("operators.asking").AsksWorker):
        def drawn(self, context):
            self.answer = Answer()
            return self.ask(context, self.answer, "Fitting")

        def modal(self, context, event):
            return self.wait(context, event) if self.asking else super().modal(context, event)

        def answered(self, context):
            return {"CANCELLED"} if self.asked[0].stopped else {"FINISHED"}

        def cancel(self, context):
            self.end_asking(context)
            super().cancel(context)

    return AskingDrag()


def ask(drag, view):
    drag.begin(view, event("LEFTMOUSE"), "Drag")
    dragged(drag, view, (15, 25), (30, 60))
    assert dragged(drag, view, (10, 20), (11, 21)) == {"RUNNING_MODAL"}
    assert view.status.startswith("Fitting")
    assert view.timers


def test_after_the_drag_it_waits_for_the_worker_without_blocking(asking_drag):
    view = View()
    ask(asking_drag, view)
    assert asking_drag.modal(view, event("TIMER")) == {"RUNNING_MODAL"}
    assert asking_drag.modal(view, event("MOUSEMOVE")) == {"PASS_THROUGH"}  # the view can be used
    asking_drag.answer.running = False
    assert asking_drag.modal(view, event("TIMER")) == {"FINISHED"}
    assert not view.timers and view.status is None and view.cursor is None


def test_escape_gives_up_the_question(asking_drag):
    view = View()
    ask(asking_drag, view)
    assert asking_drag.modal(view, event("ESC")) == {"CANCELLED"}
    assert asking_drag.answer.stopped
    assert not view.timers and view.status is None


def test_a_file_that_is_loaded_ends_the_question(asking_drag):
    view = View()
    ask(asking_drag, view)
    asking_drag.cancel(view)
    assert asking_drag.answer.stopped
    assert not view.timers
