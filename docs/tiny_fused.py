"""Train 32 networks as one tensor program, then one after another: the same bits, in a fraction of the time.

    python docs/tiny_fused.py

Needs torch alone. A lane is a network of 64-64-10 units with relu, trained by Adam; each lane has its own learning rate
and L2. Every tensor of `train_together` has the lane as its first axis, [K, ...].
"""

import os
import time

os.environ["MKL_CBWR"] = (
    "AVX2"  # before torch: else the bits of a product depend on where in memory a lane stands
)

import torch
from torch import Tensor, nn

K, INPUTS, HIDDEN, CLASSES, ROWS, BATCH, EPOCHS = 32, 64, 64, 10, 1024, 64, 5
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def network() -> nn.Sequential:
    """The network that every lane begins as: settings can be compared only from the same start."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(INPUTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def batches() -> list[Tensor]:
    """The rows of every step, the same for all lanes."""
    generator = torch.Generator().manual_seed(1)
    return [rows for _ in range(EPOCHS) for rows in torch.randperm(ROWS, generator=generator).split(BATCH)]


def train_alone(x: Tensor, y: Tensor, rate: float, l2: float) -> list[Tensor]:
    """One lane as everybody writes it; its weights and biases."""
    net = network()
    weights, biases = [net[0].weight, net[2].weight], [net[0].bias, net[2].bias]
    groups = [{"params": weights, "weight_decay": l2}, {"params": biases}]
    optimizer = torch.optim.Adam(groups, lr=rate, betas=(BETA1, BETA2), eps=EPSILON)
    for rows in batches():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    return [p.detach() for p in net.parameters()]


def train_together(x: Tensor, y: Tensor, rates: list[float], l2s: list[float]) -> list[Tensor]:
    """All lanes at once, with the same numbers in the same order; weights [K, out, in] and biases [K, out]."""
    w1, b1, w2, b2 = params = [p.detach().expand(K, *p.shape).clone() for p in network().parameters()]
    first, second = (
        [torch.zeros_like(p) for p in params],
        [torch.zeros_like(p) for p in params],
    )  # Adam's moments
    decay = torch.tensor(l2s).view(K, 1, 1)
    for step, rows in enumerate(batches(), start=1):
        inputs = x[rows].expand(K, BATCH, INPUTS)
        h = torch.baddbmm(b1.unsqueeze(1), inputs, w1.transpose(1, 2)).relu_()  # [K, B, H]
        out = torch.baddbmm(b2.unsqueeze(1), h, w2.transpose(1, 2)).requires_grad_()  # [K, B, C]
        loss = nn.functional.cross_entropy(out.flatten(0, 1), y[rows].repeat(K), reduction="sum") / BATCH
        (g,) = torch.autograd.grad(loss, out)  # of each lane its own: a sum over lanes mixes no gradients
        below = torch.bmm(g, w2).masked_fill_(h == 0, 0.0)  # [K, B, H]
        grads = [
            torch.bmm(below.transpose(1, 2), inputs).addcmul_(w1, decay),
            below.sum(1),
            torch.bmm(g.transpose(1, 2), h).addcmul_(w2, decay),
            g.sum(1),
        ]
        # A lane's numbers are worked out in Python's doubles and rounded off once, as torch.optim does.
        moves = torch.tensor([-rate / (1 - BETA1**step) for rate in rates])
        for p, grad, m, v in zip(params, grads, first, second, strict=True):
            m.lerp_(grad, 1 - BETA1)
            v.mul_(BETA2).addcmul_(grad, grad, value=1 - BETA2)
            root = v.sqrt().div_((1 - BETA2**step) ** 0.5).add_(EPSILON)
            p.addcdiv_(m * moves.view(K, *[1] * (p.dim() - 1)), root)
    return [w1, b1, w2, b2]


if __name__ == "__main__":
    torch.set_num_threads(1)  # with two, torch adds up in another order
    x = torch.randn(ROWS, INPUTS, generator=torch.Generator().manual_seed(2))
    y = x[:, :CLASSES].argmax(1)
    rates, l2s = torch.logspace(-4, -1, K).tolist(), torch.logspace(-6, -2, K).tolist()
    begin = time.perf_counter()
    together = train_together(x, y, rates, l2s)
    middle = time.perf_counter()
    alone = [train_alone(x, y, rate, l2) for rate, l2 in zip(rates, l2s, strict=True)]
    end = time.perf_counter()
    for lane, params in enumerate(alone):
        assert all(torch.equal(a[lane], b) for a, b in zip(together, params, strict=True)), (
            f"lane {lane} differs"
        )
    print(f"{K} lanes together {middle - begin:.2f} s, one after another {end - middle:.2f} s: the same bits")
