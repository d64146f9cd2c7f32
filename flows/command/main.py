"""The command `docs-mlm`: run, plan, demo, predict, models, verify, sweep.

Flags, YAML and environment all come from the one definition in `tasks.settings`. Prefect, torch and
transformers are imported only by the subcommands that need them, so that help is there at once.
"""

import argparse
import difflib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from flows.command.stopping import exit_code_of, start_own_server, stoppable
from flows.presets import describe, preset_names, read_settings_file
from tasks.errors import DocsMlmError, StoreError, UserError, scrubbed
from tasks.settings import Settings

QUIET = {
    # Prefect: no telemetry, and time for its temporary server to start on a busy machine.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    # The warnings of these libraries belong into the run's log.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "transformers,datasets",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "true",
}
USAGE = "docs-mlm run|plan [SETTINGS] [--json] [--store URL] [--STAGE.SETTING VALUE ...]"


class LayeredSettings(Settings, BaseSettings):
    """Settings from flags over YAML over environment over defaults."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="DOCS_MLM_",
        env_nested_delimiter="__",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_implicit_flags=True,
        cli_parse_none_str="null",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of the layers; the YAML file comes in as `init_settings`, flags are put before it."""
        return init_settings, env_settings


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and name the nearest flag, instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        sys.stderr.write(f"error: {scrubbed(message)}\nSee `{self.prog} --help`.\n")
        raise SystemExit(2)

    def refuse(self, unknown: list[str]) -> NoReturn:
        """End with the first argument that nothing takes, and the flag that it may have meant."""
        flag = unknown[0].split("=")[0]
        near = difflib.get_close_matches(flag, self._option_string_actions, n=1)
        self.error(f"there is no {flag}" + (f": did you mean {near[0]}?" if near else ""))


def build_parser() -> tuple[Parser, dict[str, Parser], dict[str, CliSettingsSource[Any]]]:
    """The parser, and by subcommand its parser and the source that turns parsed flags into settings."""
    parser = Parser(
        prog="docs-mlm", description="Adapt a BERT model to the language of a documentation repository."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    presets = ", ".join(preset_names())
    sources: dict[str, CliSettingsSource[Any]] = {}

    subparsers: dict[str, Parser] = {}

    def add(name: str, summary: str, usage: str | None = None) -> Parser:
        subparsers[name] = commands.add_parser(
            name, help=summary, description=summary, usage=usage, allow_abbrev=False
        )
        return subparsers[name]

    add(
        "run", "Adapt a model: clone, filter, tokenize, train, publish; reuses whatever the store has.", USAGE
    )
    add("plan", "Show which stages a run would reuse or run, and why. Touches nothing.", USAGE)
    for name, sub in list(subparsers.items()):
        sub.add_argument(
            "settings_file", nargs="?", metavar="SETTINGS", help=f"YAML file, or a preset: {presets}"
        )
        sub.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        sources[name] = CliSettingsSource(LayeredSettings, root_parser=sub)
    demo = add("demo", "Run the whole way on the installed packages' own documentation, without a network.")
    demo.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    predict = add(
        "predict", "Fill the [MASK]s of a text with the newest published model, or say what follows it."
    )
    predict.add_argument("text", help='for example "Azure [MASK] is a service."')
    predict.add_argument(
        "--next", metavar="TEXT", help="say instead how likely this text follows (needs mlm+nsp or mlm+sop)"
    )
    predict.add_argument("--model", help="a version, a URI or a folder instead of the newest version")
    predict.add_argument("--top-k", type=int, default=5, metavar="N", help="predictions a mask (default 5)")
    models = add("models", "List the published versions with their figures.")
    models.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    verify = add("verify", "Re-hash every stored file of a result and of all that it was made of.")
    verify.add_argument("uri", nargs="?", metavar="URI", help="a stored folder instead of the newest model")
    sweep = add("sweep", "Delete what crashed runs left in the store; never what a run may be writing.")
    sweep.add_argument(
        "--older-than", type=float, default=24.0, metavar="HOURS",
        help="leave what was written to in the last hours alone (default 24)",
    )  # fmt: skip
    sweep.add_argument("--dry-run", action="store_true", help="only show what would be deleted")
    for sub in (verify, sweep):
        sub.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    for sub in (demo, predict, models, verify, sweep):
        sub.add_argument("--store", help="the store (default: DOCS_MLM_STORE, or ~/.docs-mlm/store)")
    return parser, subparsers, sources


def read_settings(arguments: argparse.Namespace, source: CliSettingsSource[Any]) -> Settings:
    """The settings of one call: flags over YAML over environment over defaults.

    Raises:
        UserError: a setting is unknown, of the wrong type or out of bounds.
    """
    own = {"command", "settings_file", "json"}
    flags = source(parsed_args={k: v for k, v in vars(arguments).items() if k not in own})()
    layer = read_settings_file(arguments.settings_file) if arguments.settings_file else {}
    return layered_settings(_merged(layer, flags))


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(under[key], over[key]) for key in under.keys() & over.keys()
            if isinstance(under[key], dict) and isinstance(over[key], dict)}  # fmt: skip
    return under | over | both


def layered_settings(given: dict[str, Any]) -> Settings:
    """What was given, over the environment, over the defaults.

    Raises:
        UserError: a setting is unknown, of the wrong type or out of bounds.
    """
    layers: Any = LayeredSettings  # its own constructor's arguments hide the settings from mypy
    try:
        return Settings.model_validate(layers(**given).as_parameters())
    except ValidationError as error:
        raise UserError(describe(error)) from error


