"""Install the automations of `automations.yaml` on the server at PREFECT_API_URL; again is an update.

DOCS_MLM_NOTIFY_BLOCK names the block that tells of failed runs, as `slack-webhook/team`; empty ends that, and
where it is not set, what the server has stays.
"""

import os
import sys
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound

from flows.command.starting import ask_server
from tasks.errors import DocsMlmError, UserError

FILE = Path(__file__).with_name("automations.yaml")
VARIABLE = "DOCS_MLM_NOTIFY_BLOCK"


def install(file: Path = FILE, block: str | None = None) -> list[str]:
    """Create or update each automation by its name; what was done.

    Args:
        block: what tells of failed runs, as `type/name`; empty for nothing, None for what tells already.

    Raises:
        UserError: there is no such block, or it cannot tell anything.
    """
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    wanted, notify = said["automations"], said.get("notify")
    done = []
    with get_client(sync_client=True) as client:
        if notify and block:
            wanted.append(notify["automation"] | {"actions": [telling(client, block, notify)]})
        for entry in wanted:
            automation = AutomationCore.model_validate(entry)
            if found := by_name(client, automation.name):
                client.update_automation(found[0].id, automation)
            else:
                client.create_automation(automation)
            done.append(f"Installed the automation {automation.name}")
        if notify and block == "":
            for automation in by_name(client, notify["automation"]["name"]):
                client.delete_automation(automation.id)
                done.append(f"Removed the automation {automation.name}: {VARIABLE} is empty")
    return done


def telling(client: SyncPrefectClient, block: str, notify: dict[str, Any]) -> dict[str, Any]:
    """The action by which a block tells of a run.

    Raises:
        UserError: there is no such block, or it cannot tell anything.
    """
    kind, _, name = block.partition("/")
    if not (kind and name):
        raise UserError(f"{VARIABLE} is {block!r}: give a block's type and name, such as slack-webhook/team")
    try:
        found = client.read_block_document_by_name(name, kind)
    except ObjectNotFound as error:
        raise UserError(
            f"{VARIABLE} is {block!r}, and the Prefect server has no such block: make it in the UI under "
            "Blocks, and give its type and name, such as slack-webhook/team or sendgrid-email/team"
        ) from error
    able = found.block_schema.capabilities if found.block_schema else []
    if "notify" in able:
        action = notify["notification"]
    elif kind == "webhook":
        action = notify["webhook"]
    else:
        raise UserError(
            f"{VARIABLE} is {block!r}, a block that cannot tell anything: give one for notifications, "
            "such as slack-webhook/team, or a webhook"
        )
    return action | {"block_document_id": str(found.id)}


def by_name(client: SyncPrefectClient, name: str) -> list[Automation]:
    """The automations of this name. The client's own question has fields that older servers do not know."""
    chosen = {"automations": {"name": {"any_": [name]}}}
    answer = client.request("POST", "/automations/filter", json=chosen)
    return Automation.model_validate_list(answer.json())


def main(arguments: list[str]) -> int:
    """Install, and say so; the exit code."""
    if code := ask_server():
        return code
    try:
        done = install(*map(Path, arguments[:1]), block=os.environ.get(VARIABLE))
    except DocsMlmError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write("".join(f"{line}\n" for line in done))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
