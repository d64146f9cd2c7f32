"""What can be typed: the table of the verbs, and for a mistake one line instead of a page of usage."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.command import verbs
from flows.command.flags import ALL, Parser, Version, WholeHelp

if TYPE_CHECKING:  # which takes longer to load than most verbs take
    from flows.command.layers import Layers

SHELLS = ("bash", "zsh")
MODES = ("auto", "bm25", "dense", "hybrid")
"""Ways to search; `auto` is the one that the probe found best."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that the command does."""

    name: str
    summary: str
    arguments: Callable[[Parser], None]
    """Adds what can be typed behind the verb."""
    run: Callable[[argparse.Namespace], None]
    usage: str | None = None
    """Instead of a list of a hundred flags."""


def settings_arguments(parser: Parser, layers: "type[Layers] | None" = None) -> None:
    """A settings file, and a flag for each setting."""
    from flows.command.layers import LayeredSettings, add_flags
    from flows.presets import preset_names

    presets = ", ".join(preset_names())
    parser.add_argument(
        "settings_file", nargs="?", metavar="SETTINGS", help=f"YAML file, or a preset: {presets}"
    )
    json_argument(parser)
    parser.add_argument(ALL, action=WholeHelp, nargs=0, help="show every setting with what it does")
    add_flags(parser, layers or LayeredSettings)


def several_arguments(parser: Parser) -> None:
    """The sources, and what `run` takes: `--source.*` then is what all sources have in common."""
    from flows.command.layers import LayeredSeveral

    parser.add_argument(
        "--sources", nargs="+", action="extend", metavar="SOURCE",
        help="one or more of: a Git URL, a checkout, a folder, a JSON file, or {url: URL, ref: REF, ...}, "
        "with settings of its own; --source.SETTING goes for all; in a settings file it is a list `sources:`",
    )  # fmt: skip
    settings_arguments(parser, LayeredSeveral)


def count(text: str) -> int:
    """A whole number above 0.

    Raises:
        ArgumentTypeError: `text` is something else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def preview_arguments(parser: Parser) -> None:
    """The source, and what decides what is left of it."""
    from flows.command.layers import LayeredPreview, add_flags

    parser.add_argument(
        "source_word", nargs="?", metavar="SOURCE",
        help="a Git URL, a checkout, a folder or a JSON file; or a settings file that names one",
    )  # fmt: skip
    parser.add_argument(
        "--documents", type=count, default=10_000, metavar="N",
        help="clean at most so many, from all over the source (default 10,000)",
    )  # fmt: skip
    json_argument(parser)
    parser.add_argument(ALL, action=WholeHelp, nargs=0, help="show every setting with what it does")
    add_flags(parser, LayeredPreview)


def demo_arguments(parser: Parser) -> None:
    """Where the results go, and how long it may take."""
    json_argument(parser)
    store_argument(parser)
    parser.add_argument(
        "--max-steps",
        type=count,
        default=-1,
        metavar="N",
        help="stop training after N steps, for a quick look",
    )


def predict_arguments(parser: Parser) -> None:
    """What to ask, and which model."""
    parser.add_argument("text", help='for example "Azure [MASK] is a service."')
    parser.add_argument(
        "--next", metavar="TEXT", help="say instead how likely this text follows (needs mlm+nsp or mlm+sop)"
    )
    parser.add_argument(
        "--model",
        help="a line, for its newest version, a version, a URI or a folder instead of the newest of all",
    )
    parser.add_argument("--top-k", type=count, default=5, metavar="N", help="predictions a mask (default 5)")
    json_argument(parser)
    store_argument(parser)


def search_arguments(parser: Parser) -> None:
    """What is to be found, in which model's documents, and how."""
    parser.add_argument("query", help='for example "how do I rotate a key"')
    parser.add_argument(
        "--model", help="a line, for its newest version, a version or a URI instead of the newest of all"
    )
    parser.add_argument(
        "--mode", choices=MODES, default=MODES[0],
        help="by words (bm25), by a model's vectors (dense) or by both (default: what the probe found best)",
    )  # fmt: skip
    parser.add_argument("--top-k", type=count, default=5, metavar="N", help="hits (default 5)")
    json_argument(parser)
    store_argument(parser)


def models_arguments(parser: Parser) -> None:
    """Whose versions."""
    json_argument(parser)
    store_argument(parser)


def verify_arguments(parser: Parser) -> None:
    """What to re-hash."""
    parser.add_argument("uri", nargs="?", metavar="URI", help="a stored folder instead of the newest model")
    json_argument(parser)
    store_argument(parser)


