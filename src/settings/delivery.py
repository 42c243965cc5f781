"""Where scores go: one section for each target, and the alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PUSH_FIELDS = (
    "group_id", "account_id", "solution_id", "as_of", "model_version", "readiness",
    "readiness_low", "readiness_high", "score", "log_odds", "base_log_odds", "completeness",
    "engaged_completeness", "engagement", "threshold", "completeness_threshold", "status", "rank",
    "missing_roles", "top_reasons", "single_point_of_failure", "summary", "next_step", "trend",
    "grade", "link",
)  # fmt: skip
"""What may be sent: the columns of the scores table and what is made of the others."""

_DEFAULT_FIELDS = (
    "score", "readiness", "completeness", "engagement", "status", "missing_roles", "top_reasons",
    "next_step", "model_version", "as_of",
)  # fmt: skip
_FEED_FIELDS = tuple(name for name in PUSH_FIELDS if name not in ("link", "rank", "trend", "grade"))


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """How a web service is called.

    Attributes:
        requests_per_10_seconds: never more in any ten seconds.
        requests_per_day: a run stops after so many; what is left waits for the next one.
        connections: requests under way at a time.
        timeout_seconds: for an answer.
        tries: of one request, where another may succeed.
        wait_seconds: the longest wait before another try. A service that asks for more ends the
            run; what is left waits for the next one.
    """

    requests_per_10_seconds: int = 100
    requests_per_day: int = 100_000
    connections: int = 4
    timeout_seconds: float = 30.0
    tries: int = 5
    wait_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class HubSpotSettings(RequestSettings):
    """HubSpot's CRM.

    Attributes:
        url: of the API.
        path: of the batch upsert, `{object_type}` standing for the type.
        properties_path: where properties are listed and created, for `--prepare`.
        associations_path: from notes to the object.
        object_type: `deals`, or the name of a custom object.
        property_group: that new properties belong to.
        id_property: unique property that holds the group_id.
        token_env: environment variable with the access token.
        fields: property by field, laid over the defaults; "" leaves one out.
        notes: groups of these statuses get a note with their summary; empty for no notes.
        note_id_property: unique property of notes that holds the group_id.
    """

    requests_per_10_seconds: int = 190
    requests_per_day: int = 650_000
    url: str = "https://api.hubapi.com"
    path: str = "/crm/objects/2026-03/{object_type}/batch/upsert"
    properties_path: str = "/crm/v3/properties/{object_type}"
    associations_path: str = "/crm/v4/associations/notes/{object_type}/batch/associate/default"
    object_type: str = "deals"
    property_group: str = "dealinformation"
    id_property: str = "mqbg_group_id"
    token_env: str = "MQBG_HUBSPOT_TOKEN"  # noqa: S105 - the variable's name
    fields: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    note_id_property: str = "mqbg_note_id"

    @property
    def mapping(self) -> dict[str, str]:
        """Property by field."""
        return merge_field_names({name: f"mqbg_{name}" for name in _DEFAULT_FIELDS}, self.fields)


@dataclass(frozen=True, slots=True)
class SalesforceSettings(RequestSettings):
    """Salesforce's CRM.

    Attributes:
        url: of the instance, such as https://example.my.salesforce.com.
        version: of the API.
        object: whose records stand for groups.
        external_id: its external id field, which holds the group_id.
        member_object: whose records stand for stakeholders, such as a Buying Committee member or
            an object of your own; "" sends groups alone.
        member_external_id: its external id field; holds group_id and contact_id.
        member_group: its relationship to the group's record, such as `MQBG_Group__r`.
        member_contact: its relationship to the contact's record; "" for none ...
        contact_external_id: ... which is found by this external id field.
        token_env: environment variable with an access token; where it is not set ...
        username_env: ... these three log in through simple-salesforce.
        password_env: see username_env.
        security_token_env: see username_env.
        domain: of that login, `login` or `test`.
        bulk_above: more records than this go by Bulk API 2.0.
        bulk_poll_seconds: between two looks at a bulk job ...
        bulk_patience_seconds: ... and how long to wait for it.
        fields: field of Salesforce by field of ours, laid over the defaults.
        member_fields: the same for stakeholders.
    """

    url: str = ""
    version: str = "62.0"
    object: str = "Opportunity"
    external_id: str = "MQBG_Group_Id__c"
    member_object: str = ""
    member_external_id: str = "MQBG_Member_Id__c"
    member_group: str = "MQBG_Group__r"
    member_contact: str = ""
    contact_external_id: str = "MQBG_Contact_Id__c"
    token_env: str = "MQBG_SALESFORCE_TOKEN"  # noqa: S105 - the variable's name
    username_env: str = "MQBG_SALESFORCE_USERNAME"
    password_env: str = "MQBG_SALESFORCE_PASSWORD"  # noqa: S105 - the variable's name
    security_token_env: str = "MQBG_SALESFORCE_SECURITY_TOKEN"  # noqa: S105 - the variable's name
    domain: str = "login"
    bulk_above: int = 2000
    bulk_poll_seconds: float = 5.0
    bulk_patience_seconds: float = 3600.0
    fields: Mapping[str, str] = field(default_factory=dict)
    member_fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Field of Salesforce by field of ours."""
        return merge_field_names(
            {name: f"MQBG_{name.title()}__c" for name in _DEFAULT_FIELDS}, self.fields
        )

    @property
    def member_mapping(self) -> dict[str, str]:
        """The same for stakeholders."""
        defaults = {name: f"MQBG_{name.title()}__c" for name in MEMBER_FIELDS[:3]}
        return merge_field_names(defaults, self.member_fields)


