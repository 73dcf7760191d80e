"""Classifiers that train the encoder, too: adapters or all weights, in batches or before vectors are augmented."""

import importlib
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imblearn import FunctionSampler
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, RandomOverSampler
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from transformers import BertConfig, BertModel, BertTokenizerFast

from synaug.augmenter import Augmenter, Mixup, Neighbours, Remix
from synaug.classifier import FineTuned
from synaug.dataset import LabelledTexts
from synaug.encoder import TransformerEncoder
from synaug.encoder.tuned import TunedEncoder
from synaug.errors import UserError
from synaug.files.digest import json_sha256
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.loss import ClassWeighted, Loss, Plain
from synaug.settings import BAGGED, REFIT
from synaug.splits import Validation, make_splits
from synaug.training.predictions import Predictions
from synaug.training.progress import StepsBar
from synaug.training.training_sets import TrainingData, augment, neighbour_graphs
from synaug.tuning import checkpoint
from synaug.tuning import stack as stacks
from synaug.tuning.mixing import Candidates, Memory, mixed, partners, repeated
from synaug.tuning.rows import Slots
from synaug.tuning.spaces import tuned_spaces
from synaug.tuning.training import TunedTraining
from synaug.tuning.tuning import Tuning
from synaug.validation import Holdout, Nested, Oracle
from tests import toy
from tests.program import TOY, Program

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = sorted({word for words in toy.WORDS.values() for word in words} | set(toy.FILLER))
NAMES = ("sport", "trade")
QUIET = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers that knows the toy data's words."""
    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join([*SPECIAL, *WORDS, *map(str, range(10)), *(f"##{digit}" for digit in range(10))]))
    BertTokenizerFast(str(vocabulary)).save_pretrained(folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(vocabulary.read_text().splitlines()), max_position_embeddings=32, **shape)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def encoder(tiny: Path) -> TransformerEncoder:
    return TransformerEncoder(model=str(tiny), pooling="mean", max_length=24, device="cpu")


@pytest.fixture
def texts() -> LabelledTexts:
    rows, names = toy.texts(20)
    return LabelledTexts("toy", rows, np.array([NAMES.index(name) for name in names]), NAMES)


Make = Callable[..., TrainingData]


@pytest.fixture
def make(encoder: TransformerEncoder, texts: LabelledTexts) -> Make:
    """Makes training sets of two splits with two inner folds each, the second class thinned."""

    def of(
        sampler: Any = None,
        given: LabelledTexts = texts,
        validation: Validation | None = None,
        replicas: int = 1,
    ) -> TrainingData:
        vectors = encoder.encode(given.texts)
        rows_left_out = validation or Nested(2)
        splits = make_splits(
            "toy", texts.labels, NAMES, ImbalanceRatio(2.0), seeds=[0], n_folds=2, validation=rows_left_out
        )
        graphs = neighbour_graphs(vectors, given.labels)
        return augment(
            given, vectors, splits, Augmenter(sampler or FunctionSampler()), graphs, ratio=2.0, replicas=replicas
        )

    return of


@pytest.fixture
def tuning(encoder: TransformerEncoder, texts: LabelledTexts, tmp_path: Path) -> Callable[..., Tuning]:
    def of(given: LabelledTexts = texts, loss: Loss | None = None, **changes: Any) -> Tuning:
        usual = {"rank": 2, "when": "batch", "lr": 0.01, "max_steps": 11, "batch_size": 8, "hidden": [4]}
        return Tuning(FineTuned(**{**usual, **changes}), encoder, given, loss or Plain(), {}, QUIET, tmp_path / "cache")

    return of


def of_one_split(data: TrainingData, place: int) -> TrainingData:
    members = [replace(each, place=0) for each in data.training_sets if each.place == place]
    return replace(data, splits=[data.splits[place]], training_sets=members, target=data.target[place : place + 1])


