"""Who runs a pipeline now: one load at a time, told by process, host and heartbeat."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil

HEARTBEAT_S = 5.0
DEAD_AFTER = timedelta(minutes=2)
"""A holder on another host that was silent for this long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lease. `process_started` tells a recycled pid from the process itself."""

    run_id: str
    host: str
    pid: int
    process_started: float
    taken_at: datetime
    heartbeat_at: datetime

    def told(self, pipeline: str) -> str:
        """That it runs this pipeline, since when and where."""
        return (
            f"{pipeline} is being run since {self.taken_at:%Y-%m-%d %H:%M:%S} UTC by process"
            f" {self.pid} on {self.host} (run {self.run_id})"
        )

    def is_alive(self, now: datetime) -> bool:
        if self.host != socket.gethostname():
            return now - self.heartbeat_at < DEAD_AFTER
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(process.create_time() - self.process_started) < 1.0
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return now - self.heartbeat_at < DEAD_AFTER


def this_process(run_id: str, now: datetime) -> Holder:
    pid = os.getpid()
    return Holder(run_id, socket.gethostname(), pid, psutil.Process(pid).create_time(), now, now)
