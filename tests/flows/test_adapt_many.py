"""Several repositories: one model each, and one's failure is named at the end."""

import pytest

from flows.adapt_many import adapt_many
from tasks.errors import DocsMlmError
from tasks.published import list_versions
from tasks.store import Store

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_one_failure_does_not_sink_the_others(chosen, repositories):
    """Of two sources the first does not exist: the second's model is published, and the first is named."""
    settings = chosen(train={"max_steps": 2})
    parameters = settings.as_parameters()
    good = parameters.pop("source")
    bad = good.model_copy(update={"url": repositories.url("missing.git")})
    with pytest.raises(DocsMlmError, match=r"1 of 2 sources failed:\n1\. .*missing: Failed"):
        adapt_many(sources=[bad, good], at_once=1, **parameters)
    assert len(list_versions(Store(settings.store))) == 1
