"""The stack: what a member computes does not depend on who stands beside it, or on who leaves."""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray
from pytorch_lightning import Trainer

from synaug.augmenter import Augmenter
from synaug.classifier import Classifier
from synaug.classifier.stacked import StackedLinear, StackedMLP
from synaug.dataset import LabelledTexts
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.loss import LDAM, ClassWeighted, Focal, LogitAdjusted, Loss, Plain
from synaug.seeding import derive_seed
from synaug.splits import make_splits
from synaug.training.batches import RowPool
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.training_sets import TrainingData, augment, member_seeds, neighbour_graphs
from synaug.validation import Nested

LOOKS = (8, 11, 16, 23, 32)
SPLITS, FOLDS, REPLICAS = 4, 3, 2
INNER = SPLITS * FOLDS * REPLICAS
WIDTH, N_CLASSES = 24, 3

Weights = dict[str, torch.Tensor]


def make_data(standardize: bool = False, replicas: int = REPLICAS, amount: float = 1.0) -> TrainingData:
    draw = np.random.RandomState(0)
    labels = np.repeat([0, 1, 2], 130)
    embeddings = (draw.standard_normal((390, WIDTH)) + 1.2 * draw.standard_normal((3, WIDTH))[labels]).astype(
        np.float32
    )
    texts = LabelledTexts("toy", [str(row) for row in range(390)], labels, ("a", "b", "c"))
    splits = make_splits(
        "toy", labels, texts.class_names, ImbalanceRatio(8.0), seeds=[0], n_folds=SPLITS, validation=Nested(FOLDS)
    )
    graphs = neighbour_graphs(embeddings, labels)
    sampler = Augmenter(SMOTE(k_neighbors=2), amount)
    return augment(texts, embeddings, splits, sampler, graphs, ratio=8.0, replicas=replicas, standardize=standardize)


def only(data: TrainingData, members: Sequence[int]) -> TrainingData:
    """What these members train on, and nothing else."""
    return replace(data, training_sets=[data.training_sets[member] for member in members])


class Recorder:
    """Keeps what each member is and says at each look, and lets members leave after the looks that it is told."""

    def __init__(self, module: EmbeddingDataModule, leaves_at: Mapping[int, int]) -> None:
        self.module = module
        self.leaves_at = leaves_at
        self.steps: list[int] = []
        self.weights: dict[tuple[int, int], Weights] = {}
        self.said: dict[tuple[int, int], NDArray[np.float64]] = {}
        self.train_loss: dict[tuple[int, int], float] = {}

    def look(
        self, step: int, train_loss: NDArray[np.float64], log_probabilities: NDArray[np.float64], stack: Classifier
    ) -> NDArray[np.intp]:
        running = self.module.running
        self.steps.append(step)
        for position, member in enumerate(running):
            training_set = self.module.data.training_sets[member]
            rows = training_set.split.test if training_set.inner is None else training_set.left_out
            self.weights[step, member] = {name: weight[position].clone() for name, weight in stack.weights.items()}
            self.said[step, member] = log_probabilities[position, : len(rows)]
            self.train_loss[step, member] = float(train_loss[position])
        going_on = [place for place, member in enumerate(running) if self.leaves_at.get(member, LOOKS[-1] + 1) > step]
        self.module.running = [running[place] for place in going_on]
        return np.array(going_on, dtype=np.intp)


