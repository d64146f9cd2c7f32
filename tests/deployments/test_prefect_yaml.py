"""`prefect.yaml` and `automations.yaml`, read as they are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint

from flows.presets import read_settings_file
from tests.old_server import old_server
from tests.prefect_server import ROOT

DEPLOYMENTS = {
    entry["name"]: entry
    for entry in yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
}
STAGES = ("filter", "tokenize", "model", "train", "publish")


@pytest.mark.parametrize("name", ["nightly", "on-demand", "several"])
def test_parameters_repeat_the_preset(name):
    """What a deployment runs with is the preset `full`, setting by setting."""
    parameters = DEPLOYMENTS[name]["parameters"]
    assert {stage: parameters[stage] for stage in STAGES if stage in parameters} == read_settings_file("full")


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_parameters_are_what_the_flow_takes(name):
    """Every deployment's parameters are valid, and no secret is among them."""
    flow = load_flow_from_entrypoint(DEPLOYMENTS[name]["entrypoint"])
    parameters = DEPLOYMENTS[name]["parameters"] | {"store": "/store"}
    assert flow.validate_parameters(parameters)
    assert not re.search(r"_token|password|secret|key_id|credentials", str(parameters), re.IGNORECASE)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_no_deployment_depends_on_a_folder(name):
    """Flows are named by module, and nothing is pulled."""
    assert "/" not in DEPLOYMENTS[name]["entrypoint"]
    assert ".py" not in DEPLOYMENTS[name]["entrypoint"]


def test_schedules_sleep_until_they_are_switched_on():
    """The nightly schedule has its time zone and is inactive, and so is every other."""
    schedules = [entry for one in DEPLOYMENTS.values() for entry in one.get("schedules", [])]
    assert DEPLOYMENTS["nightly"]["schedules"][0]["cron"] == "0 2 * * *"
    assert all(entry["active"] is False and entry["timezone"] for entry in schedules)


def test_every_deployment_is_described_limited_and_resumed():
    """A description for people, one run at a time, and the tag by which crashed runs are resumed."""
    automations = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())["automations"]
    tags = {entry["trigger"]["match_related"]["prefect.resource.id"] for entry in automations}
    assert tags == {"prefect.tag.resume-after-crash"}
    assert all(AutomationCore.model_validate(entry).enabled for entry in automations)
    for one in DEPLOYMENTS.values():
        assert one["description"]
        assert one["concurrency_limit"]["limit"] == 1
        assert "resume-after-crash" in one["tags"]


def test_the_form_explains_every_field():
    """Each field of the form has a description, and each setting a title; numbers have their bounds."""
    schema = load_flow_from_entrypoint("flows.adapt.adapt").parameters.model_dump()
    assert schema["required"] == ["source"]
    for name, model in schema["definitions"].items():
        assert model["description"], name
        for field, about in model["properties"].items():
            assert about["description"], f"{name}.{field}"
            assert about["title"], f"{name}.{field}"
            if about.get("type") in ("integer", "number"):
                assert {"minimum", "exclusiveMinimum"} & set(about), f"{name}.{field}"
    for name in ("store", "work_dir"):
        assert schema["properties"][name]["description"]


def test_make_has_one_command_each():
    """`make deploy` sends the whole file, and `make worker` waits for its runs."""
    makefile = Path(ROOT / "Makefile").read_text()
    assert "python deployments/deploy.py" in makefile
    assert "worker start --pool $(DOCS_MLM_POOL)" in makefile


@pytest.mark.parametrize("target", ["deploy", "automations", "worker"])
def test_an_old_server_is_named_before_anything_is_sent_to_it(target, tmp_path):
    """`make` ends with one line of ours, where Prefect's own would be 10 kB."""
    asked: list[str] = []
    with old_server("3.4.14", asked) as url:
        environment = os.environ | {"PREFECT_API_URL": url, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
        command = ["make", "--no-print-directory", "-C", str(ROOT), "-o", ".venv/.installed", target]
        done = subprocess.run(
            [*command, f"BIN={Path(sys.executable).parent}"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout, asked) == (2, "", []), done.stderr
    error, make = done.stderr.splitlines()
    assert error.startswith(f"error: the Prefect server at {url} is version 3.4.14, and docs-mlm needs ")
    assert make.endswith("Error 2")