def sweep_arguments(parser: Parser) -> None:
    """What counts as left behind."""
    parser.add_argument(
        "--older-than", type=float, default=24.0, metavar="HOURS",
        help="leave what was written to in the last hours alone (default 24)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only show what would be deleted")
    parser.add_argument(
        "--yes", action="store_true", help="delete without asking, as where nobody can be asked"
    )
    json_argument(parser)
    store_argument(parser)


def completion_arguments(parser: Parser) -> None:
    """Which shell's."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads it")


def json_argument(parser: Parser) -> None:
    """Let the answer be one for programs."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def debug_argument(parser: Parser) -> None:
    """Let an error be shown with all that led to it; can stand before the verb and behind it."""
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the whole of an error"
    )


def store_argument(parser: Parser) -> None:
    """Let the store be another than the environment's."""
    parser.add_argument("--store", help="the store (default: DOCS_MLM_STORE, or ~/.docs-mlm/store)")


_FLAGS = "[SETTINGS] [--json] [--store URL] [--STAGE.SETTING VALUE ...]"
VERBS = (
    Verb(
        "run",
        "Adapt a model: clone, filter, tokenize, train, publish; reuses whatever the store has.",
        settings_arguments,
        verbs.run,
        usage=f"docs-mlm run {_FLAGS}",
    ),
    Verb(
        "plan",
        "Show which stages a run would reuse or run, and why. Touches nothing.",
        settings_arguments,
        verbs.plan,
        usage=f"docs-mlm plan {_FLAGS}",
    ),
    Verb(
        "preview",
        "Show what a model would learn from: documents before and after cleaning. Keeps nothing.",
        preview_arguments,
        verbs.preview,
        usage="docs-mlm preview [SOURCE] [--json] [--source.SETTING VALUE] [--filter.SETTING VALUE] ...",
    ),
    Verb(
        "several",
        "Adapt a model to each of several sources, or one to all; one that fails does not stop the others.",
        several_arguments,
        verbs.several,
        usage="docs-mlm several [SETTINGS] --sources SOURCE ... [--corpus each|joint] [--at-once N] "
        "[--json]\n                        [--store URL] [--STAGE.SETTING VALUE ...]",
    ),
    Verb(
        "demo",
        "Run the whole way on the installed packages' own documentation, without a network.",
        demo_arguments,
        verbs.demo,
    ),
    Verb(
        "predict",
        "Fill the [MASK]s of a text with the newest published model, or say what follows it.",
        predict_arguments,
        verbs.predict,
    ),
    Verb(
        "search",
        "Search a model's documents, by words, by meaning or by both.",
        search_arguments,
        verbs.search,
    ),
    Verb(
        "models", "List the published versions, by lines, with their figures.", models_arguments, verbs.models
    ),
    Verb(
        "verify",
        "Re-hash every stored file of a result and of all that it was made of.",
        verify_arguments,
        verbs.verify,
    ),
    Verb(
        "sweep",
        "Delete what crashed runs left in the store; never what a run may be writing.",
        sweep_arguments,
        verbs.sweep,
    ),
    Verb(
        "completion",
        'Print what lets a shell complete commands and flags: eval "$(docs-mlm completion bash)"',
        completion_arguments,
        lambda parsed: verbs.completion(parsed, whole_parser()),
    ),
)
"""All that the command does, in the order of its help."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """The arguments behind the verb, and as `run` what the verb does; ends with code 2 at a mistake."""
    parser = make_parser(lambda verb: verb.name in arguments)
    if not arguments:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        parsed.refuse(unknown)
    return parsed


def whole_parser() -> Parser:
    """The parser of all that can be typed."""
    return make_parser(lambda _verb: True)


def make_parser(wanted: Callable[[Verb], bool]) -> Parser:
    """A parser of every verb, and of what can be typed behind those that are `wanted`."""
    parser = Parser(
        prog="docs-mlm", description="Adapt a BERT model to the language of a documentation repository."
    )
    parser.set_defaults(debug=False)
    debug_argument(parser)
    parser.add_argument("--version", action=Version, nargs=0, help="show the version of docs-mlm")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb in VERBS:
        own = commands.add_parser(
            verb.name, help=verb.summary, description=verb.summary, usage=verb.usage, allow_abbrev=False
        )
        own.set_defaults(run=verb.run, refuse=own.refuse)
        debug_argument(own)
        if wanted(verb):  # the flags of all settings take a tenth of a second to make
            verb.arguments(own)
    return parser