def assert_same(found: Predictions, expected: Predictions) -> None:
    """Two predictions are one to the bit."""
    assert len(found.splits) == len(expected.splits)
    for one, other in zip(found.splits, expected.splits, strict=True):
        np.testing.assert_array_equal(one.last, other.last)
        assert one.tau_norm is not None
        assert other.tau_norm is not None
        np.testing.assert_array_equal(one.tau_norm.test, other.tau_norm.test)
        for rule, chosen in one.chosen.items():
            assert chosen.step == other.chosen[rule].step
            np.testing.assert_array_equal(chosen.out_of_fold, other.chosen[rule].out_of_fold)
            np.testing.assert_array_equal(chosen.test, other.chosen[rule].test)
    for name, points in found.curves.points.items():
        np.testing.assert_array_equal(points, expected.curves.points[name])


def trained(tuning: Tuning, data: TrainingData, members: Sequence[int], steps: int = 5) -> list[dict[str, Any]]:
    """The weights of members after some steps, without looks."""
    stack = tuning.stack(data, members, partners(SMOTE(k_neighbors=2)), steps=[steps], judged=[])
    with StepsBar(1, is_wanted=False) as bar:
        tuning.train(stack, bar)
    return [stack.network(place).weights() for place in range(len(members))]


def assert_same_weights(found: Any, expected: Any) -> None:
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        assert torch.equal(weight, expected[name]), name


# Mixing within batches


def among(n: int = 12, seed: int = 0) -> tuple[torch.Tensor, NDArray[np.int64], NDArray[np.int64]]:
    vectors = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    return vectors, np.arange(n), np.arange(n) % 2


@pytest.mark.parametrize("search", [3, Neighbours(4)])
def test_smote_within_a_batch_is_imbalanced_learns_formula_on_fixed_vectors(search: Any) -> None:
    vectors, rows, labels = among()
    memory = Memory(100)
    memory.add(rows[6:], vectors[6:])
    partner = partners(SMOTE(k_neighbors=search))
    is_mixed = np.array([True, False, True, True, False, True])
    drawn: list[tuple[int, int, float]] = []

    def noted(place: int, known: Candidates, draw: np.random.RandomState) -> tuple[int, float] | None:
        found = partner(place, known, draw)
        assert found is not None
        drawn.append((place, *found))
        return found

    draw = np.random.RandomState(0)
    found = mixed(vectors[:6], rows[:6], labels[:6], is_mixed, noted, memory, labels, np.array([6, 6]), draw).numpy()
    np.testing.assert_array_equal(found[~is_mixed], vectors[:6].numpy()[~is_mixed])
    X = vectors.numpy()
    assert [place for place, *_ in drawn] == [0, 2, 3, 5]
    for place, other, step in drawn:
        own = np.flatnonzero(labels == labels[place])
        near = own[NearestNeighbors(n_neighbors=4).fit(X[own]).kneighbors(X[[place]], return_distance=False)[0]]
        assert near[0] == place
        assert other in near[1:]
        made = SMOTE()._generate_samples(X, X, np.array([[other]]).repeat(12, 0), [place], [0], np.array([[step]]))
        np.testing.assert_allclose(found[place], made[0], rtol=1e-6)


@pytest.mark.parametrize("sampler", [SMOTE(k_neighbors=3), Mixup(), Remix(kappa=1.0)], ids=["smote", "mixup", "remix"])
def test_rows_that_a_batch_repeats_are_mixed_with_no_more_than_others_and_crowd_out_none(sampler: Any) -> None:
    vectors, rows, labels = among(16)
    # The nearest other row of each class five times more, as a batch repeats rows of small classes.
    near = [min(range(4 + of, 16, 2), key=lambda at: float((vectors[at] - vectors[of]).norm())) for of in (0, 1)]
    again = np.concatenate([rows, np.repeat(near, 5)])
    once = Candidates(rows, labels, vectors.numpy(), np.array([8, 8]))
    often = Candidates(again, labels[again], vectors.numpy()[again], np.array([8, 8]))

    def drawn(known: Candidates) -> list[int]:
        draw = np.random.RandomState(0)
        found = [partners(sampler)(0, known, draw) for _ in range(200)]
        return [int(known.rows[each[0]]) for each in found if each is not None]

    assert len(set(drawn(once))) >= 3
    assert sorted(set(drawn(often))) == sorted(set(drawn(once)))
    assert max(np.bincount(drawn(often))) <= 1.5 * max(np.bincount(drawn(once)))
    assert often.of_class_of(0)[-1] == 16 + 4  # the last place of a row that is repeated


