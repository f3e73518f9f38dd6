"""The commands of `python -m local`."""

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import Never, cast

from botocore.exceptions import ClientError

from infra.settings import RULES
from local import emulator
from local.invocation import invoke
from local.session import run
from local.stack import DEMO, ChallengeError, Stack, User
from local.web import PORT

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command of the command line. A signal ends it cleanly."""
    try:
        # SIGINT too: a shell lets its background jobs ignore it, and Python would take that over.
        for number in SIGNALS:
            signal.signal(number, _interrupt)
        emulator.isolate()
        arguments = _parse()
        match arguments.command:
            case "run":
                run(arguments.port, arguments.web_port, arguments.origin)
            case "invoke":
                invoke(arguments.operation, arguments.event, arguments.port)
            case "code":
                print(_code(_running(arguments.port)))
            case "token":
                print(_token(_running(arguments.port), arguments.password))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe. Python would try to write the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parse() -> Namespace:
    parser = ArgumentParser(prog="python -m local", description=sys.modules["local"].__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    port = partial(_port, "PORT")
    command = commands.add_parser("run", help="deploy to an emulator and stay until stopped")
    command.add_argument("--port", type=port, default=emulator.PORT)
    command.add_argument("--web-port", type=partial(_port, "WEB_PORT"), default=PORT)
    command.add_argument("--origin", type=_origins, default=())
    command = commands.add_parser("invoke", help="invoke one handler with a sample event")
    command.add_argument("operation", nargs="?", default="")
    command.add_argument("--event", type=Path)
    command.add_argument("--port", type=port)
    command = commands.add_parser("code", help="print the latest code mailed to the demo user")
    command.add_argument("--port", type=port)
    command = commands.add_parser("token", help="print a new access token of the demo user")
    command.add_argument("--password", default=DEMO[0].password)
    command.add_argument("--port", type=port)
    return parser.parse_args()


def _port(setting: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**16):
        sys.exit(f"{setting} must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _origins(text: str) -> tuple[str, ...]:
    try:
        return cast("tuple[str, ...]", RULES["allowed_origins"].read(text))
    except ValueError:
        sys.exit(f"ORIGIN must be like http://localhost:5173, without a final slash, not {text!r}.")


def _interrupt(_number: int, _frame: object) -> Never:
    # A second signal must not stop the cleanup.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _running(port: int | None) -> Stack:
    return Stack.running(port) or sys.exit("No local stack is running: start one with make run.")


def _code(stack: Stack) -> str:
    username = stack.demo_user.username
    return stack.code(username) or sys.exit(f"No code was mailed to {username} yet.")


def _token(stack: Stack, password: str) -> str:
    try:
        return stack.sign_in(User(stack.demo_user.username, password))["AccessToken"]
    except ChallengeError as error:
        sys.exit(f"{stack.demo_user.username} cannot sign in: {error}")
    except ClientError as error:
        sys.exit(f"{stack.demo_user.username} cannot sign in: {error.response['Error']['Message']}")
