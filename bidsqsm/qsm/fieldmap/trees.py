"""One label for every node of a lattice: good for the node, and near those of its neighbours."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.iteration import iterate
from bidsqsm.qsm.jit import kernel

CHANGING_NODE_SHARE = 2e-3  # share of the nodes that may still change their label


def smooth_labels(
    cost: Volume,
    number: Labels,
    slopes: Volume,
    *,
    circular: bool,
    max_iter: int,
    name: str = 'smoothing of labels',
) -> tuple[Labels, float]:
    r"""Choose labels of small cost that change little in space.

    .. math:: \min_l \sum_s \theta_s(l_s) + \sum_{st} \lambda_{st} |l_s - l_t|

    by sequential tree-reweighted message passing [kolmogorov2006]_: every sweep raises a lower
    bound of the sum, and each node decides given those before it and the messages of those
    behind it.

    Parameters
    ----------
    cost : (n_nodes, n_labels) float32 array
        Cost of each label at each node.
    number : (nx, ny, nz) int32 array
        Row of each place of the lattice, ascending in memory; -1 where there is no node.
    slopes : (3,) float32 array
        Cost of a step of one label between neighbours along each axis.
    circular
        Whether the last label is a neighbour of the first.
    max_iter
        Sweeps (there and back) to make at most.
    name
        What is smoothed, for the log and the sidecar.

    Returns
    -------
    labels : (n_nodes,) int32 array
    sum
        What the labels cost.

    References
    ----------
    .. [kolmogorov2006] Kolmogorov, IEEE Trans Pattern Anal Mach Intell 28:1568-1583 (2006).
       doi:10.1109/TPAMI.2006.200

    """
    messages = np.zeros((3, *cost.shape), np.float32)
    labels: Labels = np.argmin(cost, axis=1).astype(np.int32)
    ahead, behind = _neighbours(number)

    def step() -> float:
        before = labels.copy()
        # there and back is one pass of TRW-S; all nodes are visited in one fixed order
        for forward in (True, False):
            _sweep(cost, ahead, behind, slopes, circular, forward, messages, labels)
        return float(np.mean(before != labels))

    iterate(step, name=name, tol=CHANGING_NODE_SHARE, max_iter=max_iter)
    return labels, _sum(cost, ahead, slopes, circular, labels)


def _sum(cost: Volume, ahead: Labels, slopes: Volume, circular: bool, labels: Labels) -> float:
    total = float(np.sum(np.take_along_axis(cost, labels[:, None], axis=1), dtype=np.float64))
    for axis in range(3):
        there = ahead[:, axis] >= 0
        steps = np.abs(labels[there] - labels[ahead[there, axis]])
        if circular:
            steps = np.minimum(steps, cost.shape[1] - steps)
        total += float(slopes[axis]) * float(steps.sum())
    return total


def _neighbours(number: Labels) -> tuple[Labels, Labels]:
    # rows of the next and the previous node along each axis, -1 where there is none
    there: Mask = number >= 0
    ahead = np.full((int(there.sum()), 3), -1, np.int32)
    behind = ahead.copy()
    for axis in range(3):
        low = [slice(None)] * 3
        high = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        one, two = number[tuple(low)], number[tuple(high)]
        both = (one >= 0) & (two >= 0)
        ahead[one[both], axis] = two[both]
        behind[two[both], axis] = one[both]
    return ahead, behind


@nb.njit(nogil=True)
def _spread(message: Any, slope: Any, circular: Any) -> None:
    # lower envelope of cones of this slope, in place, its least value zero
    n = len(message)
    rounds = 2 if circular else 1
    for _ in range(rounds):
        last = message[n - 1] if circular else np.float32(np.inf)
        for l in range(n):  # noqa: E741, a label
            last = min(message[l], last + slope)
            message[l] = last
    for _ in range(rounds):
        last = message[0] if circular else np.float32(np.inf)
        for l in range(n - 1, -1, -1):  # noqa: E741
            last = min(message[l], last + slope)
            message[l] = last
    least = np.float32(np.inf)
    for l in range(n):  # noqa: E741
        least = min(least, message[l])
    for l in range(n):  # noqa: E741
        message[l] -= least


@kernel(parallel=False, fastmath=False)
def _sweep(  # noqa: C901, PLR0912 - messages of a node in one visit, fused for numba
    cost: Volume,
    ahead: Labels,
    behind: Labels,
    slopes: Volume,
    circular: bool,
    forward: bool,
    messages: Volume,
    labels: Labels,
) -> None:
    # messages[axis, s] is that of the edge from s to the next node, in the direction last sent
    nodes, n = cost.shape
    belief = np.empty(n, np.float32)
    known = np.empty(n, np.float32)
    for order in range(nodes):
        s = order if forward else nodes - 1 - order
        onward, backward = (ahead, behind) if forward else (behind, ahead)
        for l in range(n):  # noqa: E741
            belief[l] = known[l] = cost[s, l]
        n_on = n_back = 0
        for axis in range(3):
            for side in range(2):
                t = onward[s, axis] if side == 0 else backward[s, axis]
                if t < 0:
                    continue
                edge = messages[axis, min(s, t)]
                for l in range(n):  # noqa: E741
                    belief[l] += edge[l]
                    if side == 0:
                        known[l] += edge[l]
                if side == 0:
                    n_on += 1
                else:
                    n_back += 1
                    for l in range(n):  # noqa: E741
                        away = abs(l - labels[t])
                        if circular:
                            away = min(away, n - away)
                        known[l] += slopes[axis] * away
        best = 0
        for l in range(n):  # noqa: E741
            best = l if known[l] < known[best] else best
        labels[s] = best
        # gamma_st: weight of the chains through a node, which keeps the sum a bound from below
        share = np.float32(1) / max(n_on, n_back, 1)
        for axis in range(3):
            t = onward[s, axis]
            # min_l (gamma theta(l) - m(l) + lambda |l - l'|): the message to the node ahead
            if t >= 0:
                edge = messages[axis, min(s, t)]
                for l in range(n):  # noqa: E741
                    edge[l] = share * belief[l] - edge[l]
                _spread(edge, slopes[axis], circular)
