"""The flows' parameters: their defaults, and the checks that are made before a run begins.

Secrets are looked for before anything else: a run that lacks one ends at once and touched nothing.

They are checked as a flow's parameters are: once it runs, Prefect's heartbeat holds its end for a second.
"""

from typing import Annotated

from pydantic import AfterValidator

from tasks.clone_docs.git.access import check_source_secret
from tasks.clone_docs.settings import SourceSettings
from tasks.settings import Settings
from tasks.store.credentials import check_store_keys

DEFAULTS = Settings()
CheckedSource = Annotated[SourceSettings, AfterValidator(check_source_secret)]
CheckedStore = Annotated[str, AfterValidator(check_store_keys)]
"""A flow's parameters whose secrets are there."""
