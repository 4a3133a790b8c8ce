"""Parse the words after a verb into its dataclass; an error in them becomes one sentence of ours.

tyro does the parsing. On an error it would print boxes and exit. A private hook of tyro hands us the error as an object
instead; where that is of an unknown class, the sentence is made from the text in the boxes.
"""

from __future__ import annotations

import difflib
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, suppress
from typing import Any, TypeVar

import tyro

from selfdepth.checks import require_number
from selfdepth.cli.options import Option, listed, read_options
from selfdepth.errors import ConfigError
from selfdepth.places import path_of

Args = TypeVar("Args")


def parse(
    kind: type[Args], words: Sequence[str], *, verb: str, defaults: Callable[[Sequence[str]], Args] | None = None
) -> Args:
    """Parse the words after a verb.

    Args:
        kind: dataclass of the verb's options.
        defaults: maps the words to an instance whose values are the defaults, with `tyro.MISSING` for required values;
            None: the defaults of the dataclass.

    Raises:
        ConfigError: for unknown, missing or invalid options and arguments.
    """
    options = read_options(kind)
    _require_known(words, options, verb)
    _require_usable(words, options)
    default = tyro.MISSING_NONPROP if defaults is None else defaults(words)
    printed = io.StringIO()
    try:
        with redirect_stderr(printed), _on_refusal(lambda event: _refuse(event, words, options, verb)):
            return tyro.cli(kind, prog=f"selfdepth {verb}", args=_with_values(words, options), default=default)
    except SystemExit as stop:
        if stop.code != 2:
            raise
        raise ConfigError("the command cannot be read", where=_unboxed(printed.getvalue()), fix=_see(verb)) from None


def without_help(words: Sequence[str]) -> list[str] | None:
    """The words without -h and --help; None if neither is among them."""
    rest = [word for word in _before_end_of_options(words) if word not in ("-h", "--help")]
    return None if len(rest) == len(_before_end_of_options(words)) else rest


def values_of(words: Sequence[str], options: Sequence[Option]) -> Iterator[tuple[Option | None, str]]:
    """The words that are values, each with its option, or with None for a positional argument. Nothing is checked.

    A preset among the words determines the defaults, so it must be found before the words can be parsed.
    """
    by_name = {name: option for option in options for name in option.names}
    option, n_left = None, 0.0  # the option whose values follow, and how many of them
    for position, word in enumerate(words):
        if word == "--":
            yield from ((None, each) for each in words[position + 1 :])
            return
        if _is_option(word):
            name, equals, value = word.partition("=")
            option = by_name.get(name.replace("_", "-"))
            if equals and option is not None:
                yield option, value
            takes_none = equals or (option is not None and option.is_switch)
            n_left = 0 if takes_none else math.inf if option is not None and option.many else 1
        elif n_left:
            n_left -= 1
            if option is not None:
                yield option, word
        else:
            yield None, word


def closest(word: str, candidates: Iterable[str] | Mapping[str, str]) -> str | None:
    """A suggestion for a mistyped word, "did you mean ..."; None if no candidate is close to it.

    Args:
        candidates: valid words, or valid words with the text to suggest for each.
    """
    suggestions = candidates if isinstance(candidates, Mapping) else {each: each for each in candidates}
    close = difflib.get_close_matches(word, suggestions, n=1)
    return f"did you mean {suggestions[close[0]]}" if close else None


def _require_known(words: Sequence[str], options: Sequence[Option], verb: str) -> None:
    """Refuse options that do not exist, and values of switches.

    This comes first: the word after a mistyped option would be taken for a positional argument, and the error would be
    about that.
    """
    by_name = {name: option for option in options for name in option.names}
    # Without their group too, so that --automask suggests --loss.automask.
    suggestions = {f"--{name.removeprefix('--').split('.')[-1]}": name for name in by_name}
    suggestions |= {name: name for name in by_name}
    for word in _before_end_of_options(words):
        name, equals, value = word.partition("=")
        if not _is_option(word):
            continue
        option = by_name.get(name.replace("_", "-"))
        if option is None:
            suggestion = closest(name.replace("_", "-"), suggestions)
            raise ConfigError("no such option", where=name, fix="; ".join(filter(None, (suggestion, _see(verb)))))
        if option.is_switch and equals:
            names = listed(option.names)
            raise ConfigError("the option takes no value", where=name, expected=names, got=value, fix=_see(verb))


def _require_usable(words: Sequence[str], options: Sequence[Option]) -> None:
    """Refuse what is of the right kind but of no use: text that cannot be a name, numbers beyond all counts.

    Most text names files. Verbs need not ask again.

    Raises:
        ConfigError: naming the option.
    """
    for option, word in values_of(words, options):
        if option is not None and option.kind is int:
            require_number(word, option.name)
        if option is None or (option.kind is str and word):
            where = next((each.name for each in options if each.positional), "") if option is None else option.name
            path_of(word, where)


