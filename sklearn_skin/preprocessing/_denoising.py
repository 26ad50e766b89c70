"""A denoising network for tables: trained with torch, applied with numpy."""

from dataclasses import dataclass

import numpy as np

_OFF = -1e9  # logit of the padding beside short blocks of categories


@dataclass
class TableCode:
    """How a table becomes inputs: z-scores, one-hot blocks and what is visible.

    A table is a float64 array (n, m): numbers, or positions of categories with -1 for a value
    not seen in fit; NaN is missing.

    Parameters
    ----------
    n_categories : ndarray of shape (m,)
        0 for a number.
    mean, scale : ndarray of shape (m,)
        Of the numbers.
    """

    n_categories: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @property
    def numbers(self):
        """Positions of the numeric columns."""
        return np.flatnonzero(self.n_categories == 0)

    @property
    def categories(self):
        """Positions of the categorical columns."""
        return np.flatnonzero(self.n_categories)

    @property
    def owner(self):
        """Column of each of the coded values: numbers first, then the one-hot blocks."""
        blocks = np.repeat(self.categories, self.n_categories[self.categories])
        return np.concatenate([self.numbers, blocks])

    def blocks(self):
        """Return the slice of coded values of each categorical column."""
        sizes = self.n_categories[self.categories]
        stops = len(self.numbers) + np.cumsum(sizes)
        return {j: slice(b - k, b) for j, k, b in zip(self.categories, sizes, stops)}

    def encode(self, table):
        """Return the coded values (n, d), zero where missing."""
        numbers = (table[:, self.numbers] - self.mean[self.numbers]) / self.scale[self.numbers]
        coded = [np.nan_to_num(numbers, nan=0.0)]
        for j in self.categories:
            coded.append((table[:, [j]] == np.arange(self.n_categories[j])).astype(np.float64))
        return np.hstack(coded)

    def decode(self, output):
        """Return the table (n, m) that the network's output (n, d) means."""
        table = np.empty((len(output), len(self.n_categories)))
        k = len(self.numbers)
        table[:, self.numbers] = output[:, :k] * self.scale[self.numbers] + self.mean[self.numbers]
        for j, block in self.blocks().items():
            table[:, j] = output[:, block].argmax(axis=1)
        return table


def reconstruct(code, weights, table):
    """Return the network's guess of every cell of `table` from the visible ones.

    Parameters
    ----------
    code : TableCode
        Coding of the table.
    weights : list of (ndarray, ndarray)
        Matrix (inputs, outputs) and offset of each layer.
    table : ndarray of shape (n, m)
        Table with gaps.

    Returns
    -------
    table : ndarray of shape (n, m)
        Guesses for all cells.
    """
    inputs = hidden = np.hstack([code.encode(table), ~np.isnan(table)])
    for matrix, offset in weights[:-1]:
        hidden = np.maximum(hidden @ matrix + offset, 0)
    matrix, offset = weights[-1]
    return code.decode(np.hstack([hidden, inputs]) @ matrix + offset)


def draw_hidden(missing, n_rows, rng, mask_rate):
    """Draw which cells to hide, half of the rows by gaps that occur, half at random.

    Parameters
    ----------
    missing : bool ndarray of shape (n, m)
        Gaps of the table.
    n_rows : int
        Number of rows to draw.
    rng : RandomState
        Source of the draw.
    mask_rate : float
        Probability of hiding a cell; also of each cell of the rows whose gaps are copied from
        another row, divided by four.

    Returns
    -------
    hidden : bool ndarray of shape (n_rows, m)
        True where a cell is to be hidden.
    """
    copied = missing[rng.randint(len(missing), size=n_rows)]
    by_gaps = rng.uniform(size=n_rows) < 0.5
    rate = np.where(by_gaps, mask_rate / 4, mask_rate)[:, None]
    return (by_gaps[:, None] & copied) | (rng.uniform(size=copied.shape) < rate)


