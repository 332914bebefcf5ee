"""The suspects that a person reviews, with their pictures and texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_noisy._arguments import integer
from keras_noisy._given import by_position
from keras_noisy.quality._pictures import Picture, painted, with_notes
from keras_noisy.quality._ranked import Ranked

#: Words shown on each side of a word, and the longest text in characters.
AROUND, LONGEST = 8, 400


@dataclass
class Shown:
    """Some labels, and the pictures and texts of their samples."""

    findings: Ranked
    #: The labels, by their positions among those that have a score.
    found: np.ndarray
    #: All suspects, which are red in pictures of areas.
    suspects: np.ndarray
    texts: Any

    def places(self) -> list[str]:
        """The place of each label, "" if a sample has only one label."""
        elements, names = self.findings.elements, self.findings.class_names
        if elements.is_plain:
            return [""] * len(self.found)
        places = []
        for sample, *at in elements.indices(self.found).tolist():
            where = f"position {', '.join(map(str, at))}"
            if elements.multi_label:
                where = names[at[-1]] if names else f"output {at[-1]}"
            places.append(f"Sample {sample}, {where}")
        return places

    def keys(self) -> np.ndarray:
        """The index in a decisions file: a sample, or a place in all labels."""
        elements = self.findings.elements
        if elements.are_areas:
            return elements.samples(self.found)
        return elements.places(self.found)

    def pictures(self) -> Iterator[Picture]:
        """Pictures of the samples, with the suspects of areas in red."""
        elements = self.findings.elements
        samples = elements.samples(self.found)
        found = with_notes(self.findings.images, samples)
        if elements.given.ndim != 3:
            yield from found
            return
        places = np.sort(elements.places(self.suspects))
        for sample, picture in zip(samples.tolist(), found, strict=True):
            if picture.is_gap:
                yield picture
                continue
            ends = np.array([sample, sample + 1]) * elements.each
            own = places[slice(*np.searchsorted(places, ends))] - ends[0]
            grid = np.zeros(elements.each, bool)
            grid[own] = True
            mask = grid.reshape(elements.given.shape[1:])
            yield picture._replace(pixels=painted(picture.pixels, mask))

    def words(self) -> Iterator[list[str]]:
        """The text of each label: text before, the word, text after."""
        elements = self.findings.elements
        texts = by_position("texts", self.texts, len(elements.given))
        are_words = elements.given.ndim == 2 and not elements.multi_label
        places = elements.places(self.found).tolist()
        for sample, at in (divmod(place, elements.each) for place in places):
            text = texts[sample]
            words = self._words_of(text, sample) if are_words else None
            if words is None:
                text = str(text)
                cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
                yield [cut, "", ""]
            else:
                yield [
                    " ".join(words[max(0, at - AROUND) : at]),
                    words[at],
                    " ".join(words[at + 1 : at + 1 + AROUND]),
                ]

    def _words_of(self, text: Any, sample: int) -> list[str] | None:
        """The words of a sample, None unless each label has one.

        Padding at the end, which is ignored, may have none.
        """
        if isinstance(text, str | bytes) or not hasattr(text, "__len__"):
            return None
        elements = self.findings.elements
        own = elements.given[sample]
        if elements.ignore_class is not None:
            own = np.trim_zeros(own != elements.ignore_class, "b")
        if not len(own) <= len(text) <= elements.each:
            return None
        return [str(word) for word in text]


def shown_on(
    findings: Ranked,
    n: int | None,
    score: str | None,
    label: int | None = None,
    texts: Any = None,
) -> Shown:
    """The worst `n` labels, or for areas the worst label of `n` samples."""
    elements = findings.elements
    if not elements.are_areas:
        found = findings.found(n, score, label)
        return Shown(findings, found, found, texts)
    order = suspects = findings.found(None, score, label)
    if n is not None:
        n = integer("n", n, 1)
        order = findings.found(len(elements.labels), score, label)
    _, first = np.unique(elements.samples(order), return_index=True)
    found = order[np.sort(first)][:n]
    suspects = np.union1d(suspects, found)
    return Shown(findings, found, suspects, texts)
