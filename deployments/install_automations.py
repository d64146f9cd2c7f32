"""Install the automations of `automations.yaml` on the server at PREFECT_API_URL; again is an update."""

import sys
from pathlib import Path

import yaml
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore

FILE = Path(__file__).with_name("automations.yaml")


def install(file: Path = FILE) -> list[str]:
    """Create or update each automation by its name; returns the names."""
    wanted = yaml.safe_load(file.read_text(encoding="utf-8"))["automations"]
    with get_client(sync_client=True) as client:
        for entry in wanted:
            automation = AutomationCore.model_validate(entry)
            found = client.read_automations_by_name(automation.name)
            if found:
                client.update_automation(found[0].id, automation)
            else:
                client.create_automation(automation)
    return [entry["name"] for entry in wanted]


if __name__ == "__main__":
    for name in install(*map(Path, sys.argv[1:2])):
        sys.stdout.write(f"Installed the automation {name}\n")
