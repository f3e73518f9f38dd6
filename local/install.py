"""Install the parts that a target of the Makefile needs: `python3.13 -m local.install PART…`.

pip installs uv, and uv installs the rest in a fraction of pip's time. Nothing is installed yet when
this runs, so it imports only the standard library.
"""

import ast
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
EMULATOR: Final = ROOT / ".local" / "emulator"
FLOOR: Final = ROOT / ".local" / "floor"
UNFINISHED: Final = VENV / ".unfinished"
"""Exists while packages are installed, so that a killed installation is started over."""
SHOWN: Final = sys.stderr.isatty()
"""Whether pip, uv and npm show their own progress."""

UV_SETTINGS: Final = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
"""uv reads none of pip's settings. These are pip's, and the variables by which uv gets them."""


class Part(NamedTuple):
    """Something that is installed at once."""

    title: str
    megabytes: int
    lock: str
    stamp: str
    """A copy of the lock that was installed."""

    @property
    def is_current(self) -> bool:
        """Whether the lock that was installed is today's."""
        stamp = ROOT / self.stamp
        return stamp.exists() and stamp.read_bytes() == (ROOT / self.lock).read_bytes()


PARTS: Final = {
    "uv": Part("uv, which installs the Python packages", 65, "local/uv.txt", ".venv/.uv"),
    "service": Part(
        "Python packages of the service and the CDK", 250, "requirements.txt", ".venv/.service"
    ),
    "package": Part(
        "Python packages that build the wheel", 40, "release/requirements.txt", ".venv/.package"
    ),
    "tests": Part("Python packages of the tests", 700, "tests/requirements.txt", ".venv/.tests"),
    "generators": Part(
        "the AWS CLI, generators of clients, and Java for one of them",
        200,
        "tests/e2e/requirements.txt",
        ".venv/.generators",
    ),
    "emulator": Part(
        "the emulator of AWS", 60, "local/requirements.txt", ".local/emulator/.installed"
    ),
    "floor": Part(
        "the oldest Python packages of the construct",
        300,
        "tests/floor/requirements.txt",
        ".local/floor/.installed",
    ),
    "cdk": Part(
        "npm packages: the CDK, Swagger UI and fonts", 40, "package-lock.json", "node_modules/.cdk"
    ),
    "test-packages": Part(
        "npm packages of the tests", 200, "package-lock.json", "node_modules/.tests"
    ),
}


def main() -> None:
    """Install the parts that are not current, one after another."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C needs no traceback
    parts = {name: PARTS[name] for name in sys.argv[1:]}
    if all(part.is_current for part in parts.values()) and not UNFINISHED.exists():
        return
    with only_one() as lock:
        if UNFINISHED.exists():
            shutil.rmtree(VENV)
        missing = {name: part for name, part in parts.items() if not part.is_current}
        started = time.monotonic()
        for number, (name, part) in enumerate(missing.items(), 1):
            say(f"Step {number} of {len(missing)}: installing {part.title}, {part.megabytes} MB")
            install(name, part, lock)
            shutil.copy(ROOT / part.lock, ROOT / part.stamp)
        if missing:
            say(f"Installed in {time.monotonic() - started:.0f} s")


@contextmanager
def only_one() -> Iterator[int]:
    """Wait until no other process installs into this folder.

    The system gives the lock back when the installers that inherited it have ended, even killed.
    """
    (ROOT / ".local").mkdir(exist_ok=True)
    with (ROOT / ".local" / "installing").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another make, which is installing here")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def install(name: str, part: Part, lock: int) -> None:
    """Install one part, or exit if that fails."""

    def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
        try:
            subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                pass_fds=[lock],
                stdout=sys.stderr if SHOWN else subprocess.DEVNULL,
                check=True,
            )
        except subprocess.CalledProcessError:
            sys.exit(
                f"Installing {part.title} failed; the reason is above. If it is the network, check"
                " the connection, or set HTTPS_PROXY. Then run make again."
            )

    quiet = [] if SHOWN else ["--quiet"]
    npm_options = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    # Wheels only, because building a package would run its code with tools that nobody pinned.
    locked = ["--require-hashes", "--only-binary=:all:", "--requirement", part.lock]
    pip_options = [*locked, *quiet]
    uv = [str(VENV / "bin" / "uv"), "pip", "install", *pip_options, "--python"]
    if name == "emulator":
        run(sys.executable, "-m", "venv", "--without-pip", "--clear", EMULATOR)
        run(*uv, EMULATOR, environment=uv_environment())
    elif name == "floor":
        # pyenv would look for the version of this folder.
        oldest = os.environ | {"PYENV_VERSION": "3.12"}
        run("python3.12", "-m", "venv", "--without-pip", "--clear", FLOOR, environment=oldest)
        run(*uv, FLOOR, environment=uv_environment())
    elif name == "cdk":
        run("npm", "ci", "--omit=dev", *npm_options)
    elif name == "test-packages":  # unlike `npm ci`, this leaves a running `make run` its files
        run("npm", "install", "--no-save", *npm_options)
    else:
        VENV.mkdir(exist_ok=True)
        UNFINISHED.touch()
        if name == "uv":
            run(sys.executable, "-m", "venv", VENV)
            run(VENV / "bin" / "pip", "install", *pip_options, *quiet)
        else:
            run(*uv, VENV, environment=uv_environment())
        UNFINISHED.unlink()


def uv_environment() -> dict[str, str]:
    """Return the environment in which uv uses pip's index, proxy and certificates."""
    pip = [str(VENV / "bin" / "pip"), "config", "list"]
    lines = subprocess.run(pip, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, str] = {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    for section in ("global.", "install.", ":env:."):  # the last one wins
        for line in lines:
            setting, _, value = line.removeprefix(section).partition("=")
            if line.startswith(section) and setting in UV_SETTINGS:
                variable = UV_SETTINGS[setting]
                separator = "," if variable == "UV_FIND_LINKS" else " "
                found[variable] = separator.join(ast.literal_eval(value).split())
    return found | os.environ


def say(sentence: str) -> None:
    """Print to stderr, because other commands use the output of `make -s token`."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
