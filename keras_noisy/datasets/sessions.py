"""Sessions of clicks, to predict the next click."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import boolean, integer, invalid, real
from keras_noisy._noise_checks import noise_rate
from keras_noisy._random import Random


class Sessions:
    """Sessions of clicks, in which every prefix is a sample.

    A session `[a, b, c]` gives the samples `([a, b], c)` and `([a], b)`. They
    are not stored: a sample is its start and end among all clicks.
    `SessionDataset` makes batches of them, and `load_sessions` loads
    Diginetica.

    Args:
        sessions: The sessions in order of time, each a sequence of at least
            two item numbers, from 1.
        num_items: Number of items, at least the highest item number. Defaults
            to `None`, the highest item number.
        every_prefix: Whether every click except the first of a session is a
            target, otherwise only the last click. Defaults to `True`.

    Returns:
        A `Sessions` with the attributes `clicks`, the clicks of all sessions
        one after the other, `num_items`, and for each sample `targets`, the
        item that is clicked next, and `lengths`, the number of clicks before
        it. `len` is the number of samples, and `sessions[i]` is the pair of
        clicks and target of a sample. `last(share)` and `replaced(rate, seed)`
        return other `Sessions`.

    Raises:
        ValueError: If a session is too short or has a number that is not an
            item number, or if an argument is outside its range.

    Example:

    >>> from keras_noisy.datasets import Sessions
    >>> sessions = Sessions([[3, 8, 2, 9], [4, 4]])
    >>> len(sessions), sessions.targets.tolist()
    (4, [9, 2, 8, 4])
    >>> clicks, target = sessions[1]
    >>> clicks.tolist(), target
    ([3, 8], 2)

    References:
        - Wu et al., Session-based recommendation with graph neural networks,
          AAAI 2019, arXiv 1811.00855
        - Tan et al., Improved recurrent neural networks for session-based
          recommendations, DLRS 2016, arXiv 1606.08117
    """

    def __init__(
        self,
        sessions: Iterable[Sequence[int]],
        num_items: int | None = None,
        every_prefix: bool = True,
    ):
        try:
            given = [np.asarray(session) for session in sessions]
        except (TypeError, ValueError) as error:
            raise invalid("sessions", sessions, _EXPECTED) from error
        advice = _OF_TABLE if hasattr(sessions, "columns") else _NUMBER
        for number, session in enumerate(given):
            if session.ndim != 1 or session.dtype.kind not in "iu":
                raise ValueError(
                    "Invalid value for argument `sessions`. Expected "
                    f"{_EXPECTED}. Received: sessions[{number}]={session!r}. "
                    f"{advice}"
                )
        if not given:
            raise invalid("sessions", [], "at least one session")
        self._set(
            np.concatenate(given),
            np.array([len(session) for session in given]),
            num_items,
            boolean("every_prefix", every_prefix),
        )

    @classmethod
    def from_arrays(
        cls,
        clicks: Any,
        lengths: Any,
        num_items: int | None = None,
        every_prefix: bool = True,
    ) -> Sessions:
        """Sessions from all clicks, one after the other.

        Args:
            clicks: Item numbers from 1, integers of shape `(clicks,)`.
            lengths: Number of clicks of each session, integers that sum to
                the number of clicks.
            num_items: See `Sessions`.
            every_prefix: See `Sessions`.

        Returns:
            A `Sessions`.

        Raises:
            ValueError: As `Sessions`.
        """
        self = cls.__new__(cls)
        clicks, lengths = np.asarray(clicks), np.asarray(lengths)
        for name, array in (("clicks", clicks), ("lengths", lengths)):
            if array.ndim != 1 or array.dtype.kind not in "iu":
                expected = "integers of one axis"
                raise invalid(name, (array.dtype, array.shape), expected)
        boolean("every_prefix", every_prefix)
        self._set(clicks, lengths.astype("int64"), num_items, every_prefix)
        return self

    def _set(
        self,
        clicks: np.ndarray,
        lengths: np.ndarray,
        num_items: int | None,
        every_prefix: bool,
    ) -> None:
        if len(lengths) == 0 or lengths.min() < 2:
            raise ValueError(
                "Invalid value for argument `sessions`. Expected sessions of "
                "at least two clicks. Received: session "
                f"{int(np.argmin(lengths)) if len(lengths) else 0} of length "
                f"{int(lengths.min()) if len(lengths) else 0}. Leave such "
                "sessions out"
            )
        if lengths.sum() != len(clicks):
            expected = f"a sum of {len(clicks)}, the number of clicks"
            raise invalid("lengths", int(lengths.sum()), expected)
        highest = int(clicks.max())
        if clicks.min() < 1 or highest > 2**31 - 2:
            wrong = int(np.argmax((clicks < 1) | (clicks > 2**31 - 2)))
            raise ValueError(
                "Invalid value for argument `sessions`. Expected item numbers "
                "from 1 to 2147483646, as 0 is padding. Received: "
                f"{clicks[wrong]} as click {wrong} of all. "
                + "Leave padding out: `session[session > 0]`. "
                * bool(clicks[wrong] == 0)
                + _NUMBER
            )
        self.num_items = highest
        if num_items is not None:
            self.num_items = integer("num_items", num_items, 1)
        if self.num_items < highest:
            expected = f"at least {highest}, the highest item number"
            raise invalid("num_items", num_items, expected)
        self.clicks = clicks.astype("int32")
        begins = np.cumsum(lengths) - lengths
        each = lengths - 1 if every_prefix else np.ones_like(lengths)
        self._begins = np.repeat(begins, each)
        # From the longest prefix of a session to the shortest, as published.
        first = np.cumsum(each) - each
        shorter = np.arange(each.sum()) - np.repeat(first, each)
        self._ends = np.repeat(begins + lengths - 1, each) - shorter

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._ends)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """The clicks of a sample, and the next one."""
        begin, end = self._begins[index], self._ends[index]
        return self.clicks[begin:end], int(self.clicks[end])

    @property
    def targets(self) -> np.ndarray:
        """The next click of each sample, item numbers from 1."""
        return self.clicks[self._ends]

    @property
    def lengths(self) -> np.ndarray:
        """Number of clicks before the target of each sample."""
        return self._ends - self._begins

    def padded(self, indices: Any, length: int) -> np.ndarray:
        """Clicks of several samples as rows that end in zeros.

        Args:
            indices: Numbers of the samples, integers of shape `(N,)`.
            length: Number of columns, at least the longest of these samples.

        Returns:
            An int32 array of shape `(N, length)`.

        Raises:
            ValueError: If a sample is longer than `length`.
        """
        indices = np.asarray(indices)
        longest = int(self.lengths[indices].max(initial=0))
        if integer("length", length, 1) < longest:
            raise invalid("length", length, f"at least {longest}")
        begins, ends = self._begins[indices], self._ends[indices]
        places = begins[:, None] + np.arange(length)
        there = places < ends[:, None]
        return np.where(there, self.clicks[np.where(there, places, 0)], 0)

    def last(self, share: float) -> Sessions:
        """The last samples, such as the 1/64 of Yoochoose in the papers.

        Args:
            share: Share of the samples, in (0, 1].

        Returns:
            A `Sessions` with the same number of items.

        Raises:
            ValueError: If `share` is outside its range, or no sample is left.
        """
        share = real("share", share, 0, 1, closed="high")
        count = int(round(len(self) * share, 9))  # .29 * 100 is below 29
        if count == 0:
            raise invalid("share", share, f"at least {1 / len(self):.3g}")
        other = copy.copy(self)
        other._begins = self._begins[-count:]
        other._ends = self._ends[-count:]
        return other

    def replaced(self, rate: float, seed: int = 0) -> Sessions:
        """The same sessions with some clicks replaced at random.

        Every click, whether input or target, is replaced with this probability
        by another item, and all other items are equally likely. This is
        symmetric noise on labels that are also inputs.

        Args:
            rate: Probability that a click is replaced, in [0, 1].
            seed: An integer of at least 0. Defaults to `0`.

        Returns:
            A `Sessions` with the same samples.

        Raises:
            ValueError: If an argument is outside its range, or if there is
                only one item.
        """
        rate = noise_rate(rate)
        random = Random(integer("seed", seed, 0), 16)
        if self.num_items == 1 and rate:
            raise invalid("rate", rate, "0, as there is no other item")
        is_replaced = random.uniform(len(self.clicks)) < rate
        others = random.uniform(len(self.clicks)) * (self.num_items - 1)
        shift = 1 + others.astype("int64")
        others = (self.clicks - 1 + shift) % self.num_items + 1
        other = copy.copy(self)
        other.clicks = np.where(is_replaced, others, self.clicks)
        other.clicks = other.clicks.astype("int32")
        return other

    def __repr__(self) -> str:
        return f"<Sessions: {len(self)} samples, {self.num_items} items>"


_EXPECTED = "sequences of at least two item numbers, integers from 1"
_NUMBER = (
    "Number the items: `np.unique(clicks, return_inverse=True)[1] + 1` of all "
    "clicks"
)
_OF_TABLE = (
    "Of a table with a row for each click, pass a list for each session: "
    '`table.groupby("session")["item"].apply(list)`'
)
