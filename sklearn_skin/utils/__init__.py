"""Tools that every room uses: targets and labels, folds by group, weights of an average, files."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_allocator": ["tune_allocator"],
        "_branches": ["average_branches", "missing_as_nan"],
        "_choices": ["check_choice", "did_you_mean"],
        "_digests": ["array_digest", "as_content", "weights_digest"],
        "_discovery": ["all_estimators"],
        "_doc_link": ["DocLinkMixin"],
        "_files": ["replacing"],
        "_fit_metadata": ["metadata_for_fit", "request_weights"],
        "_fit_validation": ["check_labelled", "check_validation_rows", "fit_with_validation"],
        "_folds": ["group_codes", "grouped_folds"],
        "_groups": ["check_no_groups", "label_groups"],
        "_labels": ["LabelCodec"],
        "_optional": ["optional_import"],
        "_pipelines": ["split_pipeline"],
        "_ranges": ["Choice", "Range"],
        "_rows": ["check_table", "list_names", "row_names"],
        "_show_versions": ["show_versions"],
        "_simplex": ["score_simplex_weights", "search_simplex_weights", "simplex_lattice"],
        "_targets": [
            "TaskLabels",
            "known_task_labels",
            "mean_over_tasks",
            "narrow_dtype",
            "task_labels",
            "task_names",
            "task_probabilities",
            "task_weights",
        ],
        "_task_classifier": ["TaskClassifierMixin"],
        "_warnings": ["warn_user"],
        "_workers": ["call_each"],
    },
)
