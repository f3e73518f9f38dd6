"""The pages of `docs/` that are tables of what the code declares."""

import ast
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from apidocs.meanings import CAUSES, DEGRADATIONS, MEMBERS
from functions.operations import Operation
from functions.outcomes import OURS
from functions.problems import MAX_ERRORS, PROBLEMS
from functions.protection.limits import WINDOW
from functions.protection.passwords import RULES
from functions.records import (
    CRASH,
    DEGRADED,
    ERRORS,
    HIDDEN,
    NAMESPACE,
    REPEATED_FAILURES,
    RETRIED,
    SUCCESS,
    Record,
)
from functions.settings import write
from infra import settings
from infra.settings import ARGUMENTS_ONLY, NEEDS, STAGES, Deployment, camel_case
from verification.commands import CHECKS

_PROBLEMS_INTRODUCTION: Final = """\
# Problems

Every error that the API returns. Each is a problem document
([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with `type`, `title`, `status`, `detail`,
`code`, `message`, `recoverySuggestion` and `requestId`.

- **`type` identifies the problem**: `urn:password-service:` and the slug below. Switch on it, and
  translate by it.
- `code` is the exception name of Cognito or Amplify. Several problems can share one: a wrong old
  password and a disabled account are both `NotAuthorizedException`. The header `x-amzn-errortype`
  repeats it; the gateway's own responses have the gateway's names there.
- `errors` lists everything that is wrong with a request or a new password, up to {max_errors}
  entries. Each has a `pointer`, a `rule`, a `detail` and, if the rule has numbers, `params`.

By default, user existence is hidden: if a failure may depend on the account, reset responds 200
and confirm responds `code-refused`.
"""
_PROBLEMS_END: Final = """
If this service's own limit refused the request, `Retry-After` is the time until the limit's window
ends. If Cognito's did, it is an hour. If the gateway throttled the request, it is a second.
"""
_CHECKS: Final = """\
# Checks of a deployment

What `make verify` [looks at](../adopting.md), in this order. Each check tests one claim, and prints
what to do if the claim does not hold.

{checks}
"""
_SETTINGS_INTRODUCTION: Final = """\
# Settings

Every setting of a deployment. Each stage (`local`, `dev` or `prod`) has defaults. Change a setting
for one deployment with `CONTEXT`, or for all of them in the `context` of
[cdk.json](../../cdk.json):

```sh
make deploy STAGE=dev CONTEXT='-c allowedOrigins=https://app.example.com -c firewall=count'
```

An unknown name, an invalid value or a contradiction makes `cdk synth` fail with an explanation.
Values in `cdk.json` apply to every stage, including `local`, which has a pool of its own, and whose
emulator supports neither a firewall nor a domain.

## Settings you can change
"""
_LOCAL: Final = """\
The stage `local` also leaves out what its emulator lacks, and lets tools sign users in:
[local/emulated.py](../../local/emulated.py).
"""
_LIMITS: Final = """\
# Limits and password rules

The numbers and rules that the code declares. [Security features](../security-features.md) explains
how they behave.

## Limits

{limits}

The numbers of attempts are defaults of [settings](settings.md). The throttle is for all callers
together.

## Password rules

{rules}

`minLength`, `usedBefore` and the rules that begin with `require` follow the pool's own policy.
`forbiddenWord` and `breached` follow the [settings](settings.md). `GET /password-policy` lists the
rules of a deployment. `maxLength`, `pattern` and `replacementCharacter` make a request invalid, and
the others are then not checked. Only Cognito knows whether a password was used before, and the
problem is then `password-used-before`.
"""
_TELEMETRY: Final = """\
# Logs and metrics

What a function writes about each request, to read in a log, a query or an alarm.

## The log line

Each request writes one JSON line, which is the audit record, and so does each attempt of the
worker. Its `message` is the event in words, such as `password reset requested`. Its level is
`ERROR` if the status is 500 or higher, or after a degradation that needs someone to act
({errors}), `WARNING` if something was hidden, degraded or will be retried, and otherwise `INFO`.
Besides Powertools' own members, it has:

{members}

## Metrics

The namespace is `{namespace}`, and the dimensions are `service` and `stage`. Each request counts
its outcome, its cause, and each of its degradations. So every `code` of the [problems](problems.md)
and every name of Cognito's and botocore's errors can be a metric. If the client secret cannot be
read, the cause begins with `DescribeUserPoolClient.`. The others are:

{metrics}

`ColdStart` has the dimensions `service` and `function_name` instead. `TooManyRequests`
counts the 429s in the access log, and has only the dimension `stage`.
"""


def write_problems() -> str:
    """Return the page of every problem."""
    rows = (
        (f"`{p.slug}`", f"`{p.code}`, {p.status}", p.detail, p.recovery_suggestion)
        for p in sorted(PROBLEMS, key=lambda problem: (problem.status, problem.slug))
    )
    table = _table(("slug", "code, status", "what happened", "what to do"), rows)
    return f"{_PROBLEMS_INTRODUCTION.format(max_errors=MAX_ERRORS)}\n{table}\n{_PROBLEMS_END}"


