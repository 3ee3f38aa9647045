"""What tests of failures in a runner share."""

from __future__ import annotations


def job(name, command="true", rules=None, **fields):
    if rules is not None:
        fields["failure_rules"] = rules
    return {"name": name, "command": command, **fields}


class Host:
    """A host with one plugin that judges failures; ``asked`` gets its arguments."""

    def __init__(self, decide):
        self.decide = decide
        self.asked = []

    def failure_classifier(self):
        if self.decide is None:
            return None

        def classify(job, result, attempt, log_files):
            self.asked.append((job.name, result.return_code, attempt, dict(log_files)))
            return self.decide(attempt)

        return classify

    def monitor(self, name):
        return None


def reported(service, name):
    """What was reported of each attempt: status, code, whether it is tried again."""
    id = service.named(name)
    return [(e.status, e.return_code, e.again) for (job, _), e in sorted(service.results.items()) if job == id]
