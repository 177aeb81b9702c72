"""Words that identifiers no longer use, and the words of the literature that took their place.

`WORDS` holds parts of names: ``ScreenMemory`` has the parts screen and memory. `NAMES` holds whole names of
classes, functions and aliases, `MODULES` those of modules. Each says in which folder of ``src/satisfice``
the word is retired; the empty string stands for everywhere.
"""

from __future__ import annotations

from typing import NamedTuple


class Retired(NamedTuple):
    """One retired word."""

    old: str
    new: str  # what is said now
    where: str  # folder or module under src/satisfice, "" for all


WORDS = (
    Retired("aim", "target", "search"),
    Retired("asking", "proposal", "search"),
    Retired("boldness", "sd_factor", "search"),
    Retired("checkpoint", "rung", "search"),
    Retired("checkpoints", "rungs", "search"),
    Retired("counting", "choice_counts", "surrogate"),
    Retired("evidence", "surrogates", ""),
    Retired("foreseen", "predicted", ""),
    Retired("foresight", "prediction", ""),
    Retired("foretell", "predict", ""),
    Retired("foretells", "predicts", ""),
    Retired("foretold", "predicted", ""),
    Retired("hope", "optimistic_bound", ""),
    Retired("hopeful", "promising", ""),
    Retired("lines", "extrapolation", "search"),
    Retired("memory", "screening", "search"),
    Retired("native", "optuna", "search"),
    Retired("parents", "local_starts", "search"),
    Retired("regions", "target_sampling", "search"),
    Retired("scorer", "acquisition", "search"),
    Retired("scoring", "acquisition", "search"),
    Retired("siblings", "shared_choices", ""),
    Retired("standing", "observations", ""),
    Retired("surprise", "dissimilarity_variance", "search"),
    Retired("unit", "scaled, quantiles", "search"),
    Retired("unit", "scaled, quantiles", "surrogate"),
    Retired("unlike", "dissimilarity", "search"),
    Retired("aside", "deadline", "store"),
    Retired("claiming", "slots", "store"),
    Retired("presence", "workers", "store"),
    Retired("verdicts", "deferred_timings", "store"),
    Retired("verdicts", "deferred_timer", "study"),
)

NAMES = (
    Retired("Aim", "SampledTarget", "search"),
    Retired("Aside", "DeadlineCalls", "store"),
    Retired("Asking", "ProposalContext", "search"),
    Retired("Candidate", "FeasibleCandidate", "search"),
    Retired("Candidate", "TrialGroup", "choose"),
    Retired("Claiming", "Slots", "store"),
    Retired("Counting", "ChoiceCountKernel", "surrogate"),
    Retired("CountingTerm", "ChoiceCountTerm", "surrogate"),
    Retired("Evidence", "Surrogates", "search"),
    Retired("Finding", "Check", "cli"),
    Retired("Hyperparameters", "KernelParameters", "surrogate"),
    Retired("Lines", "Extrapolation", "search"),
    Retired("NativeSampler", "OptunaSampler", "search"),
    Retired("Outcome", "TrainingResult", "train"),
    Retired("Report", "StepReport, TrialReport", "store"),
    Retired("ScreenMemory", "ScreeningModel", "search"),
    Retired("Scorer", "Acquisition", "search"),
    Retired("Siblings", "SharedChoices", "surrogate"),
    Retired("Standing", "Observations", "search"),
    Retired("Target", "SignedMetric, SampledTarget", "search"),
    Retired("Verdicts", "DeferredTimings", "store"),
    Retired("Verdicts", "DeferredTimer", "study"),
    Retired("Waiting", "Queue", "store"),
    Retired("best_hope", "optimistic_bound", ""),
    Retired("draw_aim", "draw_target", "search"),
    Retired("fill", "space_filling_candidate", "search"),
    Retired("fill_part", "random_candidate_in", "search"),
    Retired("from_unit", "from_quantile", "spec"),
    Retired("gather", "fit_surrogates", "search"),
    Retired("judge", "meets_bound", "measure"),
    Retired("most_hopeful", "most_promising", "search"),
    Retired("non_dominated", "nondominated", ""),
    Retired("take_stock", "observations", "search"),
    Retired("through", "fitted", "search/curves"),
    Retired("wider", "union", ""),
    Retired("widened", "union", ""),
)

MODULES = (
    Retired("alike", "running/same_failure", "study"),
    Retired("asking", "auto/proposal", "search"),
    Retired("aside", "database/deadline", "store"),
    Retired("base", "family_task", "train"),
    Retired("claim", "ledger/types", "store"),
    Retired("claiming", "ledger/slots", "store"),
    Retired("crew", "worker_trials", "store"),
    Retired("encode", "surrogate/encoding", "search"),
    Retired("evidence", "auto/surrogates", "search"),
    Retired("filling", "auto/initial_design", "search"),
    Retired("gaussian", "surrogate/gaussian_process", "search"),
    Retired("gaussian_process", "estimates", "report"),
    Retired("improvement", "expected_improvement", "search"),
    Retired("known", "measuring/evaluator", "study"),
    Retired("lines", "curves/extrapolation", "search"),
    Retired("memory", "screening", "search"),
    Retired("models", "surrogate/metric_model", "search"),
    Retired("native", "baselines/optuna_samplers", "search"),
    Retired("optimizing", "running/one_call", "study"),
    Retired("optuna_bridge", "interop/history", "search"),
    Retired("parents", "auto/local_starts", "search"),
    Retired("presence", "workers", "store"),
    Retired("regions", "auto/target_sampling", "search"),
    Retired("scoring", "auto/acquisition", "search"),
    Retired("siblings", "surrogate/choice_counts", "search"),
    Retired("standing", "auto/observations", "search"),
    Retired("trained", "curves/trained_metrics", "search"),
    Retired("verdicts", "ledger/deferred_timing", "store"),
    Retired("verdicts", "running/deferred_timing", "study"),
    Retired("waiting", "ledger/queue", "store"),
    Retired("whole", "atomic_files", "store"),
)
