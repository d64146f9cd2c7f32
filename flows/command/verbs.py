"""What each verb of the command does.

Prefect, torch, transformers and the settings are imported only by the verbs that need them, so that help and
a search are there at once.
"""

import argparse
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from flows.command.bars import bars
from flows.command.places import places
from flows.command.starting import on_prefect, say
from tasks.errors import NetworkError, StoreError, UserError

if TYPE_CHECKING:
    from tasks.settings import Settings


def run(arguments: argparse.Namespace) -> None:
    """`docs-mlm run`."""
    from flows.command.layers import read_settings

    settings = read_settings(arguments)
    find_mistakes(settings)
    with on_prefect(arguments):
        from flows.adapt import adapt

        summary = adapt(**settings.as_parameters())
    from flows.command.result import show_summary

    show_summary(summary, as_json=arguments.json)


def find_mistakes(settings: "Settings") -> None:
    """Raise a user's mistake at once: to load Prefect and start its server takes many times as long.

    The run looks for all of it again, and waits for a network that does not answer here.

    Raises:
        UserError: source, model, store or secrets are not as the settings say.
    """
    if settings.source.credentials_block is not None:
        return  # it is asked of Prefect
    from tasks.clone_docs.git.access import check_source_secret
    from tasks.run.plan import make_plan
    from tasks.store.credentials import check_store_keys

    say("Looking at source, model and store ...")
    with suppress(NetworkError):
        check_source_secret(settings.source)
        check_store_keys(settings.store)
        make_plan(settings)


def plan(arguments: argparse.Namespace) -> None:
    """`docs-mlm plan`."""
    from flows.command.layers import read_settings

    settings = read_settings(arguments)
    from flows.command.display import show_plan
    from tasks.run.plan import make_plan

    show_plan(make_plan(settings), as_json=arguments.json)


def preview(arguments: argparse.Namespace) -> None:
    """`docs-mlm preview`."""
    from flows.command.layers import read_preview

    settings = read_preview(arguments)
    from flows.command.previewing import show_preview
    from tasks.run.preview import make_preview

    found = make_preview(settings.source, settings.filter, settings.work_dir, arguments.documents)
    show_preview(found, as_json=arguments.json)


def several(arguments: argparse.Namespace) -> None:
    """`docs-mlm several`.

    Raises:
        SourcesFailed: some of the sources did, after the others were done.
    """
    from flows.command.layers import read_several

    settings, sources = read_several(arguments)
    with on_prefect(arguments):
        from flows.adapt_many import adapt_many
        from flows.command.display import show_outcomes
        from tasks.run.each import SourcesFailed

        try:
            outcomes = adapt_many(sources=sources, **settings.as_parameters())
        except SourcesFailed as failure:
            show_outcomes(failure.outcomes, settings, as_json=arguments.json)
            raise
    show_outcomes(outcomes, settings, as_json=arguments.json)


def demo(arguments: argparse.Namespace) -> None:
    """`docs-mlm demo`."""
    from flows.command.layers import base_settings

    settings = base_settings(arguments.store)
    with on_prefect(arguments):
        from flows.demo import demo as run_demo

        summary = run_demo(store=settings.store, work_dir=settings.work_dir, max_steps=arguments.max_steps)
    from flows.command.result import show_summary

    show_summary(summary, as_json=arguments.json)


def predict(arguments: argparse.Namespace) -> None:
    """`docs-mlm predict`."""
    from flows.command.layers import base_settings

    settings = base_settings(arguments.store)
    from flows.command.display import show_follows, show_predictions
    from tasks.models.published import local_model
    from tasks.store.folders import Store

    store = Store(settings.store)
    store.check(write=False)
    folder = local_model(store, arguments.model, settings.work_dir.expanduser())
    say("Loading torch and transformers ...")
    from tasks.models.predicting import fill_masks, follows

    if arguments.next is not None:
        show_follows(arguments.next, follows(folder, arguments.text, arguments.next), as_json=arguments.json)
        return
    masks = fill_masks(folder, arguments.text, arguments.top_k)
    show_predictions(arguments.text, masks, as_json=arguments.json)


