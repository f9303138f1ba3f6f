"""A real worker whose renderer is a stand-in: it needs no torch and does as a job's seed and guidance say.

Each step sleeps ``seed`` milliseconds; with guidance 25 it polls as long work does. Guidance 29 fails like a
bug, 30 like a full memory, 28 in a way that no words describe, 27 and 26 so that memory cannot be given back
afterwards: by an error, and by the thread's end. A picture's pixels tell what was done so far: (pictures
rendered, steps run, connections that delay what they send).
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import time

import numpy as np

from na_core.cancellation import poll
from server.worker import WorkerSettings, run_worker


def delaying_connections() -> int:
    """Return how many of this process's TCP connections gather small packets (Nagle's algorithm)."""
    delaying = 0
    for descriptor in map(int, os.listdir("/dev/fd")):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                connection.getpeername()
                delaying += not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        except OSError:  # it is gone, only listens, or is none of TCP's
            continue
    return delaying


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("no words")


class ScriptedRenderer:
    name = "scripted"
    preset = "guided"
    samplings: dict = {}  # noqa: RUF012
    device = "cpu"
    licences: dict = {}  # noqa: RUF012
    dtype = "float32"
    fingerprint = "scripted"

    def __init__(self) -> None:
        print("something that a library prints, which must not reach stdout")
        self.rendered = 0
        self.release = None
        self.steps = 0

    def render(self, frame, photos, sampling, on_step, meshes):
        def preview():
            return np.full((4, 6, 3), 7, np.uint8)

        for step in range(1, sampling.steps + 1):
            if sampling.guidance == 25:
                for _ in range(int(sampling.seed)):
                    time.sleep(0.001)
                    poll()
            else:
                time.sleep(sampling.seed / 1000)
            self.steps += 1
            on_step(step, sampling.steps, preview)
            if sampling.guidance == 29:
                raise RuntimeError("the scripted bug\nwith a second line")
            if sampling.guidance == 28:
                raise Unspeakable
            if sampling.guidance in (26, 27):
                self.release = SystemExit if sampling.guidance == 26 else RuntimeError("the scripted driver")
                raise RuntimeError("the scripted bug")
            if sampling.guidance == 30:
                raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        self.rendered += 1
        done = [self.rendered, self.steps % 256, delaying_connections() if os.name == "posix" else 0]
        return np.full((sampling.height, sampling.width, 3), done, np.uint8)

    def release_memory(self):
        release, self.release = self.release, None
        if release is not None:
            raise release

    def peak_memory_mib(self):
        return {"process": None, "device": None}


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    sys.exit(run_worker(WorkerSettings(port=port), lambda settings: ScriptedRenderer()))
