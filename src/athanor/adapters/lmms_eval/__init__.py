"""A plug-in of lmms-eval: `LMMS_EVAL_PLUGINS=athanor.adapters.lmms_eval` makes it know the model `athanor_unified`."""
