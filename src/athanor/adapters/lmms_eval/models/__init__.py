"""The models that lmms-eval finds here, by the names of their modules."""

AVAILABLE_MODELS = {"athanor_unified": "AthanorUnified"}