def base_settings(store: str | None) -> Settings:
    """Store and work folder for the subcommands that need no other settings."""
    return layered_settings({"store": store} if store else {})


def run_command(arguments: argparse.Namespace, source: CliSettingsSource[Any]) -> None:
    """`docs-mlm run`."""
    settings = read_settings(arguments, source)
    from flows.adapt import adapt
    from flows.command.display import show_summary

    start_own_server()
    show_summary(adapt(**settings.as_parameters()), as_json=arguments.json)


def plan_command(arguments: argparse.Namespace, source: CliSettingsSource[Any]) -> None:
    """`docs-mlm plan`."""
    settings = read_settings(arguments, source)
    from flows.command.display import show_plan
    from tasks.run.plan import make_plan

    show_plan(make_plan(settings), as_json=arguments.json)


def demo_command(arguments: argparse.Namespace) -> None:
    """`docs-mlm demo`."""
    settings = base_settings(arguments.store)
    from flows.command.display import show_summary
    from flows.demo import demo

    start_own_server()
    show_summary(demo(store=settings.store, work_dir=settings.work_dir), as_json=arguments.json)


def predict_command(arguments: argparse.Namespace) -> None:
    """`docs-mlm predict`."""
    settings = base_settings(arguments.store)
    from flows.command.display import show_follows, show_predictions
    from tasks.models.predicting import fill_masks, follows
    from tasks.models.published import local_model
    from tasks.store.folders import Store

    if arguments.top_k < 1:
        raise UserError(f"--top-k is {arguments.top_k}: give 1 or more")
    folder = local_model(Store(settings.store), arguments.model, settings.work_dir.expanduser())
    if arguments.next is not None:
        show_follows(arguments.next, follows(folder, arguments.text, arguments.next))
        return
    show_predictions(arguments.text, fill_masks(folder, arguments.text, arguments.top_k))


def models_command(arguments: argparse.Namespace) -> None:
    """`docs-mlm models`."""
    settings = base_settings(arguments.store)
    from flows.command.display import show_versions
    from tasks.models.published import list_versions
    from tasks.store.folders import Store

    store = Store(settings.store)
    store.check(write=False)
    show_versions(list_versions(store), store.url, as_json=arguments.json)


def verify_command(arguments: argparse.Namespace) -> None:
    """`docs-mlm verify`.

    Raises:
        StoreError: something is damaged.
    """
    settings = base_settings(arguments.store)
    from flows.command.display import show_reports
    from tasks.models.published import newest_model
    from tasks.store.care import verify
    from tasks.store.folders import Store

    store = Store(settings.store)
    store.check(write=False)
    if (uri := arguments.uri) is None:
        newest = newest_model(store)
        if newest is None:
            raise UserError(f"no model is published in {store.url} yet: give the URI of what to verify")
        uri = store.uri("models", newest.key)
    uri = uri.rstrip("/")
    reports = verify(store, uri)
    show_reports(reports, store.url, as_json=arguments.json)
    if reports[0].state == "missing":
        raise UserError(f"nothing is stored at {uri}: `docs-mlm models` lists what is published")
    if damaged := [report.uri for report in reports if report.state == "damaged"]:
        raise StoreError(f"damaged: {', '.join(damaged)}; delete each of them and run again")


def sweep_command(arguments: argparse.Namespace) -> None:
    """`docs-mlm sweep`."""
    settings = base_settings(arguments.store)
    from flows.command.display import show_leftovers
    from tasks.store.care import sweep
    from tasks.store.folders import Store

    if not 0 <= arguments.older_than < float("inf"):
        raise UserError(f"--older-than is {arguments.older_than}: give 0 hours or more")
    store = Store(settings.store)
    store.check(write=False)
    found = sweep(store, older_than=arguments.older_than * 3600, remove=not arguments.dry_run)
    show_leftovers(found, store.url, removed=not arguments.dry_run, as_json=arguments.json)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and end with its exit code.

    That is 0, 2 for a user's mistake, 3 for the network, 130 after Ctrl-C, 143 after SIGTERM, else 1.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    parser, subparsers, sources = build_parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        subparsers[parsed.command].refuse(unknown)
    commands: dict[str, Callable[[], None]] = {
        "run": lambda: run_command(parsed, sources["run"]),
        "plan": lambda: plan_command(parsed, sources["plan"]),
        "demo": lambda: demo_command(parsed),
        "predict": lambda: predict_command(parsed),
        "models": lambda: models_command(parsed),
        "verify": lambda: verify_command(parsed),
        "sweep": lambda: sweep_command(parsed),
    }
    raise SystemExit(_exit_code(commands[parsed.command]))


def _exit_code(command: Callable[[], None]) -> int:
    log, handler = logging.getLogger("docs_mlm"), logging.StreamHandler(sys.stderr)
    log.addHandler(handler)
    log.propagate = False  # Prefect's own handler would show everything once more
    try:
        with stoppable():
            command()
    except DocsMlmError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt as stop:
        sys.stderr.write("stopped; run the same command again to go on from the newest checkpoint\n")
        return exit_code_of(stop)
    finally:
        log.removeHandler(handler)
        log.propagate = True
    return 0