def _with_values(words: Sequence[str], options: Sequence[Option]) -> list[str]:
    """The words in tyro's spelling: for tyro, a switch that may also be None is an option with a value."""
    spelled: dict[str, str] = {}
    for option in options:
        if option.is_switch and option.optional:
            spelled |= {option.name: f"{option.name}=True", option.off: f"{option.name}=False"}
    n_options = len(_before_end_of_options(words))
    return [*(spelled.get(word.replace("_", "-"), word) for word in words[:n_options]), *words[n_options:]]


def _before_end_of_options(words: Sequence[str]) -> Sequence[str]:
    return words[: words.index("--")] if "--" in words else words


def _is_option(word: str) -> bool:
    with suppress(ValueError):
        float(word)  # -1 is a number, and so are -inf and -nan
        return False
    return re.match(r"--?[A-Za-z]", word) is not None


def _on_refusal(refuse: Callable[[Any], None]) -> AbstractContextManager[None]:
    """A context in which tyro calls `refuse` with each error before it prints it.

    The hook is private, so another version of tyro may not have it; without it, `_unboxed` makes the sentence.
    """
    try:
        from tyro import _errors

        return _errors.on_parse_error(refuse)
    except (ImportError, AttributeError):
        return nullcontext()


def _refuse(event: Any, words: Sequence[str], options: Sequence[Option], verb: str) -> None:
    """Raise our error for an error of tyro's; return if it is of an unknown class."""
    try:
        refusal = _REFUSALS[type(event).__name__](event, words, options)
    except (AttributeError, LookupError, StopIteration, TypeError, ValueError):
        return
    fix = "; ".join(filter(None, (refusal.fix, _see(verb))))
    raise ConfigError(refusal.what, where=refusal.where, expected=refusal.expected, got=refusal.got, fix=fix)


def _missing(event: Any, words: Sequence[str], options: Sequence[Option]) -> ConfigError:
    missing = [_option(each.arg, options) for each in event.missing_arguments]
    what = f"{' and '.join(option.name for option in missing)} {'is' if len(missing) == 1 else 'are'} missing"
    if len(missing) > 1:
        return ConfigError(what, expected=" ".join(map(_shown, missing)))
    return ConfigError(what, expected=f"{_shown(missing[0])}: {re.split('[.;] ', missing[0].help)[0].rstrip('.')}")


def _too_few(event: Any, words: Sequence[str], options: Sequence[Option]) -> ConfigError:
    option = _option(event.argument, options)
    return ConfigError("the option needs a value", where=option.name, expected=option.expected)


def _no_choice(event: Any, words: Sequence[str], options: Sequence[Option]) -> ConfigError:
    option, value = _option(event.argument, options), event.value
    return ConfigError(
        "no such choice", where=option.name, expected=option.expected, got=value, fix=closest(value, option.choices)
    )


def _wrong_kind(event: Any, words: Sequence[str], options: Sequence[Option]) -> ConfigError:
    option = _option(event.argument, options)
    values = " ".join(value for each, value in values_of(words, options) if each is option)
    what = "no such choice" if option.choices else "the value cannot be read"
    return ConfigError(what, where=option.name, expected=option.expected, got=values)


def _left_over(event: Any, words: Sequence[str], options: Sequence[Option]) -> ConfigError:
    first = event.tokens[0]
    before = words[words.index(first) - 1] if words.index(first) else ""
    switch = next((option for option in options if option.is_switch and before in option.names), None)
    if switch is not None:
        return ConfigError("the option takes no value", where=before, expected=listed(switch.names), got=first)
    taken = " ".join(option.name for option in options if option.positional)
    what = "one word too many" if len(event.tokens) == 1 else f"{len(event.tokens)} words too many"
    return ConfigError(what, where=" ".join(event.tokens), expected=f"{taken} and options" if taken else "options only")


_REFUSALS: dict[str, Callable[[Any, Sequence[str], Sequence[Option]], ConfigError]] = {
    "MissingArgs": _missing,
    "BadValue": _too_few,
    "InvalidChoice": _no_choice,
    "InstantiationFailure": _wrong_kind,
    "UnrecognizedArgs": _left_over,
}
"""Our error for each class of tyro's errors, by the name of the class."""


def _option(argument: Any, options: Sequence[Option]) -> Option:
    """The option of an argument of tyro's."""
    name = argument.display_name()
    return next(option for option in options if name in (option.name, option.field) or name in option.names)


def _shown(option: Option) -> str:
    return option.name if option.positional else f"{option.name} {option.metavar}".rstrip()


def _see(verb: str) -> str:
    return f"see selfdepth {verb} --help"


def _unboxed(text: str) -> str:
    """Text in boxes as one line, without the help at its end."""
    plain = re.sub(r"\x1b\[[0-9;]*m|[\u2500-\u257f]", " ", text)
    return " ".join(re.split("Argument helptext|For full helptext", plain)[0].split())