MEMBER_FIELDS = (
    "role", "points", "summary", "contribution", "last_activity_at", "last_activity_kind",
    "activities_30d", "top_kinds", "if_leaves", "as_of",
)  # fmt: skip
"""What may be sent of a stakeholder; the first three are by default."""


@dataclass(frozen=True, slots=True)
class DynamicsSettings(RequestSettings):
    """Dynamics 365 Sales: its table of predictive scores.

    Attributes:
        url: of the organisation, such as https://example.crm.dynamics.com.
        version: of the Web API.
        entity_type: logical name of the table whose records stand for groups.
        key: how a score is addressed: by the table's alternate key (msdyn_entityid and
            msdyn_entitytype), or by an id derived from the group_id.
        token_env: environment variable with an access token; where it is not set ...
        tenant: ... the directory that gives one ...
        client_id_env: ... to this application ...
        client_secret_env: ... with this secret.
        login_url: of the directory.
        fields: column by field, laid over the defaults; "" leaves one out.
    """

    requests_per_10_seconds: int = 200
    connections: int = 8
    url: str = ""
    version: str = "9.2"
    entity_type: str = "opportunity"
    key: Literal["alternate", "derived"] = "alternate"
    token_env: str = "MQBG_DYNAMICS_TOKEN"  # noqa: S105 - the variable's name
    tenant: str = ""
    client_id_env: str = "MQBG_DYNAMICS_CLIENT_ID"
    client_secret_env: str = "MQBG_DYNAMICS_CLIENT_SECRET"  # noqa: S105 - the variable's name
    login_url: str = "https://login.microsoftonline.com"
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Column by field."""
        defaults = {name: f"msdyn_{name}" for name in ("score", "grade")}
        return merge_field_names({**defaults, "trend": "msdyn_scoretrend"}, self.fields)


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """A table in PostgreSQL.

    Attributes:
        url_env: environment variable with the URL, `postgresql://user:password@host/database`.
        table: created where it is absent; `schema.table` names its schema.
        fields: column by field, laid over the defaults; "" leaves one out.
    """

    url_env: str = "MQBG_PUSH_SQL_URL"
    table: str = "mqbg_scores"
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Column by field."""
        return merge_field_names({name: name for name in _FEED_FIELDS}, self.fields)


