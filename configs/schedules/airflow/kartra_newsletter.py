"""Airflow: the newsletter every night. KARTRA_COMMAND is the program, KARTRA_FOLDER holds newsletter.yaml."""

import os
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

COMMAND = os.environ.get("KARTRA_COMMAND", "kartra-sync")
FOLDER = os.environ.get("KARTRA_FOLDER", "/srv/kartra")
LOCKED = 5

with DAG(
    "kartra_newsletter",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Vienna"),
    catchup=False,  # a run sends what changed since the last one, so that one makes up for all missed
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
) as dag:
    # 3 is done, with some leads refused; 5 is another run of this pipeline, which does the same.
    run = BashOperator(
        task_id="run",
        bash_command=f"{COMMAND} run newsletter.yaml --log-format json; c=$?; [ $c -eq 3 ] || exit $c",
        cwd=FOLDER,
        append_env=True,
        skip_on_exit_code=LOCKED,
    )
    status = BashOperator(
        task_id="status",
        bash_command=f"{COMMAND} status newsletter.yaml --max-age 26h",
        cwd=FOLDER,
        append_env=True,
    )
    run >> status
