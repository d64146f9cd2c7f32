"""Which passages answer which queries, as a stage of its own."""

from dataclasses import asdict

from tasks.pair_documents.mining import mine
from tasks.pair_documents.settings import PairSettings
from tasks.records import Corpus, Pairs
from tasks.stage.stage import stage
from tasks.stage.target import Target


@stage(Pairs, version=1, parents=(Corpus,), recipe=PairSettings.keyed, bar="pairs")
def pair_documents(target: Target, corpus: Corpus, settings: PairSettings) -> Pairs:
    """Mine pairs of query and passage from the documents, without leaks over the held-out split."""
    documents = target.fetch(corpus) / Corpus.FILE
    with target.building() as folder:
        return target.commit(folder, Pairs, asdict(mine(documents, folder, settings)), of=[corpus])
