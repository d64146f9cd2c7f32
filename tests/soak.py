"""Kill runs at random moments, over and over, and see that each still ends with the same model.

    python -m tests.soak --kills 50 --seconds 900 --results tests/benchmarks/results/soak.md

One life is one store, empty at first, a folder or a bucket of a real S3 server in turn. Its run is
killed, with the whole process group, once or more in each stage; each next attempt starts on the same
machine, on the same with its work folder thrown away, or on another one (another home and work folder).
At the end of a life the weights of the model and of its retrieval model must be those of a run that nobody
disturbed, every stored file must hash to its manifest, and after a sweep nothing may be left that no manifest
names.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

from tasks.records import PublishedModel
from tasks.store.care import sweep, verify
from tasks.store.folders import Store
from tasks.store.manifest import MANIFEST
from tasks.store.marker import MARKER
from tests.git_server import GitServer, make_repository
from tests.run_process import RunProcess, start_run
from tests.s3_server import S3Server, s3_server
from tests.tiny import save_tiny_bert

ROOT = Path(__file__).parents[1]
STAGES = {
    # The task that must have finished before it begins; `loading` and `encoder` are the training of the model
    # and of the retrieval model before their first steps.
    "start": None,
    "documents": "resolve_plan",
    "corpus": "clone_docs",
    "pairs": "filter_markdown",
    "dataset": "pair_documents",
    "tokenized": "cache_dataset",
    "loading": "tokenize_corpus",
    "training": "tokenize_corpus",
    "encoder": "train_model",
    "embedding": "train_model",
    "models": "embed",
    "end": "publish_model",
}
TARGETS = (
    "start", "documents", "documents", "corpus", "pairs", "dataset", "tokenized",
    "loading", "training", "training", "training", "training",
    "encoder", "embedding", "embedding", "embedding", "embedding", "models", "end",
)  # fmt: skip
"""The kills of one life, in the order in which its stages come."""
SETTINGS = {
    "tokenize": {"max_seq_length": 48},
    "model": {
        "from_scratch": {
            "vocab_size": 300,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
        }
    },
    "train": {
        "max_steps": 60,
        "per_device_train_batch_size": 8,
        "precision": "fp32",
        "save_steps": 5,
        "logging_steps": 10,
    },
    "evaluate": {"enabled": False},
}
EMBED = {
    "enabled": True,
    "max_steps": 60,
    "batch_size": 8,
    "mini_batch_size": 4,
    "max_seq_length": 48,
    "precision": "fp32",
    "save_steps": 5,
    "logging_steps": 1,
}
EMBEDDING_STEP = re.compile(r"Step (\d+) of \d+: .* pairs/s")
WEIGHTS = ("model.safetensors", f"{PublishedModel.RETRIEVAL}/model.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One SIGKILL."""

    kind: str
    stage: str
    machine: str
    """What became of the machine afterwards: stays, wiped or another."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What a soak did and found."""

    kills: list[Kill] = field(default_factory=list)
    resumed_steps: list[int] = field(default_factory=list)
    resume_seconds: list[float] = field(default_factory=list)
    """From the start of the process to the first step after a checkpoint."""
    undisturbed_seconds: float = 0.0
    lives: Counter[str] = field(default_factory=Counter)
    swept: int = 0
    seconds: float = 0.0


def stage_of(log: str) -> str:
    """The stage that a run with this log is in."""
    finished = set(re.findall(r"Task run '(\w+)-\w+' - Finished in state", log))
    stage = [stage for stage, before in STAGES.items() if before is None or before in finished][-1]
    if stage == "training" and not re.search(r"Held-out loss before|Resuming from step", log):
        return "loading"
    return "encoder" if stage == "embedding" and not EMBEDDING_STEP.search(log) else stage


def gone_on_from(log: str) -> int:
    """The step of the checkpoint from which a training in this log went on; 0 where each began."""
    if found := re.search(r"Resuming from step (\d+) of", log):
        return int(found[1])
    first = EMBEDDING_STEP.search(log)
    return int(first[1]) - 1 if first else 0


