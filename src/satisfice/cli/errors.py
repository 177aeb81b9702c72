"""From an exception to one sentence on standard error and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import traceback

import click

from satisfice.errors import SatisficeError, SpecError, TrialsFailAlike
from satisfice.store.database.secret import passwords

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130
DEBUG_VARIABLE = "SATISFICE_DEBUG"

_secrets: set[str] = set()


def keep_secret(url: str | None) -> None:
    """Remember the passwords of a storage URL, so that no message of this process shows them."""
    _secrets.update(passwords(url or ""))


def without_secrets(text: str) -> str:
    """The text with every known password replaced."""
    for secret in sorted(_secrets, key=len, reverse=True):
        # One that may be a word of ours is replaced only where URLs have it.
        if len(secret) < 6 or (secret.isalpha() and len(secret) < 12):
            text = text.replace(f":{secret}@", ":***@")
        else:
            text = text.replace(secret, "***")
    return text


def say(sentence: str) -> None:
    """One line on standard error, without a password in it."""
    line = " ".join(sentence.split())
    print(f"satisfice: {without_secrets(line)}", file=sys.stderr)  # noqa: T201  # this is the output


def say_why(error: SatisficeError) -> None:
    """What went wrong: the traceback of training code that fails in every trial, then the sentence."""
    say_failed(str(error), error.traceback if isinstance(error, TrialsFailAlike) else None)


def say_failed(sentence: str, traceback: str | None) -> None:
    """The traceback of training code, if there is one, and then what went wrong."""
    if traceback:
        print(without_secrets(traceback.rstrip()), file=sys.stderr)  # noqa: T201  # this is the output
    say(sentence)


def explain(error: BaseException) -> int:
    """Say what went wrong in one sentence.

    Returns:
        The exit code.
    """
    if isinstance(error, SystemExit):  # of no code of ours
        pipe = error.__context__  # rich ends the process where the reader of its output has gone
        error = pipe if isinstance(pipe, BrokenPipeError) else exited(error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        say("interrupted")
        return EXIT_INTERRUPTED
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if os.environ.get(DEBUG_VARIABLE):
        print(without_secrets("".join(traceback.format_exception(error))), file=sys.stderr)  # noqa: T201  # asked for
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return EXIT_INPUT
    if isinstance(error, click.ClickException):
        say(_usage_sentence(error))
        return EXIT_INPUT
    if isinstance(error, SpecError):
        for problem in error.problems:
            say(str(problem))
        return error.exit_code
    if isinstance(error, SatisficeError):
        say_why(error)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        _drop_output()  # its reader has gone, as `head` does: nothing to say
        return EXIT_FAILED
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "the output or a file"
        say(f"{where} cannot be written: {os.strerror(error.errno)}")
        _drop_output()
        return EXIT_FAILED
    return _unexpected(error)


def _drop_output() -> None:
    """Nothing more can be flushed, nor should Python try when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it is closed, or no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exited(error: SystemExit) -> SatisficeError:
    """What to say of training code that would end the process."""
    code = "" if error.code is None else repr(error.code)
    return SatisficeError(
        f"training code called sys.exit({code}); a trial in training was given back",
        hint="raise an exception instead: it fails that trial alone",
    )


def _usage_sentence(error: click.ClickException) -> str:
    """Click's message, with the nearest option and where to read more."""
    sentence = error.format_message().strip().rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "satisfice"
    return sentence if sentence.endswith(")") else f"{sentence} (see {command} --help)"


def _unexpected(error: BaseException) -> int:
    log = ""
    if not os.environ.get(DEBUG_VARIABLE):
        try:
            with tempfile.NamedTemporaryFile(
                "w", prefix="satisfice-error-", suffix=".log", delete=False, encoding="utf-8"
            ) as file:
                file.write(without_secrets("".join(traceback.format_exception(error))))
                log = f"; the traceback is in {file.name} (or set {DEBUG_VARIABLE}=1)"
        except OSError:  # that disk is full too
            log = f"; {DEBUG_VARIABLE}=1 shows the traceback"
    said = getattr(error, "orig", None) or error  # what the database said, without the statement
    words = " ".join(str(said).split())[:300]
    say(f"unexpected {type(error).__name__}: {words}{log}")
    return EXIT_FAILED
