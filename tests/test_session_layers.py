"""Layers for sessions against their authors' programs."""

import json

import helpers
import keras
import numpy as np
import pytest
from helpers import compiled, gradient
from keras import ops
from precision import TOLERANCE, precision

from keras_noisy import layers
from keras_noisy.models import SRGNN

GOLDEN = json.loads((helpers.TESTS / "golden_session.json").read_text())
SESSION, PERSONAL = GOLDEN["session"], GOLDEN["personal"]
WEIGHTS = {k: np.array(v) for k, v in SESSION["weights"].items()}
both_dtypes = pytest.mark.parametrize(
    "dtype", ["float64", pytest.param("float32", marks=pytest.mark.once)]
)
CLICKS = np.array([s + [0] * (5 - len(s)) for s in SESSION["sessions"]])


def gradients(value, variables, dtype="float32"):
    """Gradients with respect to several variables, by one program."""
    arrays = [np.array(numpy(variable), dtype) for variable in variables]
    ends = np.cumsum([array.size for array in arrays])

    def of_all(x):
        x = ops.convert_to_tensor(x)
        parts = [
            (variable, ops.reshape(x[end - array.size : end], array.shape))
            for variable, array, end in zip(
                variables, arrays, ends, strict=True
            )
        ]
        with keras.StatelessScope(parts):
            return value()

    slopes = gradient(of_all, np.concatenate([a.ravel() for a in arrays]))
    return [
        part.reshape(array.shape)
        for part, array in zip(np.split(slopes, ends), arrays, strict=False)
    ]


def numpy(x):
    return ops.convert_to_numpy(x)


def close(found, wanted, dtype="float64", tolerance=None):
    tolerance = tolerance or TOLERANCE[dtype]
    wanted = np.array(wanted)
    np.testing.assert_allclose(
        numpy(found), wanted, rtol=tolerance, atol=tolerance
    )


def keras_gates(rows):
    """Gates reset, update, new of PyTorch in the order of Keras."""
    reset, update, new = np.split(rows, 3)
    return np.concatenate([update, reset, new]).T


def published(dtype, **arguments):
    """SR-GNN with the weights of the golden file."""
    model = SRGNN(6, 3, dtype=dtype, **arguments)
    w = WEIGHTS
    edges = [f"gnn.linear_edge_{way}" for way in ("in", "out")]
    model.items.embeddings.assign(w["embedding.weight"][1:])
    model.cell.kernel.assign(
        np.concatenate([w[f"{edge}.weight"].T for edge in edges], 1)
    )
    model.cell.bias.assign(
        np.concatenate([w[f"{edge}.bias"] for edge in edges])
    )
    model.cell.message_bias.assign(
        np.concatenate([w["gnn.b_iah"], w["gnn.b_oah"]])
    )
    model.cell.gru.kernel.assign(keras_gates(w["gnn.w_ih"]))
    model.cell.gru.recurrent_kernel.assign(keras_gates(w["gnn.w_hh"]))
    model.cell.gru.bias.assign(
        np.stack([keras_gates(w[f"gnn.b_{x}h"]) for x in "ih"])
    )
    model.readout.last_kernel.assign(w["linear_one.weight"].T)
    model.readout.kernel.assign(w["linear_two.weight"].T)
    model.readout.bias.assign(w["linear_one.bias"] + w["linear_two.bias"])
    model.readout.query.assign(w["linear_three.weight"].T)
    model.session.kernel.assign(w["linear_transform.weight"].T)
    model.session.bias.assign(w["linear_transform.bias"])
    if model.interest is not None:
        model.interest.kernel.assign(w["linear_t.weight (TAGNN)"].T)
    return model


@pytest.mark.parametrize("transposed", [False, True])
def test_graph_of_every_session(transposed):
    """The matrices of the nodes are at the first clicks of the items."""
    found = layers.SessionGraph(transposed=transposed)(CLICKS)
    nodes = np.array(SESSION["graph"]["A"])
    size = nodes.shape[1]
    for matrix, half in zip(found, (0, 1), strict=True):
        for row, clicks in enumerate(CLICKS):
            alias = SESSION["graph"]["alias"][row]
            of_nodes = nodes[row][:, half * size : (half + 1) * size]
            wanted = np.zeros((5, 5))
            for i, j in np.ndindex(5, 5):
                first = list(clicks).index(clicks[j]) == j
                if clicks[i] and clicks[j] and first:
                    pair = (
                        (alias[j], alias[i])
                        if transposed
                        else (
                            alias[i],
                            alias[j],
                        )
                    )
                    wanted[i, j] = of_nodes[pair]
            close(matrix[row], wanted)