def write_checks() -> str:
    """Return the page of the checks of `make verify`."""
    rows = ((f"`{one.id}`", one.claim, one.local) for one in CHECKS)
    return _CHECKS.format(checks=_table(("check", "claim", "why the local stage fails"), rows))


def write_settings() -> str:
    """Return the page of every setting."""
    sentences = dict(_read_sentences())
    changed = _table(
        ("setting", "values", "default", "meaning"),
        (
            (
                f"`{camel_case(name)}`",
                _escape(settings.RULES[name].expected),
                _describe_defaults(name),
                sentence + (f" Needs `{camel_case(NEEDS[name])}`." if name in NEEDS else ""),
            )
            for name, sentence in sentences.items()
            if name not in ARGUMENTS_ONLY
        ),
    )
    stages = _table(
        ("stage", *STAGES),
        (
            (sentences[name], *(f"`{_default(stage, name)}`" for stage in STAGES))
            for name in ("log_retention", "retain_data")
        ),
    )
    return (
        f"{_SETTINGS_INTRODUCTION}\n{changed}\n\n## What else differs between stages\n\n{stages}\n"
        f"\n{_LOCAL}"
    )


def _read_sentences() -> Iterator[tuple[str, str]]:
    """Yield each setting with the docstring that editors show."""
    tree = ast.parse(Path(settings.__file__).read_text())
    classes = {one.name: one.body for one in tree.body if isinstance(one, ast.ClassDef)}
    for kind in ("StageChoices", "Choices"):
        for field, docstring in pairwise(classes[kind]):
            if isinstance(field, ast.AnnAssign) and isinstance(docstring, ast.Expr):
                text: str = ast.literal_eval(docstring.value)
                yield ast.unparse(field.target), " ".join(text.split())


def write_limits() -> str:
    """Return the page of limits and password rules."""
    defaults = Deployment.of_stage("prod")
    networks = {
        "an address, over all users": defaults.attempts_per_address,
        f"an IPv6 /{defaults.ipv6_network_prefix}, over all users": defaults.attempts_per_network,
    }
    limits = [
        (
            f"`{o.id}`",
            "the signed-in user" if o.signed_in else "a user and an address",
            str(o.attempts_per_hour),
            str(o.requests_per_second),
        )
        if o.attempts_per_hour
        else (f"`{o.id}`", "nobody", "", str(o.requests_per_second))
        for o in Operation
    ] + [
        (f"`{o.id}`", network, str(most), "")
        for network, most in networks.items()
        for o in Operation
        if o.attempts_per_hour and not o.signed_in
    ]
    rules = ((f"`{rule.name}`", rule.detail) for rule in RULES)
    return _LIMITS.format(
        limits=_table(
            ("operation", "counted for", f"attempts per {WINDOW} s", "throttle per second"), limits
        ),
        rules=_table(("rule", "sentence"), rules),
    )


def write_telemetry() -> str:
    """Return the page of log members and metrics."""
    kinds = get_type_hints(Record)
    metrics = [
        (SUCCESS, "outcome", "The request was carried out."),
        (CRASH, "", "An exception that nobody expected, in a request or a task."),
        (HIDDEN, "", "The caller was not told about the failure."),
        (RETRIED, "", "The worker tries the task again later."),
        (DEGRADED, "", "Any degradation but `SignOutDelayed`, which the worker makes up for."),
        (REPEATED_FAILURES, "", "Attempts for one user failed again and again, from any address."),
        *((one.cause, "cause", CAUSES[one.cause]) for one in OURS),
        *((one, "degradation", sentence) for one, sentence in DEGRADATIONS.items()),
    ]
    return _TELEMETRY.format(
        members=_table(
            ("member", "type", "present", "meaning"),
            (_describe_member(name, kinds[name], sentence) for name, sentence in MEMBERS.items()),
        ),
        errors=", ".join(f"`{one}`" for one in sorted(ERRORS)),
        namespace=NAMESPACE,
        metrics=_table(("metric", "kind", "meaning"), ((f"`{n}`", k, t) for n, k, t in metrics)),
    )


def _describe_member(name: str, kind: Any, sentence: str) -> tuple[str, str, str, str]:  # noqa: ANN401 - a type
    optional = get_origin(kind) is UnionType
    base = get_args(kind)[0] if optional else kind
    types = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return f"`{name}`", types.get(base, "array of strings"), "" if optional else "always", sentence


def _describe_defaults(name: str) -> str:
    by_value: dict[str, list[str]] = {}
    for stage in reversed([*STAGES]):
        by_value.setdefault(_default(stage, name), []).append(stage)
    texts = {value: f"`{value}`" if value else "none" for value in by_value}
    if len(by_value) == 1:
        return texts[next(iter(by_value))]
    return "; ".join(f"{', '.join(stages)}: {texts[v]}" for v, stages in by_value.items())


def _default(stage: str, name: str) -> str:
    return write(getattr(Deployment.of_stage(stage), name))


def _escape(text: str) -> str:
    return text.replace("<", "&lt;")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
