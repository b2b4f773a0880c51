"""Generalized linear mixed models with one grouping factor, at millions of rows: `fit` and what it gives."""

from __future__ import annotations

from athanor.analysis.glmm.fitting import fit
from athanor.analysis.glmm.result import Diagnostics, Fit, FixedEffect, Groups, RandomEffects

__all__ = ["Diagnostics", "Fit", "FixedEffect", "Groups", "RandomEffects", "fit"]
