"""However `make run` ends, nothing is left behind; and two runs do not disturb each other."""

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from local import emulator
from tests.local.clone import STOP, Run, alive, clone, environment, left, wait_for_the_end


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return clone(tmp_path / "clone")


def leader(run: Run) -> int:
    """The process that kills the others when the run is killed."""
    record = run.stack_file.with_name("processes").read_text()
    return int(record.splitlines()[1].split()[0])


def test_what_stays_if_all_is_killed_is_named_and_removed_at_the_next_start(folder: Path) -> None:
    with Run(folder) as run:
        run.wait_for("synthesizing")
        started = run.descendants()
        os.kill(leader(run), signal.SIGKILL)
        run.stop(signal.SIGKILL)
        stayed = alive(started)
        assert stayed

    with Run(folder, run.port) as second:
        second.wait_for("synthesizing")
        assert alive(stayed) == set()
        what = f"an earlier make run (process {run.process.pid}) was killed: stopped its processes "
        (line,) = (line for line in second.printed.splitlines() if what in line)
        assert line.endswith(f" and removed its folder .local/runs/{run.port}")

    assert left(folder) == []


def test_a_process_that_has_got_the_id_of_a_dead_one_is_left_alone(folder: Path) -> None:
    record = folder / ".local" / "runs" / "1" / "processes"
    record.parent.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], process_group=0) as stranger:
        record.write_text(f"{stranger.pid} 1\n" * 2 + "nonsense\n")
        with Run(folder) as run:
            run.wait_for("synthesizing")
            assert alive({stranger.pid})
        stranger.kill()

    assert f"(process {stranger.pid}) was killed: removed its folder .local/runs/1" in run.printed


def test_a_list_of_processes_that_cannot_be_read_is_said_in_a_sentence(folder: Path) -> None:
    record = folder / ".local" / "runs" / "1" / "processes"
    record.parent.mkdir(parents=True)
    record.write_text("nonsense\n")

    with Run(folder) as run:
        run.wait_for(
            "an earlier make run left no readable list of its processes: "
            "removed its folder .local/runs/1"
        )


def test_closing_the_terminal_ends_a_run_whose_make_leads_the_session(folder: Path) -> None:
    port = emulator.free_port()
    record = folder / ".local" / "runs" / str(port) / "processes"
    command = ["make", "run", f"PORT={port}", f"WEB_PORT={emulator.free_port()}"]
    ours, theirs = pty.openpty()
    variables = environment(folder)
    # `setsid --ctty` does what sshd does: make leads the session and has the terminal.
    with subprocess.Popen(
        ["setsid", "--ctty", *command],
        cwd=folder,
        env=variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as make:
        os.close(theirs)
        printed = b""
        while b"synthesizing" not in printed:
            printed += os.read(ours, 1000)
        started = {int(line.split()[0]) for line in record.read_text().splitlines()}
        assert alive(started) == started

        os.close(ours)

        make.wait(STOP)
    wait_for_the_end(started)
    assert left(folder) == []


def test_a_run_ends_with_the_make_that_started_it(folder: Path) -> None:
    with Run(folder, make=True) as run:
        run.wait_for("synthesizing")
        started = run.descendants()

        run.stop(signal.SIGKILL)

        wait_for_the_end(started)
    assert left(folder) == []


@pytest.mark.parametrize("delay", [number / 100 for number in range(2, 32, 2)])
def test_an_early_interrupt_ends_without_a_traceback(folder: Path, delay: float) -> None:
    with Run(folder, make=True) as run:
        time.sleep(delay)
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.process.wait(STOP) != 0

    assert "Traceback" not in run.printed
    assert "is needed" not in run.printed


@pytest.mark.parametrize("clones", [1, 2])
def test_of_two_starts_at_the_same_moment_one_gets_the_port(tmp_path: Path, clones: int) -> None:
    folders = [clone(tmp_path / str(number)) for number in range(clones)]
    port = emulator.free_port()
    with Run(folders[0], port) as first, Run(folders[-1], port) as second:
        deadline = time.monotonic() + 60
        while first.process.poll() is second.process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        lost, won = (first, second) if first.process.poll() is not None else (second, first)
        assert won.process.poll() is None, won.printed
        sentence = lost.printed.splitlines()[-1]
        assert sentence.startswith(f"Port {port} is in use by another ")
        assert "Traceback" not in lost.printed
