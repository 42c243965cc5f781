"""Journey: which buying jobs the group is at, and how far sales has come with it."""

from __future__ import annotations

import ibis.expr.types as ir

from ....contract import BUYING_JOBS
from ..expressions import column, indicator, ratio, total
from ..feature import Feature
from ..vocabulary import Vocabulary

JOB_LABELS = {
    "problem_identification": ("identifying the problem", "課題の特定"),
    "solution_exploration": ("exploring solutions", "解決策の探索"),
    "requirements_building": ("building requirements", "要件の整理"),
    "supplier_selection": ("selecting a supplier", "取引先の選定"),
    "validation": ("validating the choice", "選定内容の検証"),
    "consensus_creation": ("creating consensus", "社内の合意形成"),
}
DECISION_JOBS = ("validation", "consensus_creation")  # the jobs of a group that is about to decide


def features(_vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (*_job_features(), *_decision_features(), *_stage_features(), *_verdict_features())


def _job_activity(t: ir.Table, job: str) -> ir.Value:
    return t[f"job_{BUYING_JOBS.index(job)}_90d"]


def _all_jobs_activity(t: ir.Table) -> ir.Value:
    return total([_job_activity(t, job) for job in BUYING_JOBS])


def _job_features() -> tuple[Feature, ...]:
    return (
        *(
            Feature(
                f"job_{job}_90d", "journey", "activities",
                f"activities about {JOB_LABELS[job][0]} in 90 days",
                f"直近90日間の「{JOB_LABELS[job][1]}」に関する活動",
                column(f"job_{place}_90d"), "up",
            )
            for place, job in enumerate(BUYING_JOBS)
        ),
        Feature(
            "jobs_touched_90d", "journey", "jobs",
            "buying jobs of the six touched in 90 days",
            "直近90日間に取り組んだ購買タスクの数（6つ中）",
            lambda t: total([indicator(_job_activity(t, job) > 0) for job in BUYING_JOBS]), "up",
        ),
        Feature(
            "returns", "journey", "weeks",
            "weeks in which members went back to an earlier buying job",
            "前の購買タスクに戻った週の数（メンバーの合計）", column("returns"),
        ),
        Feature(
            "returns_per_member", "journey", "weeks per member",
            "weeks of going back to an earlier buying job, per member",
            "前の購買タスクに戻った週の数（1人あたり）", lambda t: ratio(t.returns, t.members),
        ),
    )  # fmt: skip


def _decision_features() -> tuple[Feature, ...]:
    return (
        Feature(
            "deciding_share_90d", "journey", "share",
            "share of validation and consensus in the activity of 90 days",
            "直近90日間の購買タスクに占める検証と合意形成の割合",
            lambda t: ratio(
                total([_job_activity(t, job) for job in DECISION_JOBS]), _all_jobs_activity(t)
            ), "up",
        ),
        Feature(
            "deciding_members_90d", "journey", "members",
            "members busy with validation or consensus in 90 days",
            "直近90日間に検証や合意形成に動いた人数", column("deciding_members_90d"), "up",
        ),
        Feature(
            "deciding_members_share_90d", "journey", "share",
            "share of members busy with validation or consensus in 90 days",
            "直近90日間に検証や合意形成に動いた人の割合",
            lambda t: ratio(t.deciding_members_90d, t.members), "up",
        ),
    )  # fmt: skip


def _stage_features() -> tuple[Feature, ...]:
    return (
        Feature(
            "stage", "journey", "category",
            "current stage", "現在の商談段階", column("stage"), categorical=True,
        ),
        Feature(
            "days_in_stage", "journey", "days",
            "days in the current stage", "現在の段階での日数", column("days_in_stage"),
        ),
        Feature(
            "stage_changes", "journey", "changes",
            "stage changes so far", "これまでの商談段階の変化", column("stage_changes"),
        ),
        Feature(
            "closings", "journey", "closings",
            "times it was closed before", "これまでに一度終了した回数", column("closings"),
        ),
        Feature(
            "group_age_days", "journey", "days",
            "days since the group was formed", "グループ発足からの日数", column("group_age_days"),
        ),
    )  # fmt: skip


def _verdict_features() -> tuple[Feature, ...]:
    return (
        Feature(
            "verdicts_rejected", "journey", "verdicts",
            "times sales sent it back", "営業が差し戻した回数", column("verdicts_rejected"), "down",
        ),
        Feature(
            "days_since_verdict", "journey", "days",
            "days since sales decided", "営業の判断からの日数", column("days_since_verdict"),
        ),
    )  # fmt: skip
