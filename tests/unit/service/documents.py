"""Exports of workflows, and what they say by position instead of by id."""

import json

from torc_core.service.exporting import export_text
from torc_core.service.importing import Choices, import_of, read_document
from torc_core.service.whole import parts, references

MOMENT = "2026-01-31T08:00:00.000Z"


def document(service, workflow_id, **choices):
    return json.loads("".join(export_text(service, workflow_id, counts={}, **choices)))


def bring_in(service, exported, **choices):
    request, warnings = import_of(read_document(json.dumps(exported), "x.json"), Choices(**choices))
    request.workflow.setdefault("user", "ada")
    return service.create_whole_workflow(request).workflow_id, warnings


def by_position(exported):
    """A document in which ids are positions, so that two can be compared."""
    kinds = parts()
    places = {plural: {item["id"]: at for at, item in enumerate(exported[plural])} for plural in kinds}

    def placed(plurals, value, scheduler_type=None):
        if isinstance(value, list):
            return [places[plurals][id] for id in value]
        is_local = scheduler_type == "local" and "local_schedulers" in plurals
        return places["local_schedulers" if is_local else plurals.split()[0]].get(value, value)

    made = {"workflow": {k: v for k, v in exported["workflow"].items() if k != "id"}}
    for plural, kind in kinds.items():
        fields = references(kind)
        made[plural] = [
            {
                name: placed(fields[name], value, item.get("scheduler_type")) if name in fields else value
                for name, value in item.items()
                if name not in ("id", "workflow_id")
            }
            for item in exported[plural]
        ]
        for item in made[plural]:
            for config in (item.get("action_config"), item.get("request")):
                if isinstance(config, dict) and "scheduler_id" in config:
                    config["scheduler_id"] = placed(
                        "slurm_schedulers local_schedulers", config["scheduler_id"], config["scheduler_type"]
                    )
            if isinstance(item.get("scheduler"), dict):
                item["scheduler"]["scheduler_id"] = placed("scheduled_compute_nodes", item["scheduler"]["scheduler_id"])
    return made
