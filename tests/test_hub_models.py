"""Readers and re-rankers of the hub: tiny random models on disk, and everything that must be refused."""

from __future__ import annotations

import json
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from index import Encoder, FootnoteError, load_encoder, rebuild, terminal
from qa import QA, CalibrationError, ReaderError, load_reader, load_reranker
from qa.__main__ import app
from qa.hub import CrossEncoderReranker, HubSpanModel
from qa.span_model import Text

from .conftest import TinyEncoder, write_files

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the red car is fast van slow who sells . , : ? > guide cars".split()
LETTERS = [f"{mark}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789" for mark in ("", "##")]
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.4,
}
QUESTION = "Who sells the red car?"
PASSAGE = "The red car is fast.\n  The van, it is slow: Zoë sells it for 42 €. 🙂 北京"
BUNDLED = "7bfe8ace3ac9db7a8036ef9d689c9024dec01e42ced2dc7ead0900dec5609b3d"


def save_bert_tokenizer(folder: Path, **options) -> None:
    import tokenizers
    from transformers import BertTokenizerFast

    vocabulary = {piece: number for number, piece in enumerate([*WORDS, *LETTERS])}
    rules = tokenizers.BertWordPieceTokenizer(vocabulary)
    BertTokenizerFast(tokenizer_object=rules._tokenizer, **options).save_pretrained(folder)


def save_bert(folder: Path, kind: str, **options) -> Path:
    import transformers

    transformers.set_seed(1)
    config = transformers.BertConfig(vocab_size=len(WORDS) + len(LETTERS), **(SIZE | options))
    getattr(transformers, kind)(config).save_pretrained(folder)
    save_bert_tokenizer(folder, model_max_length=512)
    return folder


