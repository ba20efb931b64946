"""The training pass has CompressAI's numbers, and less precision only where it says so."""

import copy
from functools import partial

import pytest
import torch
from compressai.layers import GDN
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.exc import InvalidCxxCompiler

from mien.codec import forward as module
from mien.codec.forward import training_forward
from mien.errors import ParamsError
from mien.training.loss import Weighting, bits_per_pixel, scaled_mse

FORMATS = [torch.channels_last, torch.contiguous_format]


@pytest.fixture
def codec(trained_codec):
    return copy.deepcopy(trained_codec).train()


@pytest.fixture
def pictures(faces):
    return faces[:3, :, :64].float().div(255)  # neither square nor a power of two of them


@pytest.fixture(autouse=True)
def forgetful():
    """Drop the graphs of other tests: one process keeps eight of a function."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def graphs(monkeypatch):
    """List the graphs found; eager kernels run them: seconds, not minutes."""
    found = []

    def listed(graph, _inputs):
        found.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=listed))
    return found


def tensors(outputs):
    return [outputs["x_hat"], outputs["likelihoods"]["y"], outputs["likelihoods"]["z"]]


def seeded(forward, x, seed=0):
    """Return the outputs, and the generator's state after them."""
    torch.manual_seed(seed)
    return tensors(forward(x)), torch.get_rng_state()


