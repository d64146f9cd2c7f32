"""Everything a user chooses for one run, composed of the stages' own settings."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tasks.clone_docs.settings import SourceSettings
from tasks.embed_model.settings import EmbedSettings
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.filter_markdown.settings import FilterSettings
from tasks.models.settings import ModelSettings
from tasks.pair_documents.settings import PairSettings
from tasks.publish_model.settings import PublishSettings
from tasks.stage.keys import MostUsed, StageSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.train_model.settings import TrainSettings


class Settings(StageSettings):
    """Everything a user chooses for one run."""

    source: SourceSettings = Field(SourceSettings(), title="Source")
    filter: FilterSettings = Field(FilterSettings(), title="Filter")
    pairs: PairSettings = Field(PairSettings(), title="Pairs")
    tokenize: TokenizeSettings = Field(TokenizeSettings(), title="Tokenize")
    model: ModelSettings = Field(ModelSettings(), title="Model")
    train: TrainSettings = Field(TrainSettings(), title="Train")
    embed: EmbedSettings = Field(EmbedSettings(), title="Embed")
    evaluate: EvaluateSettings = Field(EvaluateSettings(), title="Evaluate")
    publish: PublishSettings = Field(PublishSettings(), title="Publish")
    store: Annotated[str, MostUsed] = Field(
        "~/.docs-mlm/store",
        min_length=1,
        title="Store",
        description="Where every result is kept: a folder, file:///… or s3://bucket/prefix. "
        "S3 keys and endpoint come from the environment (AWS_*).",
    )
    work_dir: Path = Field(
        Path("~/.cache/docs-mlm"),
        title="Work folder",
        description="Scratch space on this machine; may be deleted between runs.",
    )

    @model_validator(mode="after")
    def _evaluates(self) -> Self:
        names = ("eval_steps", "early_stopping_patience", "load_best_model_at_end")
        if self.filter.eval_fraction == 0 and (
            asked := [name for name in names if getattr(self.train, name)]
        ):
            raise ValueError(
                f"filter.eval_fraction is 0, so that nothing is held out to evaluate, but train has "
                f"{' and '.join(f'{name} {getattr(self.train, name)}' for name in asked)}: set "
                "filter.eval_fraction above 0, such as 0.1, or leave these out"
            )
        return self

    def chosen(self) -> dict[str, dict[str, Any]]:
        """The settings of those stages that make the model what it is, for its card."""
        names = ("filter", "tokenize", "train", *(("pairs", "embed") if self.embed.enabled else ()))
        return {name: getattr(self, name).keyed() for name in names}

    def as_parameters(self) -> dict[str, Any]:
        """The settings as the flow takes them: one argument a stage."""
        return {name: getattr(self, name) for name in type(self).model_fields}
