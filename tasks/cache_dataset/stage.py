"""Stage 3: the corpus as a Hugging Face dataset."""

from tasks.records import CachedDataset, Corpus
from tasks.stage.stage import stage
from tasks.stage.target import Target


@stage(CachedDataset, version=1, parents=(Corpus,))
def cache_dataset(target: Target, corpus: Corpus) -> CachedDataset:
    """Keep the corpus as a Hugging Face dataset."""
    # Only here, because a plan needs no `datasets`, which takes a second to import.
    from tasks.cache_dataset.dataset import build_dataset

    source = target.fetch(corpus) / Corpus.FILE
    with target.building() as folder:
        counts = build_dataset(source, folder / CachedDataset.FOLDER, fingerprint=target.key)
        told = {f"{split}_documents": count for split, count in counts.items()}
        return target.commit(folder, CachedDataset, told, of=[corpus])