@dataclass(kw_only=True)
class Scene:
    """What a soak plays with: a repository, a Prefect server, a reference, and where stores can be."""

    folder: Path
    api_url: str
    source_url: str
    encoder: Path
    """What the retrieval model begins from."""
    s3: S3Server
    weights: dict[str, str] = field(default_factory=dict)
    """By file the SHA-256 of the undisturbed run's weights."""
    durations: dict[str, float] = field(default_factory=dict)

    def start(self, store: str, machine: Path) -> RunProcess:
        """Start a run on a machine."""
        settings = self.folder / "settings.yaml"
        settings.write_text(json.dumps(SETTINGS | {"embed": EMBED | {"name_or_path": str(self.encoder)}}))
        arguments = [str(settings), "--source.url", self.source_url, "--store", store]
        return start_run(arguments, machine, PREFECT_API_URL=self.api_url, **self.s3.environment)

    def take_reference(self) -> float:
        """Run once without a disturbance, for the weights and the stages' durations; its seconds."""
        store = str(self.folder / "reference")
        attempt, seen = self.start(store, self.folder / "reference-machine"), {"start": time.monotonic()}
        while attempt.process.poll() is None:
            seen.setdefault(stage_of(attempt.text()), time.monotonic())
            time.sleep(0.02)
        ended = time.monotonic()
        expect(attempt.process.returncode == 0, f"the undisturbed run failed:\n{attempt.text()}")
        moments = [*seen.items(), ("", ended)]
        self.durations = {stage: max(after - at, 0.05) for (stage, at), (_, after) in pairwise(moments)}
        result = json.loads(attempt.out.read_text())
        self.weights = weights_of(Store(store), result["model"]["uri"], self.folder / "fetched-reference")
        return ended - attempt.began

    def delay(self, stage: str) -> float:
        """Some moment of a stage, in seconds after its beginning."""
        return random.uniform(0, self.durations.get(stage, 0.1))


def expect(holds: bool, message: str) -> None:
    """End the soak with `message` if what must hold does not."""
    if not holds:
        raise AssertionError(message)


def weights_of(store: Store, uri: str, into: Path) -> dict[str, str]:
    """The SHA-256 of the weights of a published model and of its retrieval model, fetched to `into`."""
    folder = store.fetch(uri, into)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in WEIGHTS}


def orphans(store: Store) -> set[str]:
    """What lies in the store and no manifest names; told without `sweep`'s own rules."""
    there = set(store.objects.entries(""))
    named = {MARKER, "models/latest.json", *fnmatch.filter(there, "models/latest-*.json")}
    for name in there:
        if name.endswith(f"/{MANIFEST}"):
            folder = name.removesuffix(f"/{MANIFEST}")
            manifest = store.manifest(store.uri(folder))
            named |= {name, *(f"{folder}/{file.name}" for file in manifest.files)} if manifest else set()
    return there - named


def live(scene: Scene, kind: str, targets: list[str], report: Report, deadline: float) -> None:
    """One store's life: from empty, through a kill at each of `targets`, to a model that is right."""
    name = f"life-{sum(report.lives.values())}"
    url = scene.s3.url(name) if kind == "s3" else str(scene.folder / name)
    machines, here = scene.folder / f"{name}-machines", 0
    waiting = list(targets)
    while True:
        attempt, resumed = scene.start(url, machines / str(here)), False
        target = waiting.pop(0) if waiting and time.monotonic() < deadline else None
        strike = None
        while attempt.process.poll() is None:
            log = attempt.text()
            if not resumed and (step := gone_on_from(log)):
                resumed = True
                report.resumed_steps.append(step)
                report.resume_seconds.append(time.monotonic() - attempt.began)
            if target and strike is None and reached(stage_of(log), target):
                strike = time.monotonic() + scene.delay(target)
            if strike is not None and time.monotonic() >= strike:
                break
            time.sleep(0.02)
        if attempt.process.poll() is not None:
            break
        stage = stage_of(attempt.text())
        attempt.kill()
        fate = random.choice(["stays", "stays", "wiped", "another"])
        report.kills.append(Kill(kind=kind, stage=stage, machine=fate))
        sys.stderr.write(f"kill {len(report.kills)}: {kind}, in {stage}; the machine: {fate}\n")
        if fate == "wiped":
            shutil.rmtree(machines / str(here) / "work", ignore_errors=True)
        elif fate == "another":
            here = (here + 1) % 3
    expect(attempt.process.returncode == 0, f"a run ended with an error:\n{attempt.text()}")
    result = json.loads(attempt.out.read_text())
    with environment_of(scene.s3):
        store = Store(url)
        uri = result["model"]["uri"]
        weights = weights_of(store, uri, scene.folder / f"fetched-{name}")
        for file, digest in weights.items():
            expect(digest == scene.weights[file], f"{name}: {file} differs from the undisturbed run's")
        states = {part.uri: part.state for part in verify(store, uri)}
        expect(len(states) == 8 and set(states.values()) == {"intact"}, f"{name}: {states}")
        report.swept += len(sweep(store, older_than=0))
        expect(not sweep(store, older_than=0), f"{name}: a second sweep still finds something")
        expect(not orphans(store), f"{name}: sweep overlooks {sorted(orphans(store))}")
        expect(all(part.state == "intact" for part in verify(store, uri)), f"{name}: sweep took too much")
    report.lives[kind] += 1
    sys.stderr.write(f"{name} ({kind}) ended with the same weights\n")