def loss(outputs, x, weighting):
    terms = {
        "bpp": bits_per_pixel(outputs["likelihoods"], x.numel() // 3),
        "mse": scaled_mse(outputs["x_hat"], x),
    }
    return weighting.total(terms)


def gradient(codec, forward, x, weighting):
    """Return the gradient of the loss by parameter, at seeded noise."""
    torch.manual_seed(0)
    codec.zero_grad()
    loss(forward(x), x, weighting).backward()
    return {name: p.grad.clone() for name, p in codec.named_parameters() if p.grad is not None}


def relative_error(ours, reference, names=None):
    names = list(names or reference)
    squares = sum((ours[name] - reference[name]).square().sum() for name in names)
    return float((squares / sum(reference[name].square().sum() for name in names)).sqrt())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("of_weights", FORMATS)
@pytest.mark.parametrize("of_pictures", FORMATS)
def test_in_float32_it_is_compressai_bit_for_bit(
    codec, pictures, of_pictures, of_weights, training
):
    codec.to(memory_format=of_weights).train(training)
    x = pictures.contiguous(memory_format=of_pictures)
    theirs, their_state = seeded(codec, x)
    ours, our_state = seeded(training_forward(codec, "float32", compiled=False), x)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert torch.equal(our_state, their_state)


@pytest.mark.parametrize("training", [True, False])
def test_what_no_density_expects_keeps_the_bound_of_its_likelihood(codec, pictures, training):
    codec.train(training)
    with torch.no_grad():
        codec.h_a[-1].bias.add_(300)
        codec.g_a[-1].bias.add_(300)
    theirs, _ = seeded(codec, pictures)
    ours, _ = seeded(training_forward(codec, "float32", compiled=False), pictures)
    assert all(tensor.min() == torch.tensor(1e-9) for tensor in theirs[1:])
    assert all(map(torch.equal, ours, theirs))


def test_its_gradients_are_compressais(codec, pictures):
    weighting = Weighting(bpp=1.0, mse=0.05, ce=0.0)
    theirs = gradient(codec, codec, pictures, weighting)
    ours = gradient(codec, training_forward(codec, "float32", False), pictures, weighting)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("compiled", [False, True])
def test_rounded_training_sees_what_is_coded_and_draws_nothing(
    codec, pictures, compiled, graphs
):
    forward = training_forward(codec, "float32", compiled, quantization="rounded")
    noisy, _ = seeded(codec, pictures)
    before = torch.random.manual_seed(0).get_state()
    trained, after = seeded(forward, pictures)
    coded = tensors(codec.eval()(pictures))
    for ours, theirs, other in zip(trained, coded, noisy, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
        assert not torch.allclose(ours, other, rtol=1e-3, atol=1e-5)
    assert torch.equal(after, before)
    assert len(graphs) == compiled


def test_gradients_pass_the_rounding_as_if_there_were_none(codec, pictures):
    """By hand: y_hat and z_hat have the values that are coded, and the gradients of y and z."""
    forward = training_forward(codec, "float32", False, quantization="rounded")
    for bpp, mse in ((0.0, 1.0), (1.0, 0.0)):
        weighting = Weighting(bpp=bpp, mse=mse, ce=0.0)
        ours = gradient(codec, forward, pictures, weighting)
        theirs = gradient(codec, partial(passed_straight, codec), pictures, weighting)
        assert relative_error(ours, theirs) < 1e-4
        cancelled = [ours[name].norm() for name in ours.keys() - theirs.keys()]
        assert max(cancelled) < 1e-4 * ours["g_a.0.weight"].norm()


def passed_straight(codec, x):
    y = codec.g_a(x)
    z = codec.h_a(y)
    medians = codec.entropy_bottleneck._get_medians().detach().reshape(1, -1, 1, 1)
    z_hat = z + ((z - medians).round() + medians - z).detach()
    scales, means = codec.h_s(z_hat).chunk(2, 1)
    y_hat = y + ((y - means).round() + means - y).detach()
    p_z = codec.entropy_bottleneck._likelihood(
        z_hat.permute(1, 0, 2, 3).reshape(codec.N, 1, -1)
    )
    p_y = codec.gaussian_conditional._likelihood(y_hat, scales, means)
    bounded = {
        "y": codec.gaussian_conditional.likelihood_lower_bound(p_y),
        "z": codec.entropy_bottleneck.likelihood_lower_bound(p_z[0]),
    }
    return {"x_hat": codec.g_s(y_hat), "likelihoods": bounded}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_whole_pass_is_one_graph_that_sees_the_noise_of_the_eager_one(
    codec, pictures, precision, graphs
):
    eager = training_forward(codec, precision, compiled=False)
    whole = training_forward(codec, precision, compiled=True)  # a break in it would raise
    expected, expected_state = seeded(eager, pictures)
    for batch in (3, 2, 3):  # a short last batch too
        ours, state = seeded(whole, pictures[:batch])
        if batch == 3:
            assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
            assert torch.equal(state, expected_state)
    assert len(graphs) == 2  # one of each shape
    weighting = Weighting(bpp=1.0, mse=0.05, ce=0.0)
    reference = gradient(codec, eager, pictures, weighting)
    assert relative_error(gradient(codec, whole, pictures, weighting), reference) < 1e-5


def test_compressais_own_pass_breaks(codec, pictures):
    """Or `the whole pass is one graph` would say nothing."""
    with pytest.raises(TorchDynamoException, match="permute"):
        torch.compile(codec, fullgraph=True, backend="eager")(pictures)


def test_compiled_code_follows_the_weights(codec, pictures):
    whole = training_forward(codec, "float32", compiled=True)
    eager = training_forward(codec, "float32", compiled=False)
    with torch.no_grad():
        before = seeded(whole, pictures)[0]
        for parameter in codec.parameters():
            parameter.mul_(1.01)
        ours, theirs = seeded(whole, pictures)[0], seeded(eager, pictures)[0]
    for ours_one, theirs_one in zip(ours, theirs, strict=True):
        torch.testing.assert_close(ours_one, theirs_one, rtol=1e-4, atol=1e-5)
    assert (ours[0] - before[0]).abs().max() > 1e-3


def test_a_rounded_pass_is_never_compiled(codec, pictures, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda *_, **__: pytest.fail)  # fails if called
    whole = training_forward(codec.eval(), "float32", compiled=True)
    with torch.inference_mode():
        assert all(map(torch.equal, tensors(whole(pictures)), tensors(codec(pictures))))


@pytest.mark.parametrize("training", [True, False])
def test_in_bfloat16_the_outputs_are_float32_and_near(codec, pictures, training):
    codec.train(training)
    exact, _ = seeded(codec, pictures)
    rough, _ = seeded(training_forward(codec, "bfloat16", compiled=False), pictures)
    assert [tensor.dtype for tensor in rough] == [torch.float32] * 3
    assert not torch.equal(rough[0], exact[0])
    assert (rough[0] - exact[0]).abs().mean() < 0.01
    bits = [-tensor.detach().log2().sum() for tensor in (*rough[1:], *exact[1:])]
    assert float(bits[0] + bits[1]) == pytest.approx(float(bits[2] + bits[3]), rel=0.01)


@pytest.mark.parametrize(("bpp", "mse", "error"), [(1.0, 0.0, 0.02), (0.0, 0.05, 0.08)])
def test_in_bfloat16_the_gradients_are_near_those_of_gdn_too(codec, pictures, bpp, mse, error):
    weighting = Weighting(bpp=bpp, mse=mse, ce=0.0)
    exact = gradient(codec, codec, pictures, weighting)
    rough = gradient(codec, training_forward(codec, "bfloat16", False), pictures, weighting)
    assert rough.keys() == exact.keys()
    assert 0 < relative_error(rough, exact) < error
    for end in ("beta", "gamma"):
        names = [name for name in exact if name.endswith(end)]
        assert relative_error(rough, exact, names) < 1.25 * error


@pytest.mark.parametrize("inverse", [False, True])
def test_bfloat16_keeps_gdn_at_the_floor_of_its_parameters(inverse):
    """A beta of 1e-6 counts for pictures of 1e-3; half of either is far from the truth."""
    gdn = GDN(4, inverse=inverse)
    torch.nn.init.zeros_(gdn.beta)
    torch.nn.init.zeros_(gdn.gamma)
    x = torch.linspace(-1e-3, 1e-3, 4 * 64).reshape(1, 4, 8, 8)
    seen = []
    for dtype in (torch.float32, torch.bfloat16):
        gdn.zero_grad()
        with module.run_in(dtype, x):
            out = gdn(x)
        (out.float() * (x if inverse else -x)).sum().mul(-1e3).backward()
        seen.append((out.float(), gdn.beta.grad.clone(), gdn.gamma.grad.clone()))
    for exact, rough in zip(*seen, strict=True):
        assert exact.abs().max() > 0
        assert (rough - exact).norm() < 0.02 * exact.norm()


def test_entropy_models_and_outputs_are_float32_under_a_callers_autocast(codec, pictures):
    forward = training_forward(codec, "bfloat16", compiled=False)
    expected, _ = seeded(forward, pictures)
    with torch.autocast("cpu", torch.bfloat16):
        ours, _ = seeded(forward, pictures)
        exact, _ = seeded(training_forward(codec, "float32", compiled=False), pictures)
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
    assert all(map(torch.equal, exact, seeded(codec, pictures)[0]))


@pytest.mark.parametrize("training", [True, False])
def test_likelihoods_are_computed_in_float32(codec, pictures, training, monkeypatch):
    codec.train(training)
    seen = []
    for model in (codec.entropy_bottleneck, codec.gaussian_conditional):

        def watched(*values, stated=model._likelihood):
            seen.extend(value.dtype for value in values)
            seen.append(torch.is_autocast_enabled("cpu"))
            return stated(*values)

        monkeypatch.setattr(model, "_likelihood", watched)
    training_forward(codec, "bfloat16", compiled=False)(pictures)
    assert set(seen) == {torch.float32, False}


def test_the_same_seed_gives_the_same_training(codec, pictures):
    """Steps 2 and 3 after a pause: weights, moments and the generator are all there is."""
    forward = training_forward(codec, "bfloat16", compiled=False)
    optimizer = torch.optim.Adam(codec.parameters(), lr=1e-3)

    def steps(count, forward):
        for _ in range(count):
            optimizer.zero_grad()
            loss(forward(pictures), pictures, Weighting(bpp=1.0, mse=0.05, ce=0.0)).backward()
            optimizer.step()
        return [p.detach().clone() for p in codec.parameters()]

    torch.manual_seed(4)
    steps(1, forward)
    saved = copy.deepcopy((codec.state_dict(), optimizer.state_dict())), torch.get_rng_state()
    straight = steps(2, forward)
    codec.load_state_dict(saved[0][0])
    optimizer.load_state_dict(saved[0][1])
    torch.set_rng_state(saved[1])
    resumed = steps(2, training_forward(codec, "bfloat16", compiled=False))
    assert all(map(torch.equal, straight, resumed))


def test_what_it_cannot_do_is_refused(codec):
    with pytest.raises(ValueError, match=r"'float16' is none of float32, bfloat16"):
        training_forward(codec, "float16", compiled=False)
    with pytest.raises(ValueError, match=r"'round' is none of noise, rounded"):
        training_forward(codec, "float32", compiled=False, quantization="round")
    with pytest.raises(ValueError, match=r"multiples of 64: \(1, 3, 64, 96\)"):
        training_forward(codec, "float32", compiled=False)(torch.rand(1, 3, 64, 96))


def test_no_compiler_is_said_before_the_first_step(codec, monkeypatch):
    def nothing(*_):
        raise InvalidCxxCompiler

    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", nothing)
    with pytest.raises(ParamsError, match=r"compute\.compile.*install g\+\+"):
        training_forward(codec, "float32", compiled=True)
    training_forward(codec, "float32", compiled=False)
