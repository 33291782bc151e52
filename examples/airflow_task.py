"""A task for Airflow: a plain callable, which needs no import of Airflow.

    from airflow.decorators import dag, task

    @dag(schedule="15 2 * * *", start_date=datetime(2024, 1, 1), catchup=False)
    def exports():
        task(retries=3)(split_export)("s3://exports/acme.csv", "s3://loads/in/", "acme", ds="{{ ds }}")

Airflow's own retries resume the split, because the same call resumes.
"""

from __future__ import annotations

from splitjoin_cli import split


def split_export(source: str, destination: str, client: str, ds: str) -> dict[str, object]:
    """Split one export; what is returned is kept as the task's result. ``ds``: Airflow's date, YYYY-MM-DD."""
    result = split(source, destination, client=client, date=ds)
    if result.failed:
        raise RuntimeError(f"{result.failed} of {result.total_parts} chunks failed: the next try resumes")
    return {"file_name": result.file_name, "run_id": result.run_id, "rows": result.rows}
