"""Jobs handed to runners, and what runners report."""

from torc_core.operations import operation
from torc_core.records import answers as a
from torc_core.records.resources import NodeResources


class ClaimOperations:
    """Jobs handed to runners, and what runners report."""

    @operation("POST", "/workflows/{id}/tick", "workflows")
    def tick(self, id: int, report: a.Tick) -> a.TickAnswer:
        """Take what a runner reports and give it the next jobs, in one transaction."""

    @operation("POST", "/workflows/{id}/adopt_orphans", "workflows")
    def adopt_orphans(self, id: int, compute_node_ids: list[int], fail: bool = False) -> a.JobIds:
        """Take the jobs of runners that are gone: record the lost attempts, make them ready again or failed."""

    @operation("POST", "/workflows/{id}/claim_next_jobs", "workflows")
    def claim_next_jobs(self, id: int, limit: int = 10, labels: list[str] | None = None) -> a.ClaimedJobs:
        """Give up to ``limit`` ready jobs to a caller with ``labels``; no two callers get the same job."""

    @operation("POST", "/workflows/{id}/claim_jobs_based_on_resources/{limit}", "workflows")
    def claim_jobs_based_on_resources(
        self, id: int, limit: int, node: NodeResources, strict_scheduler_match: bool = False
    ) -> a.FittingJobs:
        """Like ``claim_next_jobs``, but only what fits into ``node`` together."""

    @operation("GET", "/workflows/{id}/ready_job_requirements", "workflows")
    def get_ready_job_requirements(self, id: int, scheduler_config_id: int | None = None) -> a.ReadyRequirements:
        """Add up what the ready jobs need."""
