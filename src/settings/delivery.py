"""Where scores go: one section for each target, and the alerts."""

from __future__ import annotations

import string
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .field_types import (
    SECTION,
    AtLeastTwo,
    Count,
    Number,
    NumberFromZero,
    NumberOverZero,
    Text,
    Whole,
    WholeFromZero,
    must,
)
from .push_fields import (
    DYNAMICS,
    FEED,
    HUBSPOT,
    MEMBER_FIELDS,
    SALESFORCE,
    SALESFORCE_MEMBER,
    FieldNames,
    merge_field_names,
    renamed_fields,
)


def _is_link(link: str) -> bool:
    """No placeholder but {group_id} and {page}."""
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(link) if name is not None}
    except ValueError:
        return False
    return names <= {"group_id", "page"}


_FeedNames = Annotated[FieldNames, renamed_fields(FEED)]


@dataclass(frozen=True, slots=True, config=SECTION)
class RequestSettings:
    """How a web service is called.

    Attributes:
        requests_per_10_seconds: never more in any ten seconds.
        requests_per_day: a run stops after this many; what is left waits for the next one.
        connections: requests under way at a time.
        timeout_seconds: for an answer.
        tries: of one request, where another may succeed.
        wait_seconds: the longest wait before another try. A service that asks for more ends the
            run; what is left waits for the next one.
    """

    requests_per_10_seconds: AtLeastTwo = 100
    requests_per_day: Count = 100_000
    connections: Count = 4
    timeout_seconds: NumberOverZero = 30.0
    tries: Count = 5
    wait_seconds: NumberFromZero = 60.0


@dataclass(frozen=True, slots=True, config=SECTION)
class HubSpotSettings(RequestSettings):
    """HubSpot's CRM.

    Attributes:
        url: of the API.
        path: of the batch upsert, `{object_type}` standing for the type.
        properties_path: where properties are listed and created, for `--prepare`.
        associations_path: from notes to the object.
        portal_id: the account's number; a token of another account is refused. "" checks nothing.
        object_type: `deals`, or the name of a custom object.
        property_group: that new properties belong to.
        id_property: unique property that holds the group_id.
        token_env: environment variable with the access token.
        fields: property by field, laid over the defaults; "" leaves one out.
        notes: groups of these statuses get a note with their summary; empty for no notes.
        note_id_property: unique property of notes that holds the group_id.
    """

    requests_per_10_seconds: AtLeastTwo = 190
    requests_per_day: Count = 650_000
    url: Text = "https://api.hubapi.com"
    path: Text = "/crm/objects/2026-03/{object_type}/batch/upsert"
    properties_path: Text = "/crm/properties/2026-03/{object_type}"
    associations_path: Text = (
        "/crm/associations/2026-03/notes/{object_type}/batch/associate/default"
    )
    portal_id: Text = ""
    object_type: Text = "deals"
    property_group: Text = "dealinformation"
    id_property: Text = "mqbg_group_id"
    token_env: Text = "MQBG_HUBSPOT_TOKEN"  # noqa: S105 - the variable's name
    fields: Annotated[FieldNames, renamed_fields(HUBSPOT)] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()
    note_id_property: Text = "mqbg_note_id"

    @property
    def mapping(self) -> dict[str, str]:
        """Property by field."""
        return merge_field_names(HUBSPOT, self.fields)


@dataclass(frozen=True, slots=True, config=SECTION)
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

    url: Text = ""
    version: Text = "62.0"
    object: Text = "Opportunity"
    external_id: Text = "MQBG_Group_Id__c"
    member_object: Text = ""
    member_external_id: Text = "MQBG_Member_Id__c"
    member_group: Text = "MQBG_Group__r"
    member_contact: Text = ""
    contact_external_id: Text = "MQBG_Contact_Id__c"
    token_env: Text = "MQBG_SALESFORCE_TOKEN"  # noqa: S105 - the variable's name
    username_env: Text = "MQBG_SALESFORCE_USERNAME"
    password_env: Text = "MQBG_SALESFORCE_PASSWORD"  # noqa: S105 - the variable's name
    security_token_env: Text = "MQBG_SALESFORCE_SECURITY_TOKEN"  # noqa: S105 - the variable's name
    domain: Text = "login"
    bulk_above: WholeFromZero = 2000
    bulk_poll_seconds: NumberOverZero = 5.0
    bulk_patience_seconds: Number = 3600.0
    fields: Annotated[FieldNames, renamed_fields(SALESFORCE)] = field(default_factory=dict)
    member_fields: Annotated[FieldNames, renamed_fields(SALESFORCE_MEMBER, MEMBER_FIELDS)] = field(
        default_factory=dict
    )

    @property
    def mapping(self) -> dict[str, str]:
        """Field of Salesforce by field of ours."""
        return merge_field_names(SALESFORCE, self.fields)

    @property
    def member_mapping(self) -> dict[str, str]:
        """The same for stakeholders."""
        return merge_field_names(SALESFORCE_MEMBER, self.member_fields)


