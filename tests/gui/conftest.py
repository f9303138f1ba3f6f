"""Tests in a real Blender window, apart from ``make test``: they need root, a virtual display and minutes.

``make test-gui`` puts a Debian with Blender into a folder, once, and starts them. ``NEURAL_ASSETS_WINDOW``
names the folder, ``NEURAL_ASSETS_ZIP`` the extension, ``NEURAL_ASSETS_SCREENSHOTS`` where their pictures go,
and ``NEURAL_ASSETS_DISPLAY`` the virtual display's number: two that run at the same time need different ones.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from window import ROOT, Window, blender_window

PYTHON = ROOT / ".venv" / "bin" / "python"


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Return the folder of the pictures."""
    return Path(os.environ.get("NEURAL_ASSETS_SCREENSHOTS", ROOT / "out" / "gui"))


@pytest.fixture
def window() -> Iterator[Window]:
    """Start a Blender in its window, with the extension installed, for one test."""
    folder = os.environ.get("NEURAL_ASSETS_WINDOW")
    if not folder:
        pytest.skip("NEURAL_ASSETS_WINDOW names no folder with a Blender: make test-gui")
    extension, display = os.environ["NEURAL_ASSETS_ZIP"], int(os.environ.get("NEURAL_ASSETS_DISPLAY", "78"))
    with blender_window(Path(folder), Path(extension).resolve(), PYTHON, display) as started:
        yield started
