"""The command: what it prints, its exit codes, and one clear message for each mistake."""

import json
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.flows.conftest import DOCUMENTS, files_under
from tests.git_server import GitServer, make_repository
from tests.tiny import save_tiny_bert

TINY = {
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
    "train": {"max_steps": 3, "per_device_train_batch_size": 8, "precision": "fp32"},
    "evaluate": {"enabled": False},
}


@pytest.fixture
def tiny_yaml(tmp_path):
    """A settings file of a run that takes seconds."""
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(TINY))  # JSON is YAML
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with the Markdown files of the test repository."""
    root = tmp_path / "markdown"
    for name, text in DOCUMENTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_run_prints_one_json_object(command, tiny_yaml, repositories, tmp_path):
    """`run --json` prints exactly one JSON object with the promised members, and logs on standard error."""
    store = tmp_path / "store"
    arguments = ("run", tiny_yaml, "--source.url", repositories.url("docs.git"), "--store", store, "--json")
    code, out, _ = command(*arguments)
    assert code == 0
    result = json.loads(out)
    assert {
        "run_key",
        "commit_sha",
        "store",
        "stages",
        "documents",
        "tokens",
        "training",
        "eval",
        "model",
    } <= set(result)
    assert all({"reused", "seconds", "uri"} <= set(stage) for stage in result["stages"].values())
    assert {"found", "kept", "dropped_by_reason"} <= set(result["documents"])
    assert {"corpus", "train", "eval", "coverage"} <= set(result["tokens"])
    assert {"global_step", "resumed_from_step", "tokens_per_second", "loss"} <= set(result["training"])
    for when in ("before", "after"):
        assert {"loss", "perplexity", "accuracy", "masked_tokens"} <= set(result["eval"][when])
    assert {"uri", "version"} <= set(result["model"])
    # For a person: the same, reused, with what to type next; then the other subcommands.
    code, out, _ = command(*arguments[:-1])
    assert code == 0
    assert all(word in out for word in ("reused", "perplexity", "[MASK]", "docs-mlm predict --store"))
    code, out, _ = command("models", "--store", store, "--json")
    assert code == 0
    assert [model["version"] for model in json.loads(out)["models"]] == [result["model"]["version"]]
    code, out, _ = command("predict", "--store", store, "Run the [MASK] now.", "--top-k", "3")
    assert code == 0
    assert out.count("%") == 3
    code, out, _ = command("predict", "--store", store, "Run the [MASK] now.", "--top-k", "3", "--json")
    (mask,) = json.loads(out)["masks"]
    assert (code, len(mask), set(mask[0])) == (0, 3, {"token", "probability"})
    code, _, err = command("predict", "--store", store, "No mask here.")
    assert (code, "has no [MASK]" in err) == (2, True)
    code, _, err = command("predict", "--store", store, "Run it.", "--next", "It runs.")
    assert (code, "--train.objective mlm+nsp" in err) == (2, True)


def test_a_model_of_pairs_says_what_follows(command, tiny_yaml, repositories, tmp_path):
    """Trained with next sentences, a run tells their accuracy, and its model says what follows."""
    store = tmp_path / "store"
    url = repositories.url("docs.git")
    flags = ("--train.objective", "mlm+nsp", "--train.masking", "span", "--filter.eval-fraction", "0.4")
    code, out, _ = command("run", tiny_yaml, "--source.url", url, "--store", store, *flags)
    assert code == 0
    assert "NSP accuracy" in out
    code, out, _ = command("predict", "--store", store, "Run it.", "--next", "It runs.")
    assert code == 0
    assert "probability that it does" in out
    code, out, _ = command("predict", "--store", store, "Run it.", "--next", "It runs.", "--json")
    answer = json.loads(out)
    assert (code, answer["follows"]) == (0, answer["probability"] >= 0.5)
    code, out, err = command("predict", "--store", store, "Run the [MASK] now.", "--top-k", "2")
    assert (code, out.count("%")) == (0, 2)
    assert "UNEXPECTED" not in err


def test_plan_touches_nothing(command, tiny_yaml, repositories, tmp_path):
    """A plan says what would run and why, and writes neither to the store nor to the work folder."""
    store = tmp_path / "store"
    code, out, _ = command("plan", tiny_yaml, "--source.url", repositories.url("docs.git"), "--store", store)
    assert code == 0
    assert out.count("nothing is stored yet") == 1
    assert not store.exists()
    assert not (tmp_path / "work").exists()


def mistakes() -> dict[str, tuple[list[str], str]]:
    """By name: arguments (with {names} of fixtures), and what the message must say."""
    folder = ["--source.folder", "{folder}"]
    return {
        "no source": ([], "--source.url"),
        "missing repository": (["--source.url", "{server}/absent.git"], "absent.git"),
        "missing branch": (["--source.url", "{server}/docs.git", "--source.ref", "nope"], "nope"),
        "missing commit": (["--source.url", "{server}/docs.git", "--source.ref", "1" * 40], "1" * 12),
        "needs a password": (["--source.url", "{private}/docs.git"], "GIT_TOKEN"),
        "missing folder": (["--source.folder", "/no/such/folder"], "/no/such/folder"),
        "no Markdown": ([*folder, "--source.include", "*.rst"], "*.rst"),
        "all filtered out": ([*folder, "--filter.min-chars", "100000"], "too_short"),
        "not a JSON list": (["--source.json-file", "{object}"], "list"),
        "not JSON": (["--source.json-file", "{broken}"], "JSON"),
        "unknown setting": ([*folder, "--train.learning-rat", "1"], "--train.learning-rate"),
        "unknown key in YAML": (["{unknown_key}", *folder], "train.learning_rat: there is no such setting"),
        "wrong type": ([*folder, "--train.seed", "soon"], "train.seed is 'soon'"),
        "out of bounds": ([*folder, "--train.mlm-probability", "1.5"], "train.mlm_probability is '1.5'"),
        "not YAML": (["{not_yaml}", *folder], "is not YAML"),
        "YAML that builds objects": (["{evil_yaml}", *folder], "is not YAML"),
        "YAML that nests": (["{deep_yaml}", *folder], "nested too deeply"),
        "YAML that multiplies": (["{many_yaml}", *folder], "train.seed is [["),
        "missing settings file": (["absent.yaml", *folder], "absent.yaml"),
        "window beyond positions": ([*folder, "--tokenize.max-seq-length", "65"], "choose 64 or less"),
        "no mask token": ([*folder, *_model("{maskless}")], "no mask token"),
        "no MLM head": ([*folder, *_model("{gpt}")], "has no MLM head"),
        "pickled weights": ([*folder, *_model("{pickled}")], "pickled"),
        "missing model folder": ([*folder, *_model("/no/such/model")], "/no/such/model"),
        "store that cannot be written": ([*folder, "--store", "{file}/store"], "cannot be"),
        "unknown protocol": ([*folder, "--store", "ftp://host/x"], "ftp"),
        "hostile URL": (["--source.url", "ext::sh -c touch% {trace}"], "ext"),
        "URL like a flag": (["--source.url=--upload-pack=touch {trace}"], "--upload-pack"),
    }


def _model(name: str) -> list[str]:
    return ["--model.from-scratch", "null", "--model.name-or-path", name]


@pytest.fixture(scope="module")
def odd_models(tmp_path_factory):
    """Model folders that cannot be trained."""
    from transformers import PreTrainedTokenizerFast

    root = tmp_path_factory.mktemp("odd")
    names = ("maskless", "gpt", "pickled")
    for name in names:
        save_tiny_bert(root / name, safe=name != "pickled")
    config = {"model_type": "gpt2", "vocab_size": 300, "n_positions": 64}
    (root / "gpt" / "config.json").write_text(json.dumps(config))
    backend = str(root / "maskless" / "tokenizer.json")
    maskless = PreTrainedTokenizerFast(tokenizer_file=backend, unk_token="[UNK]", pad_token="[PAD]")
    for path in (root / "maskless").glob("tokenizer*"):
        path.unlink()
    maskless.save_pretrained(root / "maskless")
    return {name: str(root / name) for name in names}


@pytest.mark.parametrize("name", list(mistakes()))
def test_a_mistake_gets_one_clear_message(
    name, command, tiny_yaml, folder, repositories, odd_models, tmp_path
):
    """Exit code 2, a message that names the value, no traceback, and a store that is as it was."""
    (tmp_path / "object.json").write_text('{"a": 1}')
    (tmp_path / "broken.json").write_text('["a",')
    (tmp_path / "not.yaml").write_text("train: [1,\n")
    (tmp_path / "evil.yaml").write_text(
        f"store: !!python/object/apply:os.system ['touch {tmp_path}/trace']\n"
    )
    (tmp_path / "deep.yaml").write_text("train: " + "[" * 50_000)
    laughs = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghijkl"))
    (tmp_path / "many.yaml").write_text(f"a: &a [x]\n{laughs}train:\n  seed: *l\n")
    (tmp_path / "unknown.yaml").write_text("train:\n  learning_rat: 1\n")
    (tmp_path / "file").write_text("no folder")
    arguments, expected = mistakes()[name]
    with GitServer(repositories.root, user="me", password="secret") as private:
        places = {
            "folder": folder, "server": repositories.url("")[:-1], "private": private.url("")[:-1],
            "object": tmp_path / "object.json", "broken": tmp_path / "broken.json",
            "not_yaml": tmp_path / "not.yaml", "evil_yaml": tmp_path / "evil.yaml",
            "deep_yaml": tmp_path / "deep.yaml", "many_yaml": tmp_path / "many.yaml",
            "unknown_key": tmp_path / "unknown.yaml", "file": tmp_path / "file",
            "trace": tmp_path / "trace", **odd_models,
        }  # fmt: skip
        given = [argument.format(**places) for argument in arguments]
        own_file = bool(given) and given[0].endswith(".yaml")
        if own_file:
            given = [given[0], *given[1:]]
        store = tmp_path / "store"
        stored = [] if "--store" in given else ["--store", str(store)]
        before = files_under(store) if store.exists() else {}
        code, out, err = command("run", *([] if own_file else [tiny_yaml]), *given, *stored)
    assert code == 2, err
    assert expected in err
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "trace").exists()
    after = files_under(store) if store.exists() else {}
    manifests = {path for path in after if "/models/" in path or path.startswith(("training", "tokenized"))}
    assert not manifests - set(before)


def test_a_missing_bucket_and_a_wrong_secret_are_the_users_to_mend(
    command, tiny_yaml, folder, s3, monkeypatch
):
    """A store whose bucket is missing, or whose secret is wrong, ends with exit code 2 at once."""
    for variable, value in s3.environment.items():
        monkeypatch.setenv(variable, value)
    run = ("run", tiny_yaml, "--source.folder", folder, "--store")
    code, _, err = command(*run, "s3://absent-bucket/store")
    assert (code, "absent-bucket" in err, "Traceback" in err) == (2, True, False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    code, _, err = command(*run, s3.url("wrong"))
    assert (code, "AWS_" in err, "Traceback" in err) == (2, True, False)
    assert "wrong-secret" not in err


def test_a_host_that_refuses_is_a_network_fault(command, tiny_yaml, tmp_path, monkeypatch):
    """A host that does not answer has its own exit code, 3."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/docs.git"
    code, _, err = command("plan", tiny_yaml, "--source.url", url, "--store", tmp_path / "store")
    assert code == 3
    assert str(port) in err
    assert "Traceback" not in err


