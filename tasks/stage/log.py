"""Where a stage says what it does: the run's log, which the Prefect UI shows, or a plain one."""

import logging
import sys

from tasks.errors import DocsMlmError, scrubbed


def stage_logger() -> logging.Logger | logging.LoggerAdapter[logging.Logger]:
    """The run's logger inside a run; a plain one outside."""
    # A process that has not imported Prefect runs no flow, and need not wait seconds for it.
    if "prefect" in sys.modules:
        from prefect import get_run_logger
        from prefect.exceptions import MissingContextError

        try:
            return get_run_logger()
        except MissingContextError:
            pass
    return logging.getLogger("docs_mlm")


def _without_traceback(record: logging.LogRecord) -> bool:
    """Drop Prefect's traceback of an error whose message says it all; its state's message remains."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, DocsMlmError)


def _without_retries(record: logging.LogRecord) -> bool:
    """Drop Prefect's word on a further try: `retrying.py` says it in plain ones."""
    return not str(record.msg).startswith("Task run failed with %s: %r - Retry")


def _without_secrets(record: logging.LogRecord) -> bool:
    """Let a line into the log without the passwords of URLs in it."""
    line = record.getMessage()
    if (shown := scrubbed(line)) != line:
        record.msg, record.args = shown, ()
    return True


for _name in ("prefect.task_runs", "prefect.flow_runs"):
    logging.getLogger(_name).addFilter(_without_traceback)
    logging.getLogger(_name).addFilter(_without_retries)
for _name in ("prefect.task_runs", "prefect.flow_runs", "docs_mlm"):
    logging.getLogger(_name).addFilter(_without_secrets)