def train(code, table, validation, rng, *, layers, epochs, patience, batch_size, lr, mask_rate):
    """Train on `table`, stop by the loss on `validation`, and return the best weights.

    Parameters
    ----------
    code : TableCode
        Coding of the table.
    table, validation : ndarray of shape (n, m)
        Tables with gaps.
    rng : RandomState
        Source of all draws.
    layers : sequence of int
        Widths of the hidden layers.
    epochs, patience, batch_size : int
        Length of training, epochs without gain before it stops, rows per step.
    lr, mask_rate : float
        Learning rate of Adam, and probability of hiding a cell.

    Returns
    -------
    weights : list of (ndarray, ndarray), or None
        Matrix and offset of each layer, float64; None where the loss was never finite.
    """
    import torch

    # The network draws from the global generator, whose state is the user's.
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.randint(2**31 - 1)))
        width = len(code.owner)
        net = _make_net([width + table.shape[1], *layers, width])
        optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-3)
        loss = _make_loss(code)
        missing = np.isnan(table)
        # Four draws of hidden cells per held-out row make the score of an epoch less noisy.
        repeats = np.tile(validation, (4, 1))
        held_out = _tensors(code, repeats, draw_hidden(missing, len(repeats), rng, mask_rate))
        best, best_state, since = np.inf, None, 0
        for _ in range(epochs):
            order = rng.permutation(len(table))
            hidden = draw_hidden(missing, len(table), rng, mask_rate)
            _run_epoch(net, optimizer, loss, _tensors(code, table[order], hidden), batch_size)
            score = _score(net, loss, *held_out)
            since += 1
            if score < best:
                best, since = score, 0
                # astype copies; detach().numpy() alone would follow the next steps.
                best_state = [p.detach().numpy().astype(np.float64) for p in net.parameters()]
            if since >= patience:
                break
    if best_state is None:  # the loss was never finite
        return None
    return [(best_state[i].T, best_state[i + 1]) for i in range(0, len(best_state), 2)]


def _run_epoch(net, optimizer, loss, tensors, batch_size):
    net.train()
    for inputs, *targets in zip(*(tensor.split(batch_size) for tensor in tensors)):
        optimizer.zero_grad()
        loss(net(inputs), *targets).backward()
        optimizer.step()


def _score(net, loss, inputs, *targets):
    import torch

    net.eval()
    with torch.no_grad():
        return float(loss(net(inputs), *targets))


def _make_net(widths):
    """Return a multilayer perceptron whose last layer also sees the inputs."""
    from torch import cat, nn

    class SkipPerceptron(nn.Module):
        def __init__(self):
            super().__init__()
            pairs = zip(widths[:-2], widths[1:-1])
            self.hidden = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairs)
            # Linear relations need no hidden units.
            self.last = nn.Linear(widths[-2] + widths[0], widths[-1])
            self.dropout = nn.Dropout(0.1)

        def forward(self, inputs):
            hidden = inputs
            for layer in self.hidden:
                hidden = self.dropout(layer(hidden).relu())
            return self.last(cat([hidden, inputs], dim=1))

    return SkipPerceptron()


def _tensors(code, table, hidden):
    """Return inputs with `hidden` cells blanked, coded targets, and which cells to score."""
    import torch

    coded = code.encode(table)
    known = ~np.isnan(table)
    visible = known & ~hidden
    inputs = np.hstack([coded * visible[:, code.owner], visible])
    # A category that the training rows lack (-1) has no unit that could be right.
    scored = known & hidden & (table != -1)
    return tuple(torch.from_numpy(a.astype(np.float32)) for a in (inputs, coded, scored))


def _make_loss(code):
    """Return the mean over hidden cells of smooth L1 and of cross-entropy / log(categories)."""
    import torch
    from torch.nn import functional as F

    numbers, categories = torch.from_numpy(code.numbers), torch.from_numpy(code.categories)
    # All categorical columns in one tensor, padded to the widest: no loop over columns per batch.
    sizes = code.n_categories[code.categories]
    widest = sizes.max(initial=1)
    slots = np.zeros((len(sizes), widest), dtype=np.int64)
    padding = np.ones_like(slots, dtype=bool)
    for i, block in enumerate(code.blocks().values()):
        slots[i, : sizes[i]] = np.arange(block.start, block.stop)
        padding[i, : sizes[i]] = False
    slots, padding = torch.from_numpy(slots), torch.from_numpy(padding)
    # So that a column of many categories weighs no more than one of two.
    unit = torch.from_numpy(np.log(np.maximum(sizes, 2))).float()
    k = len(code.numbers)

    def loss(output, coded, scored):
        total = (
            F.smooth_l1_loss(output[:, :k], coded[:, :k], reduction="none") * scored[:, numbers]
        ).sum()
        if len(sizes):
            logits = output[:, slots].masked_fill(padding, _OFF).log_softmax(dim=-1)
            entropy = -(logits * coded[:, slots].masked_fill(padding, 0)).sum(dim=-1)
            total = total + (entropy / unit * scored[:, categories]).sum()
        return total / scored.sum().clamp_min(1)

    return loss