def test_the_package_is_the_command():
    """`python -m flows.command` takes what `docs-mlm` takes."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.command", "run", "demo", "--source.ulr", "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "did you mean --source.url?" in done.stderr


def test_calls_without_a_repository_ask_for_one(command, tiny_yaml, tmp_path):
    """Exported texts, JSON records and other branches: each source works through the command."""
    records = [{"id": 1, "title": "One", "content": DOCUMENTS["docs/page-01.md"]}]
    records += [{"id": n, "text": DOCUMENTS[f"docs/page-{n:02}.md"]} for n in range(2, 9)]
    source = tmp_path / "records.json"
    source.write_text(json.dumps(records))
    target = tmp_path / "texts.json"
    code, out, _ = command(
        "run", tiny_yaml, "--source.json-file", source, "--publish.export-texts", target,
        "--store", tmp_path / "store", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["documents"]["kept"] == 8
    assert len(json.loads(target.read_text())) == 8


def test_a_checkout_is_read_without_cloning(command, tiny_yaml, tmp_path):
    """A local checkout is read at its commit."""
    sha = make_repository(tmp_path / "origin.git", DOCUMENTS)
    subprocess.run(["git", "clone", "-q", tmp_path / "origin.git", tmp_path / "checkout"], check=True)
    code, out, _ = command(
        "run", tiny_yaml, "--source.checkout", tmp_path / "checkout", "--store", tmp_path / "store", "--json"
    )
    assert code == 0
    assert json.loads(out)["commit_sha"] == sha


def test_verify_and_sweep(command, tiny_yaml, folder, tmp_path):
    """`verify` follows the newest model's chain and fails on damage; `sweep` deletes old leftovers alone."""
    store = tmp_path / "store"
    code, _, err = command("verify", "--store", store)
    assert (code, "no model is published" in err) == (2, True)
    assert command("run", tiny_yaml, "--source.folder", folder, "--store", store)[0] == 0
    code, out, _ = command("verify", "--store", store, "--json")
    report = json.loads(out)
    assert (code, report["intact"]) == (0, True)
    places = [part["uri"].split("/")[-2] for part in report["folders"]]
    assert places == ["models", "training", "tokenized", "dataset", "pairs", "corpus", "documents"]
    left = store / "corpus" / ("9" * 32) / "part.parquet"
    left.parent.mkdir()
    left.write_bytes(b"torn")
    code, out, _ = command("sweep", "--store", store)
    assert (code, "0 left over" in out, left.exists()) == (0, True, True)
    code, out, _ = command("sweep", "--older-than", "0", "--dry-run", "--store", store, "--json")
    found = json.loads(out)
    assert (code, found["removed"], left.exists()) == (0, False, True)
    assert [Path(part["uri"]).name for part in found["leftovers"]] == ["9" * 32]
    code, out, _ = command("sweep", "--older-than", "0", "--store", store)
    assert (code, "corpus/99" in out, left.exists()) == (0, True, False)
    assert command("sweep", "--older-than", "-1", "--store", store)[0] == 2
    weights = next((store / "training").glob("*/model/model.safetensors"))
    torn = bytearray(weights.read_bytes())
    torn[-1] ^= 1
    weights.write_bytes(torn)
    code, out, err = command("verify", "--store", store)
    assert (code, "model/model.safetensors" in out, "training/" in err) == (1, True, True)
    documents = next((store / "documents").iterdir())
    assert command("verify", documents.as_uri(), "--store", store)[0] == 0
    assert command("verify", f"{store.as_uri()}/corpus/absent", "--store", store)[0] == 2
    assert command("verify", "file:///elsewhere/corpus/absent", "--store", store)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "no source is given"),
        (["--source.folder", "{tmp}/absent"], "absent is no folder"),
        (["--source.json-file", "{tmp}/absent.json"], "absent.json"),
        (["--source.url", "{url}", "--source.ref", "no-such-branch"], "no-such-branch"),
        (["--source.folder", "{folder}", "--model.name-or-path", "{tmp}/absent"], "absent"),
        (["--source.folder", "{folder}", "--store", "{folder}/docs/page-01.md"], "page-01.md"),
    ],
)
def test_a_mistake_is_told_before_prefect_is_loaded(
    command, tiny_yaml, folder, repositories, tmp_path, arguments, named
):
    """What the plan finds wrong ends the run at once, with one line and exit code 2."""
    places = {"tmp": tmp_path, "folder": folder, "url": repositories.url("docs.git")}
    given = [argument.format(**places) for argument in arguments]
    if "--store" not in given:
        given += ["--store", str(tmp_path / "store")]
    basis = [] if "--model.name-or-path" in given else [tiny_yaml]
    code, _, err = command("run", *basis, *given)
    assert code == 2, err
    assert named in err.splitlines()[-1]
    assert "Prefect" not in err