def test_graph_of_a_history_in_the_form_of_the_personal_program():
    """Earlier sessions stand before this one, after a 0 each."""
    histories = PERSONAL["histories"]
    graph = layers.SessionGraph(counts=True, transposed=True)
    rows = []
    for example in PERSONAL["examples"]:
        history = histories[str(example["user"])][: example["sess_len"]]
        items = [x for session in history for x in [*session, 0]]
        items += [example["node"][i] for i in example["seq_alias"]]
        rows.append(items + [0] * (10 - len(items)))
    for clicks, example, *matrices in zip(
        rows,
        PERSONAL["examples"],
        *map(numpy, graph(np.array(rows))),
        strict=True,
    ):
        places = [clicks.index(i) for i in example["node"][1:]]
        for matrix, name in zip(matrices, ("A_in", "A_out"), strict=True):
            wanted = np.array(example[name])[1:, 1:]
            close(matrix[np.ix_(places, places)], wanted)
            assert np.delete(matrix, places, axis=1).any() == 0


@both_dtypes
def test_published_model_and_its_gradients(dtype):
    """States, scores, and the gradient of the mean cross-entropy."""
    golden, labels = SESSION["SR-GNN"], np.array(SESSION["targets"]) - 1
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, dtype=dtype
    )
    with precision(dtype):
        model = published(dtype)
        clicks = ops.convert_to_tensor(CLICKS)

        @compiled
        def states_and_scores(clicks):
            vectors, _, _ = model._looked_up(model.items, clicks)
            return model.cell(vectors, *model.graph(clicks)), model(clicks)

        states, scores = states_and_scores(clicks)
        states = numpy(states)
        for row, alias in enumerate(SESSION["graph"]["alias"]):
            length = len(SESSION["sessions"][row])
            nodes = np.array(golden["nodes"][row])[alias[:length]]
            close(states[row, :length], nodes, dtype)
        close(scores, golden["scores"], dtype)
        close(loss(labels, scores), golden["loss"], dtype)

        variables = (
            model.items.embeddings,
            model.cell.gru.kernel,
            model.session.kernel,
        )
        slopes = gradients(
            lambda: loss(labels, model(clicks)), variables, dtype
        )
    close(slopes[0], golden["grad_embedding"][1:], dtype)
    of_gru = keras_gates(np.array(golden["grad_gnn.w_ih"]))
    close(slopes[1], of_gru, dtype)
    close(slopes[2].T, golden["grad_linear_transform.weight"], dtype)


@both_dtypes
def test_other_forms_of_the_published_model(dtype):
    """Two steps, the readout without the last click, and TAGNN."""
    with precision(dtype):
        clicks = ops.convert_to_tensor(CLICKS)
        twice = published(dtype, steps=2)
        targeted = published(dtype, target_attention=True)
        model = published(dtype)

        @compiled
        def all_scores(clicks):
            vectors, valid, _ = model._looked_up(model.items, clicks)
            states = model.cell(vectors, *model.graph(clicks))
            whole = model.readout(states, mask=valid)[:, :3]
            items = ops.transpose(model.items.embeddings)
            return twice(clicks), targeted(clicks), ops.matmul(whole, items)

        found = all_scores(clicks)
    names = "SR-GNN step 2", "TAGNN", "SR-GNN nonhybrid"
    for scores, name in zip(found, names, strict=True):
        close(scores, SESSION[name]["scores"], dtype)


def test_interest_in_slices_is_interest_in_one_piece():
    """Scores, their gradients, and the vectors that are never stored."""
    draw = np.random.default_rng(0).normal
    states = keras.Variable(draw(size=(3, 4, 2)), dtype="float32")
    items = keras.Variable(draw(size=(5, 2)), dtype="float32")
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
    kernel = np.array([[1.0, -0.5], [2.0, 0.3]])
    found = []
    for size in (5, 2):
        layer = layers.InterestScores(slice_size=size)
        layer.build((3, 4, 2))
        layer.kernel.assign(kernel)

        def scores(layer=layer):
            pair = (ops.convert_to_tensor(x) for x in (states, items))
            return layer(*pair, states_mask=mask)

        slopes = gradients(
            lambda scores=scores: ops.sum(ops.square(scores())),
            (states, items, layer.kernel),
        )
        found.append([numpy(compiled(scores)()), *slopes])
    for whole, sliced in zip(*found, strict=True):
        close(sliced, whole, "float32")
    scores, of_states, of_items, of_kernel = found[1]
    assert not of_states[~mask].any() and np.abs(of_states).max() > 0.1
    assert np.abs(of_items).max() > 0.1 and np.abs(of_kernel).max() > 0.1
    states, items = numpy(states), numpy(items)
    vectors = numpy(layer.vectors(states, items, mask))
    logits = np.einsum("kd,nld->nlk", items, states @ kernel)
    beta = np.exp(logits) * mask[..., None]
    beta /= np.maximum(beta.sum(1, keepdims=True), 1e-30)
    close(vectors, np.einsum("nlk,nld->nkd", beta, states), "float32")
    close(np.einsum("nkd,kd->nk", vectors, items), scores, "float32")