def search(arguments: argparse.Namespace) -> None:
    """`docs-mlm search`.

    Raises:
        UserError: nothing is asked for, or there is nothing to search in.
    """
    store_url, work_dir = places(arguments.store)
    # A query is one row: numpy's threads would take longer to wait for each other than to compute it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if not arguments.query.strip():
        raise UserError('the query is empty: say what is to be found, as in "how do I rotate a key"')
    from tasks.index_documents.searching import searchable
    from tasks.models.published import chosen_model
    from tasks.store.folders import Store

    store = Store(store_url)
    store.check(write=False)
    store, model = chosen_model(store, arguments.model)
    with bars():
        asked = searchable(store, model, work_dir, say)
    mode = asked.mode(arguments.mode)
    found = asked.search(arguments.query, arguments.top_k, mode)
    from flows.command.searching import show_found, show_json

    if arguments.json:
        show_json(found)
    else:
        show_found(asked, arguments.query, found, mode, arguments.mode)


def models(arguments: argparse.Namespace) -> None:
    """`docs-mlm models`."""
    from flows.command.layers import base_settings

    settings = base_settings(arguments.store)
    from flows.command.display import show_versions
    from tasks.models.published import list_versions
    from tasks.store.folders import Store

    store = Store(settings.store)
    store.check(write=False)
    show_versions(list_versions(store), store.url, as_json=arguments.json)


def verify(arguments: argparse.Namespace) -> None:
    """`docs-mlm verify`.

    Raises:
        StoreError: something is damaged.
    """
    from flows.command.layers import base_settings

    settings = base_settings(arguments.store)
    from flows.command.display import show_reports
    from tasks.models import newest
    from tasks.store import care
    from tasks.store.folders import Store

    store = Store(settings.store)
    store.check(write=False)
    uris = [arguments.uri.rstrip("/")] if arguments.uri is not None else newest.to_verify(store)
    if not uris:
        raise UserError(f"no model is published in {store.url} yet: give the URI of what to verify")
    reports = [report for uri in uris for report in care.verify(store, uri)]
    show_reports(reports, store.url, as_json=arguments.json)
    if reports[0].state == "missing":
        raise UserError(f"nothing is stored at {uris[0]}: `docs-mlm models` lists what is published")
    if damaged := [report.uri for report in reports if report.state == "damaged"]:
        raise StoreError(f"damaged: {', '.join(damaged)}; delete each of them and run again")


def sweep(arguments: argparse.Namespace) -> None:
    """`docs-mlm sweep`."""
    from flows.command.layers import base_settings

    settings = base_settings(arguments.store)
    from flows.command.display import may_delete, show_leftovers
    from tasks.store import care
    from tasks.store.folders import Store

    if not 0 <= arguments.older_than < float("inf"):
        raise UserError(f"--older-than is {arguments.older_than}: give 0 hours or more")
    store, older_than = Store(settings.store), arguments.older_than * 3600
    store.check(write=False)
    # Whoever sits at the terminal is asked; a script is not, and what it is asked for goes without `--yes`.
    asks = sys.stdin.isatty() and not (arguments.yes or arguments.dry_run)
    found = care.sweep(store, older_than=older_than, remove=not (asks or arguments.dry_run))
    removed = not (asks or arguments.dry_run)
    if asks and found:
        removed = may_delete(found, store.url, as_json=arguments.json)
        if not removed and not arguments.json:
            return
        if removed:
            found = care.sweep(store, older_than=older_than, only={left.uri for left in found})
    show_leftovers(found, store.url, removed=removed, as_json=arguments.json)


def completion(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """`docs-mlm completion`."""
    import shtab

    sys.stdout.write(shtab.complete(parser, shell=arguments.shell) + "\n")