@dataclass(frozen=True, slots=True, config=SECTION)
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

    requests_per_10_seconds: AtLeastTwo = 200
    connections: Count = 8
    url: Text = ""
    version: Text = "9.2"
    entity_type: Text = "opportunity"
    key: Literal["alternate", "derived"] = "alternate"
    token_env: Text = "MQBG_DYNAMICS_TOKEN"  # noqa: S105 - the variable's name
    tenant: Text = ""
    client_id_env: Text = "MQBG_DYNAMICS_CLIENT_ID"
    client_secret_env: Text = "MQBG_DYNAMICS_CLIENT_SECRET"  # noqa: S105 - the variable's name
    login_url: Text = "https://login.microsoftonline.com"
    fields: Annotated[FieldNames, renamed_fields(DYNAMICS)] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Column by field."""
        return merge_field_names(DYNAMICS, self.fields)


@dataclass(frozen=True, slots=True, config=SECTION)
class SqlSettings:
    """A table in PostgreSQL.

    Attributes:
        url_env: environment variable with the URL, `postgresql://user:password@host/database`.
        table: created where it is absent; `schema.table` names its schema.
        fields: column by field, laid over the defaults; "" leaves one out.
    """

    url_env: Text = "MQBG_PUSH_SQL_URL"
    table: Text = "mqbg_scores"
    fields: Annotated[
        _FeedNames,
        must(lambda own: own.get("group_id") != "", "must keep group_id, the table's key"),
    ] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Column by field."""
        return merge_field_names(FEED, self.fields)


@dataclass(frozen=True, slots=True, config=SECTION)
class WebhookSettings(RequestSettings):
    """A receiver of your own.

    Attributes:
        url_env: environment variable with the URL.
        secret_env: environment variable with the key of the signature.
        batch: records in a request.
        fields: name by field, laid over the defaults; "" leaves one out.
    """

    url_env: Text = "MQBG_WEBHOOK_URL"
    secret_env: Text = "MQBG_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
    batch: Count = 100
    fields: _FeedNames = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Name by field."""
        return merge_field_names(FEED, self.fields)


@dataclass(frozen=True, slots=True, config=SECTION)
class JsonLinesSettings:
    """Lines of JSON.

    Attributes:
        path: of the file, which holds every group once; "-" writes what changed to stdout.
        fields: name by field, laid over the defaults; "" leaves one out.
    """

    path: Annotated[Text, must(bool, 'must be a file, or "-" for stdout')] = "mqbg-push.jsonl"
    fields: _FeedNames = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, str]:
        """Name by field."""
        return merge_field_names(FEED, self.fields)


@dataclass(frozen=True, slots=True, config=SECTION)
class PushSettings:
    """What holds for every target, and the targets.

    Attributes:
        max_attempts: a record refused so often is dead: nobody sends it again before
            `mqbg push --retry-dead`, or before what is to be sent changes.
        retry_minutes: until a refused record is due again; doubles with every refusal.
        decimals: of numbers that are no whole numbers; a change below that is none.
        steady_points: a change of the score up to this many points is no trend.
        grades: the lowest scores of the grades A, B and C; below is D.
    """

    max_attempts: Count = 5
    retry_minutes: NumberFromZero = 5.0
    decimals: Annotated[Whole, Field(ge=0, le=12)] = 3
    steady_points: WholeFromZero = 2
    grades: Annotated[
        tuple[Whole, ...],
        must(
            lambda grades: len(grades) == 3 and grades == tuple(sorted(grades, reverse=True)),
            "must be three falling scores: the lowest of A, of B and of C",
        ),
    ] = (75, 50, 25)
    hubspot: HubSpotSettings = field(default_factory=HubSpotSettings)
    salesforce: SalesforceSettings = field(default_factory=SalesforceSettings)
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    sql: SqlSettings = field(default_factory=SqlSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    jsonl: JsonLinesSettings = field(default_factory=JsonLinesSettings)


TARGETS = ("hubspot", "salesforce", "dynamics", "sql", "webhook", "jsonl")


@dataclass(frozen=True, slots=True, config=SECTION)
class AlertSettings(RequestSettings):
    """Whom to tell when a group qualifies, falls, or loses whom it rests on.

    Attributes:
        channels: `slack`, `teams`, `email`, or none.
        language: of the messages; "" takes `[explain] language`.
        digest_above: more alerts than this in a night, and those of a first night, are one message.
        fall_points: a qualified group whose score falls this much in a night gives an alert.
        max_age_days: of a change that is still news; nothing is sent of older ones.
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

    requests_per_10_seconds: AtLeastTwo = 10
    requests_per_day: Count = 10_000
    connections: Count = 1
    channels: tuple[Literal["slack", "teams", "email"], ...] = ()
    language: Text = ""
    digest_above: Count = 10
    fall_points: NumberOverZero = 20.0
    max_age_days: NumberOverZero = 3.0
    link: Annotated[
        Text,
        must(_is_link, "may hold {group_id} and {page}, and no other braces"),
    ] = ""
    slack_env: Text = "MQBG_SLACK_URL"
    teams_env: Text = "MQBG_TEAMS_URL"
    email_from: Text = ""
    email_to: tuple[Text, ...] = ()
    smtp_host: Text = "localhost"
    smtp_port: Annotated[Whole, Field(ge=1, le=65535)] = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user_env: Text = "MQBG_SMTP_USER"
    smtp_password_env: Text = "MQBG_SMTP_PASSWORD"  # noqa: S105 - the variable's name

    @model_validator(mode="after")
    def _mails_have_an_address(self) -> AlertSettings:
        if "email" in self.channels and not (self.email_from and self.email_to):
            raise ValueError('channels with "email" need email_from and email_to')
        return self
