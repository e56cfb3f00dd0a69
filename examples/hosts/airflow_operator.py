"""An operator of Apache Airflow: a task that runs a command of any plugin.

An Airflow connection holds the values: its password is the API key, its extra the rest, as JSON. What another try may
mend is left to the task's `retries`; what it cannot, fails the task for good.
"""

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import BaseHook, BaseOperator

from connector_host import Status
from connector_host.blocking import run_once


class ConnectorOperator(BaseOperator):
    template_fields = ("inputs",)

    def __init__(self, *, plugin, command, inputs, conn_id, **more):
        super().__init__(**more)
        self.plugin, self.command, self.inputs, self.conn_id = plugin, command, inputs, conn_id

    def execute(self, context):
        stored = BaseHook.get_connection(self.conn_id)
        values = {**stored.extra_dejson, "api_key": stored.password}
        result = run_once(self.plugin, self.command, values, self.inputs)
        if result.status is Status.FAILED:
            later = all(entry.retryable for entry in result.errors)
            raise (AirflowException if later else AirflowFailException)("; ".join(map(str, result.errors)))
        return result.document()
