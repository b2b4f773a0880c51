"""Little Alchemy 2 and worlds like it."""

from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.rules import RULES, Rules
from athanor.environments.alchemy.state import Inventory, Pair, Sight
from athanor.environments.alchemy.table import Gift, Table
from athanor.environments.alchemy.verifier import CATEGORIES, Discovery

__all__ = ["CATEGORIES", "RULES", "Alchemy", "Discovery", "Gift", "Inventory", "Pair", "Rules", "Sight", "Table"]
