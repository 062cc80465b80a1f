"""Converts reports of schema version 2, which was for speech only, to version 3."""

from typing import Any

from latentspeech.core.errors import DataError

_FACTS = ("prompt", "sex", "duration_s", "num_words")


def upgrade(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Returns the same report in the form of version 3; DataError if it is damaged."""
    try:
        return {
            **{key: values[key] for key in ("failures", "settings", "run")},
            "metrics": [_metric(row) for row in values["metrics"]],
            "items": [_item(row) for row in values["utterances"]],
            "item_name": "utterance",
            "group_name": "speaker",
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{where} is damaged ({type(error).__name__}: {error}); score again"
        ) from None


def _metric(row: dict[str, Any]) -> dict[str, Any]:
    values = dict(row)
    values["group_interval"] = values.pop("speaker_interval")
    values["buckets"] = [_bucket(bucket) for bucket in row["buckets"]]
    return values


def _bucket(row: dict[str, Any]) -> dict[str, Any]:
    values = dict(row)
    values["kind"] = values.pop("group")
    return values


def _item(row: dict[str, Any]) -> dict[str, Any]:
    values = dict(row)
    facts = {key: values.pop(key, None) for key in _FACTS}
    values["text"] = values.pop("transcript", None)
    values["group"] = values.pop("speaker", None)
    values["facts"] = {key: value for key, value in facts.items() if value is not None}
    return values