def test_attention_blocks_of_the_personal_program():
    golden = PERSONAL["stamp_attention"]
    states = np.array(golden["seq"], "float32")
    mask = np.arange(4) < np.array(golden["lengths"])[:, None]
    readout = layers.SessionReadout(project_last=True)
    readout.build(states.shape)
    for weight, key in (
        (readout.last_kernel, "w1"),
        (readout.kernel, "w2"),
        (readout.bias, "b"),
    ):
        weight.assign(golden[key])
    readout.query.assign(np.array(golden["v"]).T)
    close(readout(states, mask=mask), golden["out"], "float32")

    golden = PERSONAL["dot_product_attention"]
    keys = np.array(golden["keys"], "float32")
    mask = np.arange(3) < np.array(golden["key_lengths"])[:, None]
    for normalize in (False, True):
        block = layers.SessionAttention(normalize)
        block.build(states.shape)
        for name, kernel in (
            ("q", block.query_kernel),
            ("k", block.key_kernel),
            ("v", block.value_kernel),
        ):
            kernel.assign(golden["kernels_in_by_out"][name])
        wanted = golden["out_layer_norm" if normalize else "out"]
        close(block(states, keys, mask=mask), wanted, "float32")


@both_dtypes
def test_whole_personal_network(dtype):
    """A-PGNN put together from the layers, pooled without padding."""
    forward = PERSONAL["forward"]
    batch = {k: np.array(v) for k, v in forward["batch"].items()}
    w = {
        k.removeprefix("model/"): np.array(v, dtype)
        for k, v in forward["weights"].items()
    }
    alias = batch["sess_alias"]
    past = (alias > 0).any(-1)
    # Items of the file are numbered from 0, the padding after them.
    items, users = w["embedding"], w["user_embedding"][batch["user"]]
    nodes = batch["items"] - 1
    vectors = np.where((nodes >= 0)[..., None], items[nodes], 0)
    with precision(dtype):
        cell = layers.PersonalizedGraphCell(dtype=dtype)
        cell.build((2, 6, 4), users_shape=(2, 2))
        cell.kernel.assign(np.concatenate([w["W_in"], w["W_out"]], 1))
        cell.bias.assign(np.concatenate([w["b_in"], w["b_out"]]))
        cell.user_kernel.assign(np.concatenate([w["u_in"], w["u_out"]], 1))
        gates, new = (f"GGNN/rnn/gru_cell/{x}" for x in ("gates", "candidate"))

        def gru(part, rows=slice(None)):
            reset, update = np.split(w[f"{gates}/{part}"][rows], 2, axis=-1)
            third = w[f"{new}/{part}"][rows]
            return np.concatenate([update, reset, third], -1)

        cell.gru.kernel.assign(gru("kernel", slice(8)))
        cell.gru.recurrent_kernel.assign(gru("kernel", slice(8, None)))
        cell.gru.bias.assign(gru("bias"))
        blocks = [
            layers.SessionAttention(n, dtype=dtype) for n in (True, False)
        ]
        for block in blocks:
            block.build((2, 3, 4))
            path = "forward/transformer/multihead_attention"
            block.query_kernel.assign(w[f"{path}/q/kernel"])
            block.key_kernel.assign(w[f"{path}/k/kernel"])
            block.value_kernel.assign(w[f"{path}/v/kernel"])
        readouts = []
        for prefix in "uh":
            readout = layers.SessionReadout(project_last=True, dtype=dtype)
            readout.build((2, 3, 4))
            readout.last_kernel.assign(w[f"{prefix}_w1"])
            readout.kernel.assign(w[f"{prefix}_w2"])
            readout.bias.assign(w[f"{prefix}_b"])
            readout.query.assign(w[f"{prefix}_v"].T)
            readouts.append(readout)

        def chosen(states, places):
            """The states at some places of each row."""
            flat = places.reshape(2, -1)
            found = ops.take_along_axis(states, flat[..., None], axis=1)
            return ops.reshape(found, (*places.shape, 4))

        @compiled
        def network(vectors, incoming, outgoing, users):
            states = cell(vectors, incoming, outgoing, users)
            known = ops.where((alias > 0)[..., None], chosen(states, alias), -9)
            pooled = ops.where(past[..., None], ops.max(known, axis=2), 0)
            scores = []
            for block in blocks:
                asked = chosen(states, batch["seq_alias"])
                asked = block(asked, pooled, mask=past)
                parts = [
                    readouts[0](asked),
                    readouts[1](pooled, mask=past),
                    users,
                ]
                session = ops.concatenate(parts, axis=1)
                session = ops.matmul(session, w["forward/B"])
                scores.append(ops.matmul(session, items.T))
            return states, scores

        matrices = [batch[name].astype(dtype) for name in ("A_in", "A_out")]
        given = map(ops.convert_to_tensor, (vectors, *matrices, users))
        states, scores = network(*given)
    for row, known in enumerate(forward["nodes_real"]):
        for node in known:
            place = list(batch["items"][row]).index(node["node"])
            # The program has 32 bits.
            close(states[row][place], node["state"], tolerance=1e-5)
    golden = forward["masked_pool"]
    close(scores[0], golden["logits"], dtype)
    close(scores[1], golden["logits_without_layer_norm"], dtype)