def save_roberta(folder: Path, **options) -> Path:
    import tokenizers
    import transformers

    transformers.set_seed(1)
    rules = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    rules.train_from_iterator([QUESTION, PASSAGE] * 3, 320, special_tokens=special, show_progress=False)
    folder.mkdir()
    rules.save_model(str(folder))  # vocab.json and merges.txt, as older models of the hub bring them
    config = transformers.RobertaConfig(
        vocab_size=rules.get_vocab_size(),
        type_vocab_size=1,
        **(SIZE | {"max_position_embeddings": 514} | options),
    )
    transformers.RobertaForQuestionAnswering(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    return save_bert(tmp_path_factory.mktemp("hub") / "bert", "BertForQuestionAnswering")


@pytest.fixture(scope="module")
def roberta(tmp_path_factory) -> Path:
    return save_roberta(tmp_path_factory.mktemp("hub") / "roberta")


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("hub") / "cross"
    return save_bert(place, "BertForSequenceClassification", num_labels=1)


@pytest.fixture(params=["bert", "roberta"])
def reader_folder(request, bert, roberta) -> Path:
    return {"bert": bert, "roberta": roberta}[request.param]


@pytest.fixture
def copied_reader(bert, tmp_path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copied"))


@pytest.fixture
def copied_cross_encoder(cross_encoder, tmp_path) -> Path:
    return Path(shutil.copytree(cross_encoder, tmp_path / "copied-cross"))


def edit_json(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_each_piece_is_a_range_of_the_passage(reader_folder):
    for context in ("", "Guide > Cars"):
        ((window,),) = load_reader(str(reader_folder)).windows(QUESTION, [Text(context, PASSAGE)])
        assert len(window.offsets) == len(window.starts) == len(window.ends)
        pieces = [PASSAGE[start:end] for start, end in window.offsets]
        assert pieces == [piece.strip() for piece in pieces]
        covered = {place for start, end in window.offsets for place in range(start, end)}
        assert covered == {place for place, character in enumerate(PASSAGE) if not character.isspace()}
        assert all(one <= other for one, other in pairwise(window.offsets))


def test_each_word_that_the_vocabulary_knows_is_one_piece(bert):
    ((window,),) = load_reader(str(bert)).windows("", [Text("Guide", "  The red\ncar is FAST. ")])
    assert window.offsets == [(2, 5), (6, 9), (10, 13), (14, 16), (17, 21), (21, 22)]


def test_logits_are_those_that_transformers_gives(reader_folder):
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reader_folder)
    encoded = tokenizer(
        QUESTION, f"Guide > Cars: {PASSAGE}", return_tensors="pt", return_offsets_mapping=True
    )
    context = "Guide > Cars: "
    inside = [
        i
        for i, (start, end) in enumerate(encoded.pop("offset_mapping")[0].tolist())
        if encoded.sequence_ids()[i] == 1 and start >= len(context) and (context + PASSAGE)[start:end].strip()
    ]
    with torch.inference_mode():
        output = AutoModelForQuestionAnswering.from_pretrained(reader_folder)(**encoded)
    ((window,),) = load_reader(str(reader_folder)).windows(QUESTION, [Text("Guide > Cars", PASSAGE)])
    for found, null, expected in (
        (window.starts, window.null_start, output.start_logits[0].numpy()),
        (window.ends, window.null_end, output.end_logits[0].numpy()),
    ):
        np.testing.assert_allclose(found, expected[inside], atol=1e-4)
        assert null == pytest.approx(float(expected[0]), abs=1e-4)
        assert np.ptp(expected) > 0.1


def test_windows_cover_a_long_passage(reader_folder):
    words = [f"w{number}" for number in range(400)]
    passage = " ".join(words)
    (found,) = load_reader(str(reader_folder)).windows(QUESTION, [Text("Guide", passage)])
    assert len(found) > 3
    assert all(len(window.offsets) < 384 for window in found)
    covered = {place for window in found for start, end in window.offsets for place in range(start, end)}
    assert covered == {place for place, character in enumerate(passage) if character != " "}
    for one, other in pairwise(found):
        assert one.offsets[0] < other.offsets[0] < one.offsets[-1]


def test_context_is_read_but_never_an_answer(reader_folder):
    model = load_reader(str(reader_folder))
    texts = [Text("", PASSAGE), Text("Guide > Cars", PASSAGE), Text("Guide " * 100, PASSAGE)]
    (bare,), (told,), (long,) = model.windows(QUESTION, texts)
    assert bare.offsets == told.offsets == long.offsets
    assert np.abs(bare.starts - told.starts).max() > 1e-3
    ((cut,),) = model.windows(QUESTION, [Text("Guide " * 99 + "Cars", PASSAGE)])
    np.testing.assert_allclose(long.starts, cut.starts, atol=1e-4)


def test_padding_changes_nothing(reader_folder):
    model = load_reader(str(reader_folder))
    texts = [Text("", "The van is slow. " * n) for n in (40, 1, 0, 7)] + [Text("Guide", "")]
    together = model.windows(QUESTION, texts)
    assert [len(windows) for windows in together] == [1] * 5
    for text, (window,) in zip(texts, together, strict=True):
        ((alone,),) = model.windows(QUESTION, [text])
        assert alone.offsets == window.offsets
        np.testing.assert_allclose(alone.starts, window.starts, atol=1e-4)
        np.testing.assert_allclose(alone.ends, window.ends, atol=1e-4)
    assert model.windows(QUESTION, []) == []


def test_special_tokens_in_a_document_are_text(reader_folder):
    passage = "The [SEP] car [CLS] is </s> slow <s> ."
    ((window,),) = load_reader(str(reader_folder)).windows("[SEP] </s>", [Text("[SEP]", passage)])
    pieces = [passage[start:end] for start, end in window.offsets]
    assert "[SEP]" not in pieces
    assert "</s>" not in pieces
    assert "".join(pieces) == "".join(passage.split())


def test_a_long_question_leaves_room_for_the_passage(reader_folder):
    ((window,),) = load_reader(str(reader_folder)).windows("who " * 1_000, [Text("", "The van is slow.")])
    assert window.offsets[-1] == (15, 16)


def test_positions_that_padding_takes_are_not_read(tmp_path):
    folder = save_roberta(tmp_path / "short", max_position_embeddings=202)
    (windows,) = load_reader(str(folder)).windows(QUESTION, [Text("", "The van is slow. " * 100)])
    assert len(windows) > 1


def test_id_follows_the_files_and_not_the_place(copied_reader, bert):
    before = load_reader(str(bert)).id
    assert before.startswith("hub-span/")
    assert load_reader(str(copied_reader)).id == before
    weights = copied_reader / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")
    assert load_reader(str(copied_reader)).id != before


def test_id_follows_every_file_of_the_tokenizer(roberta, tmp_path):
    folder = Path(shutil.copytree(roberta, tmp_path / "copied"))
    before = load_reader(str(folder)).id
    merges = folder / "merges.txt"
    merges.write_text(merges.read_text() + "\n")
    assert load_reader(str(folder)).id != before


def test_the_fingerprint_of_the_bundled_encoder_is_the_old_one():
    assert load_encoder().fingerprint == BUNDLED


def test_many_threads_read_the_same(bert, cross_encoder):
    reader, reranker = load_reader(str(bert)), load_reranker(str(cross_encoder))
    texts = [Text("Guide", "The van is slow. " * n) for n in range(1, 20)]
    seen = []

    def ask():
        windows = reader.windows(QUESTION, texts)
        scores = reranker.scores(QUESTION, [text.passage for text in texts])
        seen.append(([float(window.starts[0]) for (window,) in windows], scores))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 6
    for starts, scores in seen:
        assert starts == pytest.approx(seen[0][0], abs=1e-4)
        assert scores == pytest.approx(seen[0][1], abs=1e-5)


@pytest.mark.parametrize("activation", [None, "torch.nn.modules.linear.Identity"])
def test_scores_are_squashed_once(copied_cross_encoder, activation):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if activation is not None:
        edit_json(copied_cross_encoder / "config.json", sentence_transformers={"activation_fn": activation})
    texts = ["The van is slow.", PASSAGE, "?", "Guide " * 2_000]
    tokenizer = AutoTokenizer.from_pretrained(copied_cross_encoder)
    model = AutoModelForSequenceClassification.from_pretrained(copied_cross_encoder)
    with torch.inference_mode():
        expected = [
            float(
                torch.sigmoid(model(**tokenizer(QUESTION, text, return_tensors="pt", truncation=True)).logits)
            )
            for text in texts
        ]
    reranker = load_reranker(str(copied_cross_encoder))
    assert reranker.id.startswith("cross-encoder/")
    found = reranker.scores(QUESTION, texts)
    assert found == pytest.approx(expected, abs=1e-5)
    assert max(found) - min(found) > 0.01
    assert reranker.scores(QUESTION, []) == []


def test_a_reranker_in_the_layout_of_sentence_transformers(cross_encoder, tmp_path):
    from sentence_transformers import CrossEncoder

    CrossEncoder(str(cross_encoder), device="cpu").save(str(tmp_path / "saved"))
    one, other = load_reranker(str(cross_encoder)), load_reranker(str(tmp_path / "saved"))
    texts = ["The van is slow.", PASSAGE]
    assert one.scores(QUESTION, texts) == pytest.approx(other.scores(QUESTION, texts), abs=1e-5)


def make_index(folder: Path, index_dir: Path, encoder: Encoder, count: int = 12) -> Path:
    files = {f"{n}.txt": f"The van {n} is slow. Its owner is number {n * 7}." for n in range(count)}
    write_files(folder, files)
    rebuild(folder, index_dir, encoder=encoder)
    return index_dir


def test_a_reader_of_the_hub_answers_without_a_confidence(
    reader_folder, folder, index_dir, tiny_encoder: TinyEncoder
):
    place = make_index(folder, index_dir, tiny_encoder, 3)
    with QA.open(place, encoder=tiny_encoder, reader=load_reader(str(reader_folder))) as qa:
        qa.load()
        answer = qa.ask("Who owns the van 2?")
        assert answer.found
        assert answer.confidence is None
        for citation in answer.citations:
            assert qa.text(citation.source)[citation.start : citation.end] == citation.quote
        with pytest.raises(CalibrationError, match="calibrate"):
            qa.ask("Who owns the van 2?", min_confidence=0.5)


def test_a_reranker_orders_the_passages(cross_encoder, folder, index_dir, tiny_encoder: TinyEncoder):
    place = make_index(folder, index_dir, tiny_encoder)
    question = "Who owns the van 2?"
    reranker = load_reranker(str(cross_encoder))
    with QA.open(place, encoder=tiny_encoder) as qa:
        plain = qa.search(question, k=10)
    with QA.open(place, encoder=tiny_encoder, reranker=reranker) as qa:
        qa.load()
        found = qa.search(question, k=10)
        scores = [passage.score for passage in found]
        assert scores == sorted(scores, reverse=True)
        assert scores == pytest.approx(
            reranker.scores(question, [passage.text for passage in found]), abs=1e-5
        )
        assert [passage.text for passage in found] != [passage.text for passage in plain]
        (best,) = qa.search(question, k=1)
        assert best == found[0]
        assert [one.score for one in qa.find(question).retrieved][:10] == pytest.approx(scores, abs=1e-5)
        answer = qa.ask(question)
        assert answer.timings["rerank"] > 0
        assert answer.confidence is None


def weights_of_another_format(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_configuration(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def list_as_configuration(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def other_architecture(folder: Path) -> None:
    edit_json(folder / "config.json", architectures=["BertForMaskedLM"])


def no_architecture(folder: Path) -> None:
    edit_json(folder / "config.json", architectures=None)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (weights_of_another_format, "no safetensors weights"),
        (no_configuration, r"config\.json is missing"),
        (broken_configuration, "can't be read"),
        (list_as_configuration, "can't be read"),
        (no_tokenizer, "no tokenizer"),
        (other_architecture, "BertForMaskedLM, not"),
        (no_architecture, "no stated architecture"),
    ],
)
def test_a_folder_that_can_not_serve_is_refused_at_once(copied_reader, copied_cross_encoder, spoil, said):
    for folder, load in ((copied_reader, load_reader), (copied_cross_encoder, load_reranker)):
        spoil(folder)
        with pytest.raises(ReaderError, match=said) as caught:
            load(str(folder))
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("load", [load_reader, load_reranker])
@pytest.mark.parametrize("name", ["nobody/no-such-model", "nobody", "a/b/c", "bad name!", ""])
def test_unknown_name_offline(load, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReaderError) as caught:
        load(name)
    assert name in str(caught.value)
    assert isinstance(caught.value, FootnoteError)
    assert caught.value.exit_code == 1


def test_reader_and_reranker_are_not_interchangeable(bert, cross_encoder):
    with pytest.raises(ReaderError, match="ForSequenceClassification, not"):
        HubSpanModel(cross_encoder)
    with pytest.raises(ReaderError, match="ForQuestionAnswering, not"):
        CrossEncoderReranker(bert)


@pytest.mark.parametrize("labels", [{"id2label": None}, {"id2label": {"0": "no", "1": "maybe", "2": "yes"}}])
def test_a_classifier_is_no_reranker(copied_cross_encoder, labels):
    edit_json(copied_cross_encoder / "config.json", **labels)
    with pytest.raises(ReaderError, match=r"gives a pair of texts [23] scores"):
        load_reranker(str(copied_cross_encoder))


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def unknown_model(folder: Path) -> None:
    edit_json(folder / "config.json", model_type="nobody", auto_map={"AutoConfig": "code.Config"})


def slow_tokenizer(folder: Path) -> None:
    edit_json(folder / "tokenizer_config.json", tokenizer_class="CanineTokenizer")


def bare_tokenizer(folder: Path) -> None:
    edit_json(folder / "tokenizer.json", post_processor=None)
    edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")


def no_heads(folder: Path) -> None:
    save_bert(folder, "BertModel")
    edit_json(folder / "config.json", architectures=["BertForQuestionAnswering"])


def few_positions(folder: Path) -> None:
    save_bert(folder, "BertForQuestionAnswering", max_position_embeddings=100)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_weights, "can't be loaded"),
        (broken_tokenizer, "can't be loaded"),
        (unknown_model, "can't be loaded"),
        (slow_tokenizer, "no fast tokenizer"),
        (bare_tokenizer, "does not mark"),
        (no_heads, r"lack qa_outputs\.bias, qa_outputs\.weight"),
        (few_positions, "reads 100 word pieces"),
    ],
)
def test_a_model_that_can_not_serve_is_refused_when_it_is_loaded(copied_reader, spoil, said):
    spoil(copied_reader)
    model = load_reader(str(copied_reader))
    for use in (model.load, lambda: model.windows(QUESTION, [Text("", PASSAGE)])):
        with pytest.raises(ReaderError, match=said) as caught:
            use()
        assert str(copied_reader) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", [cut_weights, broken_tokenizer, unknown_model])
def test_a_damaged_reranker_is_refused_when_it_is_loaded(copied_cross_encoder, spoil):
    spoil(copied_cross_encoder)
    with pytest.raises(ReaderError, match="can't be loaded"):
        load_reranker(str(copied_cross_encoder)).scores(QUESTION, ["The van is slow."])


@pytest.fixture
def run(capfd, seed_index, monkeypatch):
    """Run a command line in process; return (exit code, stdout, stderr)."""
    monkeypatch.setenv("FOOTNOTE_INDEX", seed_index.index_dir)

    def go(*arguments: str):
        code = terminal.exit_code(app, "python -m qa", list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return go


def test_the_command_line_takes_both(run, bert, cross_encoder):
    models = ["--reader", str(bert), "--reranker", str(cross_encoder)]
    code, out, err = run("ask", "How much is Amazon investing?", *models, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["confidence"] is None
    assert json.loads(out)["found"]


@pytest.mark.parametrize("option", ["--reader", "--reranker"])
def test_a_wrong_folder_on_the_command_line_is_one_line(run, option, tmp_path):
    code, out, err = run("ask", "How much is Amazon investing?", option, str(tmp_path))
    assert (code, out) == (1, "")
    assert "config.json is missing" in err
    assert err.count("\n") == 1
