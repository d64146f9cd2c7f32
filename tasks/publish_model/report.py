"""The report that is published with a model: one page of HTML that needs no server and no network."""

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template

import pyromark

from tasks.cards import code, figures_table, text
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.pictures import Bar, intervals_picture
from tasks.records import EvaluatedModel, short_commit
from tasks.retrieval.probe import ALL, PRIMARY
from tasks.retrieval.told import KINDS, advice, probes_table, retrieval_table, samples_listed
from tasks.training.curve import loss_curve

Section = tuple[str, str]
"""A heading and its HTML; the heading is empty for what stands at the top."""
_COMPARED = (("retrieval", "base"), ("hybrid", "bm25"), ("adapted", "mlm_base"), ("adapted", "base"))
"""Systems whose differences are drawn, the first that there are."""
_TABLES = pyromark.Markdown(options=pyromark.Options.ENABLE_TABLES)


def report(lineage: Lineage, name: str) -> str:
    """The page, of what was measured and of how training went."""
    template = files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    sources = ", ".join(
        f"{found['source']} at {short_commit(found['commit_sha'])}" for found in lineage.sources()[:5]
    )
    body = "\n".join(
        f"<h2>{escape(heading)}</h2>\n{html}" if heading else html for heading, html in sections(lineage)
    )
    more = len(lineage.sources()) - 5
    told = f"{sources} and {more} more" if more > 0 else sources
    return Template(template).substitute(title=escape(name), sources=escape(told), body=body)


def sections(lineage: Lineage) -> Iterator[Section]:
    """What the page shows, in order."""
    evaluated = lineage.evaluated
    if evaluated is not None:
        yield "", f'<div class="advice">{html(advice(evaluated))}</div>'
        yield "Finding passages: nDCG@10 on held-out documents", wide(html(retrieval_table(evaluated)))
        if bars := gains(evaluated):
            what = "gain in nDCG@10, with its 95 % interval over documents"
            yield "What the adaptation gained", wide(intervals_picture(bars, what))
        if evaluated.samples:
            yield "Questions to held-out documents, before and after", html(samples_listed(evaluated))
        if other := probes_table(evaluated):
            yield "Other probes", wide(html(other))
    trained = lineage.trained
    before, after = trained.eval_before or {}, trained.eval_after or {}
    curve = loss_curve(trained.history, eval_before=before.get("loss"), eval_after=after.get("loss"))
    yield "Predicting masked words of held-out documents", wide(html(f"{figures_table(trained)}\n\n{curve}"))
    if (embedded := lineage.embedded) is not None and embedded.skipped is None:
        yield (
            "Training of the retrieval model",
            wide(
                html(
                    f"From {code(embedded.base)}: {embedded.pairs:,} pairs, {embedded.global_step:,} steps, "
                    f"{embedded.pairs_per_second:,.1f} pairs/s on {text(embedded.device)}.\n\n"
                    f"{loss_curve(embedded.history, unit='loss of ranking')}"
                )
            ),
        )


def gains(evaluated: EvaluatedModel) -> list[Bar]:
    """The differences that have an interval, by kind of query."""
    bars = []
    paired = {(pair["system"], pair["over"]): pair for pair in (evaluated.retrieval or {}).get("paired", ())}
    for names in _COMPARED:
        for kind in (*(kind for kind in KINDS if kind != ALL), ALL):
            found = paired.get(names, {}).get(kind)
            if found is not None and found["low"] is not None:
                label = f"{names[0]} over {names[1]}: {KINDS[kind]}"
                bars.append(Bar(label, found[PRIMARY], found["low"], found["high"]))
    return bars


def html(markdown: str) -> str:
    """Markdown of ours as HTML."""
    return str(_TABLES.html(markdown))


def wide(shown: str) -> str:
    """A table or a picture that may be wider than the page, and is then scrolled in its own box."""
    return f'<div class="wide">{shown}</div>'
