"""Which path of the stand-in leads where."""

from .directory import DirectoryApi
from .rest import Handler, RestApi
from .team import TeamApi


def rest_routes(api: RestApi, team: TeamApi, directory: DirectoryApi) -> list[tuple[str, str, Handler]]:
    """Return method, path and handler of each operation of the REST API."""
    return [
        ("GET", "/abilities", api.abilities),
        ("GET", "/users", api.users),
        ("POST", "/users", directory.create_user),
        ("GET", "/users/me", api.me),
        ("GET", "/users/{id}", api.user),
        ("PUT", "/users/{id}", directory.update_user),
        ("DELETE", "/users/{id}", directory.delete_user),
        ("GET", "/users/{id}/contact_methods", api.contact_methods),
        ("GET", "/users/{id}/notification_rules", directory.notification_rules),
        ("GET", "/schedules", api.schedules),
        ("GET", "/v3/schedules", api.v3_schedules),
        ("GET", "/services", directory.services),
        ("GET", "/services/{id}", directory.service),
        ("GET", "/escalation_policies", directory.escalation_policies),
        ("GET", "/teams", directory.teams),
        ("GET", "/priorities", directory.priorities),
        ("GET", "/maintenance_windows", directory.maintenance_windows),
        ("POST", "/maintenance_windows", directory.create_maintenance_window),
        ("GET", "/log_entries", team.log_entries),
        ("GET", "/log_entries/{id}", team.log_entry),
        *incident_routes(api, team),
    ]


def incident_routes(api: RestApi, team: TeamApi) -> list[tuple[str, str, Handler]]:
    """Return those of incidents and what hangs on them."""
    return [
        ("GET", "/incidents", api.incidents),
        ("POST", "/incidents", team.create_incident),
        ("PUT", "/incidents", api.resolve_incidents),
        ("GET", "/incidents/{id}", api.incident),
        ("PUT", "/incidents/{id}", team.update_incident),
        ("GET", "/incidents/{id}/alerts", api.alerts),
        ("GET", "/incidents/{id}/alerts/{alert_id}", api.alert),
        ("GET", "/incidents/{id}/notes", team.notes),
        ("POST", "/incidents/{id}/notes", team.add_note),
        ("GET", "/incidents/{id}/log_entries", team.log_entries),
        ("PUT", "/incidents/{id}/merge", team.merge),
        ("POST", "/incidents/{id}/snooze", team.snooze),
        ("POST", "/incidents/{id}/responder_requests", team.add_responders),
        ("POST", "/incidents/{id}/status_updates", team.send_status_update),
        ("GET", "/incidents/{id}/past_incidents", team.past_incidents),
        ("GET", "/incidents/{id}/related_incidents", team.related_incidents),
        ("POST", "/incident_workflows/{id}/instances", team.start_workflow),
    ]