def spread(targets: tuple[str, ...], most: int) -> list[str]:
    """At most so many of the targets, in their order: few kills are spread over all stages."""
    count = min(most, len(targets))
    return [targets[number * len(targets) // count] for number in range(count)]


def reached(stage: str, target: str) -> bool:
    """Whether a run is at `target` or beyond it."""
    order = list(STAGES)
    return order.index(stage) >= order.index(target)


@contextmanager
def environment_of(server: S3Server) -> Iterator[None]:
    """Within, this process reaches the server as its runs do."""
    before = {name: os.environ.get(name) for name in server.environment}
    os.environ.update(server.environment)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def soak(
    folder: Path,
    api_url: str,
    *,
    kills: int,
    seconds: float,
    targets: tuple[str, ...] = TARGETS,
    kinds: tuple[str, ...] = ("file", "s3"),
) -> Report:
    """Kill until there were `kills`, or for `seconds`; the last life is let finish.

    Raises:
        AssertionError: something did not survive; the message says what.
    """
    # Imported here because only this needs Prefect's documents of the flow's tests.
    from tests.flows.conftest import PAGES

    began, report = time.monotonic(), Report()
    make_repository(folder / "repositories" / "docs.git", PAGES)
    with ExitStack() as stack:
        git = stack.enter_context(GitServer(folder / "repositories"))
        s3 = stack.enter_context(s3_server(folder / "s3" / "buckets"))
        scene = Scene(
            folder=folder,
            api_url=api_url,
            source_url=git.url("docs.git"),
            encoder=save_tiny_bert(folder / "encoder"),
            s3=s3,
        )
        report.undisturbed_seconds = scene.take_reference()
        while len(report.kills) < kills and time.monotonic() < began + seconds:
            kind = kinds[sum(report.lives.values()) % len(kinds)]
            missing = kills - len(report.kills)
            live(scene, kind, spread(targets, missing), report, began + seconds)
    report.seconds = time.monotonic() - began
    return report


def table(report: Report, commit: str) -> str:
    """The report as Markdown."""
    kinds = sorted({kill.kind for kill in report.kills})
    cells = Counter((kill.stage, kill.kind) for kill in report.kills)
    rows = [
        f"| {stage} | {' | '.join(str(cells[stage, kind]) for kind in kinds)} | "
        f"{sum(cells[stage, kind] for kind in kinds)} |"
        for stage in STAGES
    ]
    fates = Counter(kill.machine for kill in report.kills)
    resumes = report.resume_seconds or [0.0]
    cores = len(os.sched_getaffinity(0))
    return "\n".join(
        [
            "# Soak: SIGKILL at random moments",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, commit {commit}, {cores} cores, CPU, Python "
            f"{platform.python_version()}; {report.seconds:.0f} s.",
            "",
            f"**{len(report.kills)} kills** of whole process groups in {sum(report.lives.values())} lives "
            f"({', '.join(f'{count} on {kind}' for kind, count in sorted(report.lives.items()))}). "
            "Every life ended with weights of both models bit-identical to the undisturbed run's, a chain "
            "whose every file hashes to its manifest, and, after a sweep, nothing that no manifest names.",
            "",
            f"| killed in | {' | '.join(kinds)} | all |",
            f"|---|{'---|' * (len(kinds) + 1)}",
            *rows,
            f"| **all** | {' | '.join(str(sum(k.kind == kind for k in report.kills)) for kind in kinds)} "
            f"| {len(report.kills)} |",
            "",
            f"After a kill the next attempt was on the same machine {fates['stays']} times, on the same "
            f"without its work folder {fates['wiped']} times, on another {fates['another']} times.",
            "",
            f"Training went on from a checkpoint {len(report.resumed_steps)} times. From the start of the "
            f"process to the first step after the checkpoint: median {median(resumes):.1f} s, mean "
            f"{mean(resumes):.1f} s, at most {max(resumes):.1f} s; a whole undisturbed run took "
            f"{report.undisturbed_seconds:.1f} s. Sweeps deleted {report.swept} leftovers.",
            "",
            "Made by `make soak`.",
            "",
        ]
    )


def main() -> None:
    """Soak against a Prefect server of its own, and write the table."""
    # Imported here because only the long form needs a server of its own.
    from tests.prefect_server import prefect_server

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="how many (default 50)")
    parser.add_argument(
        "--seconds", type=float, default=900, help="begin no kill after so long (default 900)"
    )
    parser.add_argument("--seed", type=int, help="of the moments and machines")
    parser.add_argument("--results", type=Path, help="write the table here, besides standard output")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="docs-mlm-soak-") as name:
        folder = Path(name)
        (folder / "prefect").mkdir()
        with prefect_server(folder / "prefect") as server:
            report = soak(folder, f"{server.url}/api", kills=arguments.kills, seconds=arguments.seconds)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    text = table(report, commit)
    sys.stdout.write(text)
    if arguments.results:
        arguments.results.parent.mkdir(parents=True, exist_ok=True)
        arguments.results.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