def trainer(n_epochs: int = len(LOOKS)) -> Trainer:
    return Trainer(
        max_epochs=n_epochs,
        reload_dataloaders_every_n_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def trained(
    data: TrainingData,
    members: Sequence[int],
    leaves_at: Mapping[int, int] | None = None,
    looks: Sequence[int] = LOOKS,
    loss: Loss | None = None,
    **changes: Any,
) -> Recorder:
    """Train some members in one stack; what is found of them is by their places among all."""
    pool = RowPool(data.embeddings, data.labels, data.training_sets)
    module = EmbeddingDataModule(data, pool, members, batch_size=16, looks=looks)
    recorder = Recorder(module, leaves_at or {})
    seeds = [
        derive_seed("weights", *member_seeds(each.split, each.inner, each.replica))
        for each in (data.training_sets[member] for member in members)
    ]
    stack = Classifier(
        n_features=WIDTH,
        n_classes=N_CLASSES,
        seeds=seeds,
        class_counts=data.class_counts()[list(members)],
        loss=loss,
        watcher=recorder,
        **changes,
    )
    trainer(len(looks)).fit(stack, module)
    return recorder


def assert_same(together: Recorder, member: int, alone: Recorder, place: int, looks: Sequence[int] = LOOKS) -> None:
    """A member of a stack, and the same one in another, are one to the bit."""
    for step in looks:
        for name, weight in alone.weights[step, place].items():
            assert torch.equal(together.weights[step, member][name], weight), (step, name)
        np.testing.assert_array_equal(together.said[step, member], alone.said[step, place])
        assert together.train_loss[step, member] == alone.train_loss[step, place]


# Of the inner members of split 1 those of one replica, of the others some: a stack that shrinks at every look.
LEAVES_AT = {member: LOOKS[member % 4] for member in range(INNER) if member % 6 and not 6 <= member < 9}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("standardize", [False, True])
def test_a_member_alone_is_bit_identical_to_the_same_member_in_a_stack_that_others_leave(standardize: bool) -> None:
    data = make_data(standardize)
    together = trained(data, range(INNER), LEAVES_AT)
    n_running = [sum((step, member) in together.weights for member in range(INNER)) for step in LOOKS]
    assert n_running[0] == INNER
    assert (np.diff(n_running) < 0).all()
    # Of an inner fold, its replica, one in the middle and the last that goes on.
    for member in (0, 7, 8, 18):
        assert_same(together, member, trained(only(data, [member]), [0]), 0)


def test_a_fit_on_all_rows_alone_is_bit_identical_to_the_same_one_among_others() -> None:
    data = make_data()
    whole = range(INNER, len(data.training_sets))
    together = trained(data, whole)
    for member in (whole[0], whole[3], whole[-1]):
        assert_same(together, member, trained(only(data, [member]), [0]), 0)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("members", [range(INNER), range(INNER, INNER + SPLITS * REPLICAS)])
def test_threads_keep_members_apart_too(members: Sequence[int]) -> None:
    # Few steps: threads that wait for each other are slow where others need the processors.
    data, looks = make_data(), LOOKS[:3]
    together = trained(data, members, LEAVES_AT, looks)
    for member in members[:19:18]:
        assert_same(together, member, trained(only(data, [member]), [0], looks=looks), 0, looks)


def test_a_member_that_leaves_has_been_the_same_until_then() -> None:
    data = make_data()
    together = trained(data, range(INNER), LEAVES_AT)
    for member, last in list(LEAVES_AT.items())[::4]:
        looks = [step for step in LOOKS if step <= last]
        assert_same(together, member, trained(only(data, [member]), [0]), 0, looks)
        assert not any((step, member) in together.weights for step in LOOKS if step > last)


@pytest.mark.parametrize(
    "loss", [ClassWeighted(), LogitAdjusted(), Focal(), LDAM()], ids=lambda loss: type(loss).__name__
)
def test_losses_that_know_class_counts_keep_each_members_own_when_others_leave(loss: Loss) -> None:
    data = make_data(replicas=1, amount=0.2)
    assert len(np.unique(data.class_counts(), axis=0)) > 1
    n_inner = len(data.inner)
    together = trained(data, range(n_inner), dict.fromkeys(range(0, n_inner, 2), LOOKS[1]), loss=loss)
    for member in (1, n_inner - 1):
        assert_same(together, member, trained(only(data, [member]), [0], loss=loss), 0)


@pytest.mark.parametrize(
    "optimizer",
    [
        functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
        functools.partial(torch.optim.SGD, lr=0.1),
        functools.partial(torch.optim.AdamW, lr=1e-2, amsgrad=True),
        functools.partial(torch.optim.RMSprop, lr=1e-3, momentum=0.5, centered=True),
        functools.partial(torch.optim.Adagrad, lr=1e-2),
        functools.partial(torch.optim.NAdam, lr=1e-3),
    ],
    ids=lambda optimizer: optimizer.func.__name__,
)
def test_each_member_keeps_its_optimisers_moments_when_others_leave(optimizer: Any) -> None:
    data = make_data(replicas=1)
    n_inner = len(data.inner)
    leaves_at = dict.fromkeys(range(0, n_inner, 2), LOOKS[1])
    together = trained(data, range(n_inner), leaves_at, optimizer=optimizer)
    assert_same(together, 5, trained(only(data, [5]), [0], optimizer=optimizer), 0)


@pytest.mark.parametrize("hidden", [(), (7,), (16, 5)])
def test_layers_that_fill_no_vector_register_keep_members_apart_too(hidden: Sequence[int]) -> None:
    data = make_data(replicas=1)
    n_inner = len(data.inner)
    leaves_at = dict.fromkeys(range(0, n_inner, 3), LOOKS[1])
    together = trained(data, range(n_inner), leaves_at, hidden=hidden)
    assert_same(together, 4, trained(only(data, [4]), [0], hidden=hidden), 0)


def test_training_ends_when_all_members_have_left() -> None:
    data = make_data(replicas=1)
    found = trained(data, range(3), dict.fromkeys(range(3), LOOKS[2]))
    assert found.steps == list(LOOKS[:3])


def test_members_are_looked_at_after_the_steps_asked_for() -> None:
    data = make_data(replicas=1)
    for looks in (LOOKS, (3,), (1, 2, 40)):
        assert trained(data, range(2), looks=looks).steps == list(looks)


def test_a_stacked_layer_starts_and_multiplies_as_torch_linear() -> None:
    layer = StackedLinear(5, 3, [torch.Generator().manual_seed(seed) for seed in (7, 8)])
    x = torch.randn(2, 4, 5)
    for index in range(2):
        expected = torch.nn.functional.linear(x[index], layer.weight[index].T, layer.bias[index, 0])
        torch.testing.assert_close(layer(x)[index], expected)
    assert layer.weight.abs().max() <= 1 / 5**0.5
    assert not torch.equal(layer.weight[0], layer.weight[1])


def test_no_hidden_layer_makes_a_linear_model() -> None:
    network = StackedMLP(4, 3, [], [0, 1])
    assert [type(layer) for layer in network.layers] == [StackedLinear]
    x, y = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    zero = torch.zeros(2, 5, 4)
    torch.testing.assert_close(network(x) + network(y) - network(zero), network(x + y))


def test_initial_weights_depend_on_the_members_own_seed_alone() -> None:
    one, other = StackedMLP(4, 3, [6], [5, 6]), StackedMLP(4, 3, [6], [9, 5])
    for (_, left), (_, right) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(left[0], right[1])
        assert not torch.equal(left[1], right[0])


def test_weights_that_were_kept_are_loaded_whoever_is_left_in_the_stack() -> None:
    stack = Classifier(n_features=4, n_classes=3, seeds=[0, 1])
    kept = Classifier(n_features=4, n_classes=3, seeds=[5, 6, 7])
    stack.load(kept.weights)
    x = torch.randn(3, 2, 4)
    assert torch.equal(stack(x), kept(x))


def test_the_training_loss_of_a_look_is_the_mean_over_the_steps_since_the_last() -> None:
    steps = itertools.count(1)

    class Counted(Plain):
        def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            return super().__call__(logits, labels, counts) * 0 + next(steps)

    found = trained(make_data(replicas=1), range(2), looks=(8, 11, 16), loss=Counted())
    for step, mean in ((8, 4.5), (11, 10.0), (16, 14.0)):
        assert [found.train_loss[step, member] for member in range(2)] == [mean] * 2


def test_what_members_say_are_log_probabilities_of_their_own_weights() -> None:
    data = make_data(replicas=1)
    found = trained(data, range(4))
    for member in range(4):
        rows = torch.from_numpy(data.embeddings[data.training_sets[member].left_out])
        weights = found.weights[LOOKS[-1], member]
        first = torch.relu(rows @ weights["layers.0.weight"] + weights["layers.0.bias"])
        logits = (first @ weights["layers.1.weight"] + weights["layers.1.bias"]).double()
        said = found.said[LOOKS[-1], member]
        np.testing.assert_allclose(said, logits.log_softmax(-1).numpy(), atol=1e-5)
        np.testing.assert_allclose(np.exp(said).sum(1), 1, rtol=1e-13)


def test_the_loss_is_what_the_config_says() -> None:
    data = make_data(replicas=1)
    plain, smooth = (trained(data, [0], looks=(8,), loss=loss) for loss in (None, Plain(label_smoothing=0.2)))
    same = trained(data, [0], looks=(8,), loss=Plain())
    for name, weight in plain.weights[8, 0].items():
        assert torch.equal(same.weights[8, 0][name], weight)
        assert not torch.equal(smooth.weights[8, 0][name], weight)


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(UserError, match=r"classifier.hidden=\[0\] must hold positive widths"):
        Classifier(n_features=2, n_classes=2, seeds=[0], hidden=[0])


def test_steps_without_torch_s_fused_optimiser_agree_to_rounding() -> None:
    data = make_data(replicas=1)
    choices: tuple[dict[str, Any], ...] = ({}, {"fused": False})
    fused, plain = (
        trained(data, range(4), {0: 11}, optimizer=functools.partial(torch.optim.Adam, **options))
        for options in choices
    )
    for name, weight in fused.weights[LOOKS[-1], 3].items():
        torch.testing.assert_close(weight, plain.weights[LOOKS[-1], 3][name], atol=1e-4, rtol=1e-3, msg=name)


def test_operations_are_those_of_the_matrix_products() -> None:
    stack = Classifier(n_features=10, n_classes=3, seeds=[0, 1], hidden=[4])
    first, second = 10 * 4, 4 * 3
    # Forwards and backwards by the weights, and backwards by the second layer's input.
    assert stack.flops(trained=1, judged=0) == 2 * (2 * first + 3 * second)
    assert stack.flops(trained=0, judged=5) == 5 * 2 * (first + second)
