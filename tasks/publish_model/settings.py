"""How the finished model is presented: the choices."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from tasks.stage.keys import NotInKey, StageSettings


class PublishSettings(StageSettings):
    """How the finished model is presented."""

    model_name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        title="Model name",
        description="Name on the model card; made from the repository's name if empty.",
    )
    export_texts: Annotated[Path | None, NotInKey] = Field(
        None,
        title="Export texts to",
        description="Also write the kept texts to this file as one JSON list of strings. "
        "It replaces a file that docs-mlm exported, and no other.",
    )