@dataclass(frozen=True, slots=True)
class WebhookSettings(RequestSettings):
    """A receiver of your own.

    Attributes:
        url_env: environment variable with the URL.
        secret_env: environment variable with the key of the signature.
        batch: records in a request.
        fields: name by field, laid over the defaults; "" leaves one out.
    """

    url_env: str = "MQBG_WEBHOOK_URL"
    secret_env: str = "MQBG_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
    batch: int = 100
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Name by field."""
        return merge_field_names({name: name for name in _FEED_FIELDS}, self.fields)


@dataclass(frozen=True, slots=True)
class JsonLinesSettings:
    """Lines of JSON.

    Attributes:
        path: of the file, which holds every group once; "-" writes what changed to stdout.
        fields: name by field, laid over the defaults; "" leaves one out.
    """

    path: str = "mqbg-push.jsonl"
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Name by field."""
        return merge_field_names({name: name for name in _FEED_FIELDS}, self.fields)


@dataclass(frozen=True, slots=True)
class PushSettings:
    """What holds for every target, and the targets.

    Attributes:
        max_attempts: a record refused so often is dead: nobody sends it again before
            `mqbg push --retry-dead`, or before what is to be sent changes.
        retry_minutes: until a refused record is due again; doubles with every refusal.
        decimals: of numbers that are no whole numbers; a change below that is none.
        steady_points: a change of the score up to so many points is no trend.
        grades: the lowest scores of the grades A, B and C; below is D.
    """

    max_attempts: int = 5
    retry_minutes: float = 5.0
    decimals: int = 3
    steady_points: int = 2
    grades: tuple[int, ...] = (75, 50, 25)
    hubspot: HubSpotSettings = field(default_factory=HubSpotSettings)
    salesforce: SalesforceSettings = field(default_factory=SalesforceSettings)
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    sql: SqlSettings = field(default_factory=SqlSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    jsonl: JsonLinesSettings = field(default_factory=JsonLinesSettings)


TARGETS = ("hubspot", "salesforce", "dynamics", "sql", "webhook", "jsonl")


@dataclass(frozen=True, slots=True)
class AlertSettings(RequestSettings):
    """Whom to tell when a group qualifies, falls, or loses whom it rests on.

    Attributes:
        channels: `slack`, `teams`, `email`, or none.
        language: of the messages; "" takes `[explain] language`.
        fall_points: a qualified group whose score falls by so much since the run before is told.
        max_age_days: of a change that is still told; what is older is past being news.
        link: to a group's page; `{page}` is its file in `mqbg report`, `{group_id}` its id.
        slack_env: environment variable with the webhook's URL; so for the others.
        teams_env: see slack_env.
        email_from: sender.
        email_to: receivers.
        smtp_host: mail server.
        smtp_port: its port.
        smtp_security: `starttls`, `tls` from the first byte on, or `none`.
        smtp_user_env: environment variable with the user; where it is not set, no login.
        smtp_password_env: environment variable with the password.
    """

    requests_per_10_seconds: int = 10
    requests_per_day: int = 10_000
    connections: int = 1
    channels: tuple[str, ...] = ()
    language: str = ""
    fall_points: float = 20.0
    max_age_days: float = 3.0
    link: str = ""
    slack_env: str = "MQBG_SLACK_URL"
    teams_env: str = "MQBG_TEAMS_URL"
    email_from: str = ""
    email_to: tuple[str, ...] = ()
    smtp_host: str = "localhost"
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user_env: str = "MQBG_SMTP_USER"
    smtp_password_env: str = "MQBG_SMTP_PASSWORD"  # noqa: S105 - the variable's name


CHANNELS = ("slack", "teams", "email")


def merge_field_names(defaults: Mapping[str, str], overrides: Mapping[str, str]) -> dict[str, str]:
    """The names of fields at a target: the defaults, what the settings say over them, less ""."""
    return {
        name: target_name for name, target_name in {**defaults, **overrides}.items() if target_name
    }
