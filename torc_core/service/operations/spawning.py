"""Jobs that appear while a workflow runs."""

from torc_core.operations import operation
from torc_core.records.answers.spawning import SpawnedJobs, SpawnRequest


class SpawnOperations:
    """Jobs that appear while a workflow runs."""

    @operation("POST", "/jobs/{id}/spawn_jobs", "jobs")
    def spawn_jobs(self, id: int, new: SpawnRequest) -> SpawnedJobs:
        """Add jobs that wait for the running job ``id``, all or none; the same request again adds nothing.

        Refused when the job does not run, and after so many calls as ``dynamic_jobs.max_iterations`` of the workflow
        says (1000). A call without jobs keeps ``state`` as the last word of the lineage.
        """
