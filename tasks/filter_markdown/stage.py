"""Stage 2: which documents are worth learning from, and their words."""

from dataclasses import asdict

from tasks.filter_markdown.card import corpus_card
from tasks.filter_markdown.corpus import filter_documents
from tasks.filter_markdown.settings import FilterSettings
from tasks.records import Corpus, DocsSnapshot
from tasks.stage.stage import stage
from tasks.stage.target import Target


@stage(
    Corpus, version=4, parents=(DocsSnapshot,), recipe=FilterSettings.keyed, card=corpus_card, bar="filter"
)
def filter_markdown(target: Target, snapshot: DocsSnapshot, settings: FilterSettings) -> Corpus:
    """Clean the documents, and keep those worth learning from."""
    documents = target.fetch(snapshot) / DocsSnapshot.FILE
    with target.building() as folder:
        counts = filter_documents(documents, folder, settings)
        return target.commit(folder, Corpus, asdict(counts), of=[snapshot])
