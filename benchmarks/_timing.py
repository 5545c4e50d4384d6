"""Time whole commands in turn, A B A B …, so that a drifting machine slows both."""

import os
import statistics
import subprocess
import time


def interleaved(commands, runs=5):
    """Return {name: median wall seconds} and {name: median CPU seconds} of commands run in turn."""
    wall = {name: [] for name in commands}
    cpu = {name: [] for name in commands}
    for command in commands.values():  # a first run warms the file cache and is not counted
        subprocess.run(command, check=True, capture_output=True)
    for _ in range(runs):
        for name, command in commands.items():
            before, started = os.times(), time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            wall[name].append(time.perf_counter() - started)
            after = os.times()
            cpu[name].append(
                after.children_user + after.children_system - before.children_user - before.children_system
            )
    return (
        {name: statistics.median(each) for name, each in wall.items()},
        {name: statistics.median(each) for name, each in cpu.items()},
    )
