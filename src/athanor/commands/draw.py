"""athanor draw: images of a prompt, by a unified model."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from athanor.core.build import build_name, versions
from athanor.core.disk import all_or_nothing, cannot
from athanor.core.errors import StoreError, UsageError
from athanor.core.lines import refuse_file
from athanor.core.options import refuse_idle, refuse_outside
from athanor.environments.scenes.asking import untaught
from athanor.models.unified.embedded import folder_of, usual

if TYPE_CHECKING:
    from athanor.models.unified.unified import Unified

MANIFEST = "drawings.json"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Draw images of a prompt with a unified model."""

    prompt: Annotated[str, tyro.conf.Positional]
    """What to draw."""
    out: Path
    """The folder for the images; it must not hold drawings yet."""
    model: Path | None = None
    """The folder of a unified model, in the layout of its release or of transformers; left out, the package's own."""
    n: int = 1
    """How many images."""
    seed: int = 0
    """Of the first image; the others have the numbers after it. An image depends on its own alone."""
    guidance: float | None = None
    """Weight of classifier-free guidance; 1 is none, and half the work; left out, the model's own, or 5."""
    temperature: float | None = None
    """0 takes the likeliest code each time; left out, the model's own, or 1."""
    top_k: int | None = None
    """Draw from the k likeliest codes only."""
    top_p: float | None = None
    """Draw from the fewest likeliest codes with this probability only."""
    batch: int = 16
    """Images drawn at once."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""
    device: str = "auto"
    """Where the model runs, as torch calls it; auto is the first GPU, else the CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """In which precision; that of the file if not given, but float32 for float16 on a CPU."""
    compile: bool = False
    """Compile the step first: a minute, then faster on a GPU."""


def run(config: Config) -> int:
    """Draw, write PNG files and what they were made with, and print the files' paths."""
    if config.n < 1:
        raise UsageError(f"--n is {config.n}, 1 or more was expected")
    refuse_outside(config, {"seed": (0, 2**63 - config.n)})
    if not config.prompt.strip():
        raise UsageError("the prompt is empty, words for what to draw were expected; pass some")
    if config.temperature == 0:
        idle = {"--n": config.n > 1, "--top-k": config.top_k is not None, "--top-p": config.top_p is not None}
        refuse_idle([name for name, given in idle.items() if given], "--temperature 0")
    refuse_file(config.out)
    if (config.out / MANIFEST).exists():
        raise UsageError(f"{config.out} holds drawings already; pass another --out")
    from athanor.models.unified.drawing import Drawing, draw_codes, paint
    from athanor.models.unified.pictures import to_images
    from athanor.models.unified.sampling import Sampling

    ours = usual(config.model, config.guidance, config.temperature)
    sampling = Sampling(temperature=ours.temperature, top_k=config.top_k, top_p=config.top_p)
    how = Drawing(guidance=ours.guidance, sampling=sampling, batch=config.batch, compiled=config.compile)
    seeds = range(config.seed, config.seed + config.n)
    unified = loaded(config)
    codes = draw_codes(unified, [config.prompt], seeds, how)[0]
    if config.model is None and (why := untaught(config.prompt)):
        print(f"note: the package's model was never told {why}; its drawings will not show it", file=sys.stderr)
    made = [
        {"file": f"{seed}.png", "seed": seed, "codes": mine} for seed, mine in zip(seeds, codes.tolist(), strict=True)
    ]
    asked = {k: str(v) if isinstance(v, Path) else v for k, v in vars(config).items()}
    asked |= {"model": str(folder_of(config.model)), "guidance": ours.guidance, "temperature": ours.temperature}
    about = {"config": asked, "build": build_name(), "versions": versions(), "images": made}
    try:
        with all_or_nothing() as write:
            for first in range(0, config.n, config.batch):  # painted a batch at a time: pixels are not kept
                some = slice(first, first + config.batch)
                for seed, image in zip(seeds[some], to_images(paint(unified, codes[some])), strict=True):
                    write(config.out / f"{seed}.png", png(image))
            write(config.out / MANIFEST, json.dumps(about, indent=1).encode())
    except OSError as error:
        raise StoreError(cannot("write", config.out, error)) from error
    for one in made:
        print(config.out / one["file"])
    return 0


def loaded(config: Any) -> Unified:
    """The model that a command's `model`, `template`, `device` and `dtype` name."""
    from athanor.models.backends.pretrained import device_of

    try:
        import torch

        from athanor.models.unified.checkpoints import stored
    except ImportError as error:
        raise UsageError("torch and transformers are not installed; run `pip install 'athanor-lab[torch]'`") from error
    device, dtype = device_of(config.device), getattr(torch, config.dtype) if config.dtype else None
    unified = stored(folder_of(config.model), template=config.template)
    if dtype is None and device == "cpu" and unified.model.text_head.weight.dtype == torch.float16:
        dtype = torch.float32
    try:
        return unified.to(device, dtype)
    except RuntimeError as error:  # what torch raises for a device that has no room
        why = str(error).splitlines()[0]
        raise UsageError(
            f"the model cannot be put on the device {config.device!r} ({why}); pass another --device"
        ) from error


def png(image: Any) -> bytes:
    """An image as the bytes of a PNG file."""
    data = BytesIO()
    image.save(data, "PNG")
    return data.getvalue()