def test_gradients_reach_a_row_and_its_partner_in_the_batch_and_not_what_is_remembered() -> None:
    vectors, rows, _ = among(4)
    vectors.requires_grad_()
    memory = Memory(10)
    memory.add(np.array([7]), torch.ones(1, 4, requires_grad=True))
    known = np.zeros(8, np.int64)

    def fixed(place: int, among: Candidates, draw: np.random.RandomState) -> tuple[int, float]:
        return (3, 0.25) if place == 0 else (4, 0.5)  # the fourth of the batch, and what is remembered

    is_mixed = np.array([True, True, False, False])
    found = mixed(vectors, rows, known[:4], is_mixed, fixed, memory, known, np.array([8]), np.random.RandomState(0))
    found[0].sum().backward(retain_graph=True)
    torch.testing.assert_close(vectors.grad, torch.tensor([0.75, 0, 0, 0.25])[:, None].expand(4, 4))
    vectors.grad = None
    found[1].sum().backward()
    torch.testing.assert_close(vectors.grad, torch.tensor([0, 0.5, 0, 0])[:, None].expand(4, 4))
    torch.testing.assert_close(found[1], 0.5 * vectors[1] + 0.5)


def test_remix_and_mixup_draw_from_the_classes_and_steps_that_their_samplers_do() -> None:
    vectors, rows, labels = among(40)
    labels = (rows >= 8).astype(np.int64)
    known = Candidates(rows, labels, vectors.numpy(), np.array([8, 32]))
    draw = np.random.RandomState(0)
    of_remix = [partners(Remix(alpha=1.0, kappa=3.0, tau=0.5))(2, known, draw) for _ in range(200)]
    assert {labels[each[0]] for each in of_remix if each} == {1}
    steps = np.array([each[1] for each in of_remix if each])
    assert steps.max() < 0.5
    assert steps.mean() == pytest.approx(0.25, abs=0.03)  # uniform below tau
    assert partners(Remix(kappa=5.0))(2, known, draw) is None  # no class is five times as large
    of_mixup = [partners(Mixup(alpha=1.0))(2, known, draw) for _ in range(200)]
    assert {each[0] for each in of_mixup if each} == {0, 1, 3, 4, 5, 6, 7}
    assert np.mean([each[1] for each in of_mixup if each]) == pytest.approx(0.5, abs=0.06)


def test_what_is_not_known_within_batches_is_refused_in_a_sentence_that_names_what_is() -> None:
    with pytest.raises(UserError, match=r"cannot make rows as ADASYN does: choose augmenter=smote, mixup, remix"):
        partners(ADASYN())
    # A class that comes from one that is known may make its rows otherwise.
    own = type("Own", (SMOTE,), {})
    for sampler in (own(), SMOTENC(categorical_features=[0])):
        with pytest.raises(UserError, match=f"cannot make rows as {type(sampler).__name__} does"):
            partners(sampler)
    with pytest.raises(UserError, match=r"augmenter.shrinkage=1 has no meaning within batches"):
        partners(RandomOverSampler(shrinkage=1.0))
    with pytest.raises(UserError, match=r"augmenter.k_neighbors=NearestNeighbors cannot search within batches"):
        partners(SMOTE(k_neighbors=NearestNeighbors()))


def test_a_memory_holds_the_rows_read_last_each_once() -> None:
    memory = Memory(3)
    memory.add(np.array([1, 2, 3]), torch.eye(3))
    memory.add(np.array([1, 9]), 5 * torch.eye(3)[:2])
    assert memory.rows.tolist() == [3, 1, 9]
    torch.testing.assert_close(memory.vectors(torch.zeros(1, 3))[1], torch.tensor([5.0, 0, 0]))


def test_a_memory_that_was_restored_goes_to_the_device_of_what_is_new() -> None:
    memory = Memory(3)
    memory.add(np.array([1]), torch.eye(3)[:1])  # as a checkpoint brings it
    like = torch.zeros(1, 3, device="meta")
    memory.add(np.array([2]), like)
    assert memory.vectors(like).device == like.device


