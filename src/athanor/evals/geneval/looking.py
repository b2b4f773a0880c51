"""Every image looked at once, each find written as it is made, so that the work can be killed and gone on with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from athanor.core.errors import DataError, UsageError
from athanor.core.image_files import contents
from athanor.core.lines import LineFile, read_lines
from athanor.core.progress import progress
from athanor.environments.scenes.files import picture
from athanor.environments.scenes.spec import Spec
from athanor.evals.geneval.detecting import Colours, Detector
from athanor.evals.geneval.folder import Images, Sample
from athanor.evals.geneval.judging import Looked, look

FILE = "looked.jsonl"


def check(specs: Sequence[Spec], detector: Detector, colours: Colours) -> None:
    """UsageError if prompts ask for a class or a colour that cannot be found."""
    asked = dict.fromkeys(entry.kind for spec in specs for entry in (*spec.include, *spec.exclude))
    if unknown := [kind for kind in asked if kind not in detector.classes]:
        raise UsageError(
            f"the prompts ask for {', '.join(unknown[:5])}, which the detector {detector.name} does not find; pass "
            "another --detector"
        )
    named = dict.fromkeys(entry.colour for spec in specs for entry in spec.include if entry.colour)
    if unknown := [name for name in named if name not in colours.colours]:
        raise UsageError(
            f"the prompts ask for {', '.join(unknown[:5])}, which is no colour that {colours.name} names; pass "
            "other --prompts"
        )


def look_at_all(
    images: Images, specs: Sequence[Spec], detector: Detector, colours: Colours, out: Path
) -> tuple[Looked, ...]:
    """What was found in each image, in their order; what `out` has of it is not looked at again.

    An image that cannot be read or taken is a `failure`, and is tried again the next time. One whose file has changed
    is looked at again.
    """
    check(specs, detector, colours)
    stored = {(one.prompt, one.sample): one for one in read_lines(out / FILE, Looked)}
    with LineFile[Looked](out / FILE) as file, progress(len(images.samples), "image", "look") as bar:
        found = []
        for sample in images.samples:
            data, failure = _bytes(sample.path)
            digest = hashlib.sha256(data).hexdigest()
            past = stored.get((sample.prompt, sample.name))
            if past is None or past.digest != digest or past.failure:
                past = _looked(sample, data, digest, failure, specs[sample.prompt], detector, colours)
                file.append(past)
            found.append(past)
            bar.update()
    return tuple(found)


def _bytes(path: Path) -> tuple[bytes, str]:
    """A file, up to where it is too large, and why it could not be read if so."""
    try:
        return contents(path), ""
    except DataError as error:
        return b"", str(error)


def _looked(
    sample: Sample, data: bytes, digest: str, failure: str, spec: Spec, detector: Detector, colours: Colours
) -> Looked:  # fmt: skip
    bare = Looked(prompt=sample.prompt, sample=sample.name, digest=digest, failure=failure)
    if failure:
        return bare
    try:
        told = look(picture(data), spec, detector, colours)
    except DataError as error:
        return Looked(prompt=sample.prompt, sample=sample.name, digest=digest, failure=str(error))
    return Looked(prompt=sample.prompt, sample=sample.name, digest=digest, **told)
