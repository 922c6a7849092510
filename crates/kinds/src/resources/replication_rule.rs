//! One rule in a primary bucket's replication configuration. Other rules there are somebody else's and stay.

use drstack_core::kind::{DataRole, FieldChange, Kind, Lookup, Operation, Place};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicationRuleSpec {
    /// The primary bucket.
    pub bucket: String,
    /// The rule's id; starts with `drstack-STACK-`.
    pub rule: String,
    /// The standby bucket.
    pub destination: String,
    /// ARN of the role.
    pub role: Link,
    /// Delete markers are replicated too; always said, since the schema's default depends on its version.
    pub delete_markers: bool,
    /// 15-minute time control with metrics.
    pub time_control: bool,
}

/// What S3 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicationRuleLive {
    /// The rule is enabled, has a filter (V2 schema) and takes every object.
    pub whole_bucket: bool,
    /// The standby bucket.
    pub destination: String,
    /// ARN of the configuration's role.
    pub role: String,
    /// Delete markers are replicated too.
    pub delete_markers: bool,
    /// 15-minute time control with metrics.
    pub time_control: bool,
}

/// See the module.
pub struct ReplicationRule;

impl Kind for ReplicationRule {
    const NAME: &'static str = "replication-rule";
    const SUMMARY: &'static str = "rule of a primary bucket that copies its objects to the standby bucket";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const DATA: DataRole = DataRole::Feeds;
    const OPERATIONS: &'static [Operation] =
        &[operation("s3", "GetReplicationConfiguration"), operation("s3", "PutReplicationConfiguration")];
    type Spec = ReplicationRuleSpec;
    type Live = ReplicationRuleLive;

    fn diff(spec: &ReplicationRuleSpec, live: &ReplicationRuleLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("whole_bucket", &live.whole_bucket, &true),
            FieldChange::of("destination", &live.destination, &spec.destination),
            FieldChange::of("role", &live.role.as_str(), &spec.role.text()),
            FieldChange::of("delete_markers", &live.delete_markers, &spec.delete_markers),
            FieldChange::of("time_control", &live.time_control, &spec.time_control),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &ReplicationRuleSpec, _id: &str) -> ReplicationRuleLive {
        ReplicationRuleLive {
            whole_bucket: true,
            destination: spec.destination.clone(),
            role: spec.role.text().to_owned(),
            delete_markers: spec.delete_markers,
            time_control: spec.time_control,
        }
    }

    fn links(live: &ReplicationRuleLive) -> Vec<String> {
        vec![live.destination.clone(), live.role.clone()]
    }
}