def test_batches_have_the_classes_of_the_account_and_mix_only_what_is_new(make: Make) -> None:
    for sampler, mixes in ((SMOTE(k_neighbors=2), True), (RandomOverSampler(), False), (FunctionSampler(), False)):
        data = make(sampler)
        for member, counts in enumerate(data.class_counts()):
            slots = Slots.of(data, member)
            np.testing.assert_array_equal(np.bincount(slots.labels), counts)
            np.testing.assert_array_equal(data.labels[slots.rows], slots.labels)
            assert slots.is_mixed.any() == mixes
            assert np.isin(slots.rows, data.training_sets[member].real).all()


def test_samplers_of_one_amount_read_the_same_rows_in_the_same_slots(make: Make) -> None:
    repeated, mixing = make(RandomOverSampler()), make(SMOTE(k_neighbors=2))
    for member, training_set in enumerate(repeated.training_sets):
        one, other = Slots.of(repeated, member), Slots.of(mixing, member)
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.labels, other.labels)
        made = one.rows[len(training_set.real) :]
        assert len(made)
        for label in np.unique(repeated.labels[made]):
            of_class = training_set.real[repeated.labels[training_set.real] == label]
            times = [np.sum(made == row) for row in of_class]
            assert max(times) - min(times) <= 1


# Networks


@pytest.mark.parametrize("rank", [None, 2, 0])
def test_the_encoder_that_is_handed_on_says_what_the_network_says(
    tuning: Callable[..., Tuning], make: Make, rank: int | None, texts: LabelledTexts
) -> None:
    own = tuning(rank=rank, dropout=0.0)
    stack = own.stack(make(), [0, 1], repeated, steps=[4], judged=[])
    with StepsBar(1, is_wanted=False) as bar:
        own.train(stack, bar)
    frozen = own.encoder.encode(texts.texts)
    said = []
    for place in range(2):
        tuned = TunedEncoder.of(own.encoder, stack.network(place).encoder_weights()).encode(texts.texts)
        with torch.inference_mode():
            direct = stack.network(place).eval().representations(own.encoder.tokens(texts.texts)).numpy()
        np.testing.assert_allclose(tuned, direct, atol=1e-5)
        assert np.array_equal(tuned, frozen) == (rank == 0)
        said.append(tuned)
    assert np.array_equal(said[0], said[1]) == (rank == 0)  # each member has its own


@pytest.mark.parametrize("rank", [None, 2])
def test_a_member_alone_is_the_same_to_the_bit_as_beside_another(
    tuning: Callable[..., Tuning], make: Make, rank: int | None
) -> None:
    own, data = tuning(rank=rank), make(SMOTE(k_neighbors=2))
    beside = trained(own, data, [0, 1])
    for place in (0, 1):
        (alone,) = trained(own, data, [place])
        assert_same_weights(alone, beside[place])


def test_the_gradient_of_a_batch_in_parts_is_that_of_the_whole(tuning: Callable[..., Tuning], make: Make) -> None:
    data = make()
    whole, parts = (trained(tuning(accumulate=n, dropout=0.0, rank=None), data, [0], steps=1)[0] for n in (1, 3))
    for name, weight in whole.items():
        torch.testing.assert_close(weight, parts[name], atol=1e-3, rtol=1e-3, msg=name)  # a tenth of a step


def test_learning_rates_rise_and_stay(tuning: Callable[..., Tuning], make: Make, monkeypatch: Any) -> None:
    seen: list[float] = []
    step = torch.optim.AdamW.step

    def noted(self: Any, *given: Any, **named: Any) -> Any:
        seen.append(self.param_groups[0]["lr"])
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    trained(tuning(max_steps=10, warmup=0.4, lr=0.4), make(), [0], steps=6)
    assert seen == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_nobody_is_looked_at_and_so_stops_before_learning_rates_have_risen(tuning: Callable[..., Tuning]) -> None:
    assert tuning(max_steps=64, warmup=0.0).steps == [8, 11, 16, 23, 32, 45, 64]
    assert tuning(max_steps=64, warmup=0.25).steps == [16, 23, 32, 45, 64]
    assert tuning(max_steps=64, warmup=1.0).steps == [64]


