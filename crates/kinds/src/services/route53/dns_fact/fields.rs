//! Fields of a record and of a health check, and what becomes of each.

use crate::ledger::Fate::{Irrelevant, Mapped, NotYet, Refused};
use crate::ledger::{Ledger, Model};

/// The record that a stack adopts.
pub const RECORD: Ledger = Ledger {
    object: "DNS record",
    service: "route53",
    model: Model::Members("ResourceRecordSet"),
    fields: &[
        ("HealthCheckId", NotYet("health check of its own")),
        ("TrafficPolicyInstanceId", NotYet("traffic policy")),
        ("Name", Mapped("the same name, as a pair of records")),
        ("Type", Mapped("CNAME, or A for aliases; another type is refused (DR252)")),
        ("ResourceRecords", Mapped("`primary_target` and `standby_target`")),
        ("AliasTarget", Mapped("`primary_target` and `standby_target`; the fields below")),
        ("TTL", Mapped("60 s, so that resolvers follow a failover")),
        ("Failover", Refused("DR252")),
        ("CidrRoutingConfig", Refused("DR252")),
        ("GeoLocation", Refused("DR252")),
        ("GeoProximityLocation", Refused("DR252")),
        ("MultiValueAnswer", Refused("DR252")),
        ("Region", Refused("DR252")),
        ("SetIdentifier", Refused("DR252")),
        ("Weight", Refused("DR252")),
    ],
};

/// The target of a record that is an alias.
pub const ALIAS: Ledger = Ledger {
    object: "Alias of a DNS record",
    service: "route53",
    model: Model::Members("AliasTarget"),
    fields: &[
        // A standby that is still small would count as unhealthy.
        ("EvaluateTargetHealth", NotYet("evaluation of the health of its targets")),
        ("DNSName", Mapped("`primary_target` and `standby_target`")),
        ("HostedZoneId", Mapped("`primary_target` and `standby_target`")),
    ],
};

/// A health check: none is followed, the stack makes its own.
pub const HEALTH_CHECK: Ledger = Ledger {
    object: "Health check",
    service: "route53",
    model: Model::Members("HealthCheckConfig"),
    fields: &[
        ("Type", Mapped("HTTPS")),
        ("FullyQualifiedDomainName", Mapped(PROBE)),
        ("Port", Mapped(PROBE)),
        ("ResourcePath", Mapped(PROBE)),
        ("EnableSNI", Mapped("on")),
        ("RequestInterval", Mapped("30 s")),
        ("FailureThreshold", Mapped("3")),
        ("AlarmIdentifier", Mapped("the stack's alarm in the standby region")),
        ("InsufficientDataHealthStatus", Mapped("the last known status")),
        ("ChildHealthChecks", Mapped("the stack's own checks")),
        ("HealthThreshold", Mapped("all of the stack's own checks")),
        ("Disabled", Mapped("never")),
        ("Inverted", Mapped("never")),
        ("IPAddress", Irrelevant(OWN)),
        ("MeasureLatency", Irrelevant(OWN)),
        ("Regions", Irrelevant(OWN)),
        ("RoutingControlArn", Irrelevant(OWN)),
        ("SearchString", Irrelevant(OWN)),
    ],
};

/// Where the address of a check comes from.
const PROBE: &str = "`probe`";
/// Reason of what the stack's checks do without.
const OWN: &str = "no check of the primary is followed; the stack's own do without it";