def test_settings_without_effect_are_not_in_the_name_of_a_tuned_encoder() -> None:
    usual = FineTuned(rank=2, when="batch").of_the_encoder
    assert {"memory", "alpha"} <= usual.keys()
    for rank in (None, 0):
        assert FineTuned(rank=rank, alpha=1.0).of_the_encoder == FineTuned(rank=rank, memory=7).of_the_encoder
    with pytest.raises(UserError, match=r"classifier.memory=-1"):
        FineTuned(memory=-1)


def test_a_loss_whose_code_was_changed_has_other_tuned_encoders(
    tuning: Callable[..., Tuning], make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # whose name would be a time in seconds
    data, names = make(), []
    for number, factor in enumerate((1, 1, 2)):
        written = f"""from synaug.loss import Plain

# try {number}
class Mine(Plain):
    def __call__(self, logits, labels, counts):
        return {factor} * super().__call__(logits, labels, counts)
"""
        (tmp_path / "my_loss.py").write_text(written)
        monkeypatch.delitem(sys.modules, "my_loss", raising=False)
        loss = importlib.import_module("my_loss").Mine()
        names.append(json_sha256(tuning(loss=loss).identity(data, [0])))
    assert names[0] == names[1] != names[2]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU may have bfloat16")
def test_bf16_is_refused_where_it_would_be_float32(tuning: Callable[..., Tuning]) -> None:
    with pytest.raises(UserError, match=r"this run trains on cpu: set classifier.precision=float32"):
        _ = tuning(precision="bf16").arguments


# What may be seen


def changed(texts: LabelledTexts, rows: NDArray[np.int64]) -> LabelledTexts:
    """Other words, and the other label, in some rows."""
    new = [f"orbit moon {row}" if row in rows else text for row, text in enumerate(texts.texts)]
    labels = texts.labels.copy()
    labels[rows] = 1 - labels[rows]
    return replace(texts, texts=new, labels=labels)


@pytest.mark.parametrize("rank", [None, 2])
def test_no_row_that_judges_or_tests_a_member_reaches_its_encoder(
    tuning: Callable[..., Tuning], make: Make, texts: LabelledTexts, rank: int | None
) -> None:
    data = make(SMOTE(k_neighbors=2))
    before = trained(tuning(rank=rank), data, range(6))
    for member, training_set in enumerate(data.training_sets):
        unseen = np.setdiff1d(np.arange(len(texts.labels)), training_set.rows)
        assert np.isin(np.concatenate([training_set.split.test, training_set.left_out]), unseen).all()
        other = changed(texts, unseen)
        # The training set as it is, with everything else changed around it.
        around = replace(data, labels=other.labels)
        (after,) = trained(tuning(given=other, rank=rank), around, [member])
        assert_same_weights(after, before[member])
    seen = changed(texts, data.training_sets[0].rows[:4])
    (after,) = trained(tuning(given=seen, rank=rank), replace(data, labels=seen.labels), [0])
    assert not torch.equal(after["head.weight"], before[0]["head.weight"])


def test_texts_of_test_rows_change_nothing_but_what_is_said_of_them(
    tuning: Callable[..., Tuning], make: Make, texts: LabelledTexts
) -> None:
    data = of_one_split(make(SMOTE(k_neighbors=2)), 0)
    rows = data.splits[0].test[:5]
    other = replace(texts, texts=[f"star {row}" if row in rows else text for row, text in enumerate(texts.texts)])
    before, after = (
        TunedTraining(tuning(given=given), SMOTE(k_neighbors=2), BAGGED).fit(data).splits[0] for given in (texts, other)
    )
    same = ~np.isin(data.splits[0].test, rows)
    np.testing.assert_allclose(before.last[same], after.last[same], atol=1e-5)
    assert not np.allclose(before.last[~same], after.last[~same], atol=1e-5)
    for rule, chosen in before.chosen.items():
        assert chosen.step == after.chosen[rule].step
        np.testing.assert_array_equal(chosen.out_of_fold, after.chosen[rule].out_of_fold)


# Whole trainings, and trainings that are broken off


class Killed(BaseException):
    """What ends a process."""


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Has everything end after so many steps of members, and keeps checkpoints after each round; counts the steps."""
    monkeypatch.setattr(stacks, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(stacks, "TURN_STEPS", 2)
    one_step = stacks.TunedStack._one_step
    left = [0]

    def until(self: Any, *given: Any) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        one_step(self, *given)

    monkeypatch.setattr(stacks.TunedStack, "_one_step", until)

    def set_to(n: int) -> list[int]:
        left[0] = n
        return left

    return set_to


MANY = 10**6


@pytest.mark.parametrize(("rank", "final", "after"), [(2, BAGGED, 17), (None, REFIT, 32)])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(
    tuning: Callable[..., Tuning],
    make: Make,
    dies: Callable[[int], list[int]],
    tmp_path: Path,
    rank: int | None,
    final: str,
    after: int,
) -> None:
    sampler = SMOTE(k_neighbors=2)
    data = of_one_split(make(sampler), 0)
    left = dies(MANY)
    expected = TunedTraining(replace(tuning(rank=rank), cache_dir=tmp_path / "other"), sampler, final).fit(data)
    n_steps = MANY - left[0]
    dies(after)
    with pytest.raises(Killed):
        TunedTraining(tuning(rank=rank), sampler, final).fit(data)
    assert list((tmp_path / "cache" / "tuning").glob("*.safetensors"))
    left = dies(MANY)
    training = TunedTraining(tuning(rank=rank), sampler, final)
    found = training.fit(data)
    assert MANY - left[0] < n_steps  # it did not begin anew
    assert_same(found, expected)
    dies(0)  # until it is recorded, nothing would be trained again
    assert_same(TunedTraining(tuning(rank=rank), sampler, final).fit(data), expected)
    training.forget()
    assert not list((tmp_path / "cache" / "tuning").glob("*.safetensors"))


def test_a_damaged_checkpoint_is_left_and_the_training_begins_anew(
    tuning: Callable[..., Tuning], make: Make, dies: Callable[[int], list[int]], tmp_path: Path
) -> None:
    data = of_one_split(make(), 0)
    dies(14)
    with pytest.raises(Killed):
        TunedTraining(tuning(), FunctionSampler(), BAGGED).fit(data)
    (path,) = (tmp_path / "cache" / "tuning").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    dies(MANY)
    found = TunedTraining(tuning(), FunctionSampler(), BAGGED).fit(data)
    other = TunedTraining(replace(tuning(), cache_dir=tmp_path / "other"), FunctionSampler(), BAGGED).fit(data)
    assert_same(found, other)


def test_one_byte_that_was_flipped_or_a_name_that_is_missing_is_no_checkpoint(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "kept.safetensors"
    tensors = {"0.weights": torch.arange(6.0).reshape(2, 3), "0.step": torch.tensor(3.0), "0.rows": torch.zeros(0, 2)}
    checkpoint.write(path, tensors, {"step": 8})
    found = checkpoint.read(path, ["0.weights"], ["step"])
    assert found is not None
    assert found[1] == {"step": 8}
    for name, each in tensors.items():
        assert torch.equal(found[0][name], each)
    assert checkpoint.read(path, ["0.draw"], []) is None
    assert checkpoint.read(path, [], ["watcher"]) is None
    assert "it lacks 0.draw" in caplog.text
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert checkpoint.read(path) is None
    assert "it was altered" in caplog.text


def test_spaces_are_tuned_once_whatever_is_killed_and_each_member_has_its_own(
    tuning: Callable[..., Tuning], make: Make, dies: Callable[[int], list[int]], tmp_path: Path, caplog: Any
) -> None:
    data = make()
    own = tuning(when="features")
    dies(MANY)
    expected = tuned_spaces(replace(own, cache_dir=tmp_path / "other"), data, tmp_path / "neighbours").of_members
    for after in (20, 30):
        dies(after)
        with pytest.raises(Killed):
            tuned_spaces(own, data, tmp_path / "neighbours")
    dies(MANY)
    with caplog.at_level(logging.INFO):
        found = tuned_spaces(own, data, tmp_path / "neighbours").of_members
    assert "at most" in caplog.text
    assert list(found) == [(0, 0), (0, 1), (0, None), (1, 0), (1, 1), (1, None)]
    for member, space in found.items():
        np.testing.assert_array_equal(space.embeddings, expected[member].embeddings)
    vectors = [space.embeddings for space in found.values()]
    assert len({vector.tobytes() for vector in vectors}) == 6
    dies(0)  # nothing is trained any more
    again = tuned_spaces(tuning(when="features"), data, tmp_path / "neighbours")
    assert again.optimiser_steps == 0
    np.testing.assert_array_equal(again.of_members[1, None].embeddings, vectors[-1])
    with pytest.raises(Killed):  # of another loss, they are other encoders
        tuned_spaces(replace(own, loss=ClassWeighted(), told={"loss": "other"}), data, tmp_path / "neighbours")


def test_synthetic_rows_and_heads_lie_in_the_space_of_their_member(
    tuning: Callable[..., Tuning], make: Make, texts: LabelledTexts, tmp_path: Path
) -> None:
    data = make()
    spaces = tuned_spaces(tuning(when="features", max_steps=8), data, tmp_path / "neighbours").lookup
    augmenter, graphs = Augmenter(SMOTE(k_neighbors=2)), neighbour_graphs(data.embeddings, data.labels)
    tuned = augment(texts, data.embeddings, data.splits, augmenter, graphs, ratio=2.0, spaces=spaces)
    for training_set in tuned.training_sets:
        own = spaces(training_set.place, training_set.inner).embeddings
        assert training_set.embeddings is own
        rows, made = training_set.augmented.given, training_set.augmented.synthetic
        between = own[rows.index[made.between]]
        expected = between[:, 0] + made.step[:, None] * (between[:, 1] - between[:, 0])
        np.testing.assert_array_equal(training_set.augmented.synthetic_embeddings, expected)


@pytest.mark.parametrize("validation", [Holdout(0.3), Oracle(0.3)], ids=["holdout", "oracle"])
def test_the_controls_and_replicas_are_served(
    tuning: Callable[..., Tuning], make: Make, tmp_path: Path, validation: Validation
) -> None:
    sampler = SMOTE(k_neighbors=2)
    data = make(sampler, validation=validation, replicas=2)
    own = tuning(max_steps=8)
    predictions = TunedTraining(own, sampler, validation.final).fit(data)
    assert predictions.members == 2 * 2 * 2
    for split, said in zip(data.splits, predictions.splits, strict=True):
        for chosen in said.chosen.values():
            assert chosen.step == 8
            assert chosen.out_of_fold.shape == (len(split.out_of_fold), 2)
            np.testing.assert_allclose(np.exp(chosen.test).sum(1), 1)
    spaces = tuned_spaces(own, make(validation=validation), tmp_path / "neighbours").of_members
    assert list(spaces) == [(0, 0), (0, None), (1, 0), (1, None)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: what a GPU says cannot be compared")
def test_a_gpu_says_what_a_cpu_says(tuning: Callable[..., Tuning], make: Make) -> None:
    data = make(SMOTE(k_neighbors=2))
    own = tuning(dropout=0.0, precision="float32")
    of_cpu = trained(own, data, [0])[0]
    of_gpu = trained(replace(own, trainer={**QUIET, "accelerator": "gpu"}), data, [0])[0]
    for name, weight in of_cpu.items():
        torch.testing.assert_close(of_gpu[name], weight, atol=1e-3, rtol=1e-2)


# The whole program


def runner(program: Program, tiny: Path, csv: str) -> Callable[..., Any]:
    """Runs synaug on toy texts with the tiny encoder."""

    def call(*arguments: str) -> Any:
        encoder = ["encoder=huggingface", f"encoder.model={tiny}", "encoder.pooling=mean", "encoder.max_length=24"]
        small = ["n_folds=2", "validation.n_folds=2", "trainer.enable_progress_bar=false", "max_steps=16"]
        return program(*TOY, csv, *encoder, *small, *arguments)

    return call


@pytest.fixture
def run(program: Program, tiny: Path, csv: str) -> Callable[..., Any]:
    return runner(program, tiny, csv)


SMALL = ["classifier.max_steps=8", "classifier.batch_size=8"]


def test_what_trains_no_encoder_is_the_frozen_result_to_the_bit(run: Callable[..., Any], program: Program) -> None:
    for classifier in (
        ["classifier=mlp"],
        ["classifier=lora", "classifier.rank=0", *SMALL],
        ["classifier=finetune", "classifier.lr=0", *SMALL],
        ["classifier=lora", "classifier.lr=0", *SMALL],
    ):
        done = run("augmenter=smote", *classifier)
        assert done.code == 0, done.err
    frozen, *tuned = sorted(program.records(), key=lambda each: each["choices"]["classifier"] != "mlp")
    assert len(tuned) == 3
    for each in tuned:
        for table in ("scores", "validation_scores", "balance", "curves", "best", "quality", "tau_norm", "confusion"):
            assert each[table] == frozen[table], table
        assert each["probabilities_sha256"] == frozen["probabilities_sha256"]


@pytest.mark.usefixtures("no_figures")
def test_frozen_and_tuned_stand_on_one_page(run: Callable[..., Any], program: Program) -> None:
    # Two commands, as a frozen classifier has no steps of an encoder that could be few; the second reports both.
    for classifier in (["classifier=mlp"], ["classifier=finetune", "report=true", *SMALL]):
        done = run("--multirun", "augmenter=none,smote", *classifier)
        assert done.code == 0, done.err
    records = program.records()
    assert {each["choices"]["classifier"] for each in records} == {"mlp", "finetune"}
    page = (program.folder / "multirun/default/report/index.html").read_text()
    table = page[page.index('<section id="classifiers">') :]
    assert "over mlp" in table
    assert table.index(">mlp<") < table.index(">finetune<")


def test_a_run_within_batches_is_recorded_as_one_with_synthesis(run: Callable[..., Any], program: Program) -> None:
    done = run("classifier=lora", "classifier.when=batch", "augmenter=smote", "loss=class_weighted", *SMALL)
    assert done.code == 0, done.err
    recorded = program.record()
    columns = recorded["balance"]["columns"]
    assert sum(row[columns.index("new")] for row in recorded["balance"]["data"]) > 0
    assert recorded["quality"]["data"] == []  # its rows are made anew with each batch
    assert recorded["tau_norm"]["data"]
    assert json.dumps(recorded["cost"]["optimiser_steps"]) != "0"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["classifier.when=batch", "augmenter=adasyn"], "cannot make rows as ADASYN does"),
        (["classifier.when=batch", "standardize=true"], "standardize=true scales vectors once, but"),
        (["augmenter=texts", "augmenter.path=WRITTEN"], "uses vectors from before the encoder is tuned"),
        (["classifier.rank=-1"], "classifier.rank=-1 must be at least 0"),
        (["+trainer.precision=16-mixed"], "trainer.precision=16-mixed cannot be used with a classifier that is"),
        (["classifier.precision=bf16", "trainer.accelerator=cpu"], "and this run trains on cpu: set classifier.prec"),
        (["classifier.when=later"], "classifier.when=later must be one of features, batch"),
    ],
)
def test_what_cannot_be_tuned_is_said_before_anything_is_encoded(
    run: Callable[..., Any], program: Program, given: list[str], said: str
) -> None:
    toy.written(*toy.texts(60)).to_csv(program.folder / "written.csv", index=False)
    given = [each.replace("WRITTEN", str(program.folder / "written.csv")) for each in given]
    done = run("classifier=lora", *given)
    assert done.code == 1
    assert said in done.err
    assert not list(program.folder.glob("cache/embeddings/*"))


def test_an_encoder_without_weights_cannot_be_tuned(program: Program, csv: str) -> None:
    done = program(*TOY, csv, "classifier=lora")
    assert done.code == 1
    assert "encoder._target_=tests.toy.HashingEncoder has no weights to fine-tune" in done.err
