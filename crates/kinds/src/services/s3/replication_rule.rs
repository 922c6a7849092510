//! The replication rule kind: one rule of a primary bucket's replication configuration. Rules of
//! other owners are kept.

use drstack_core::address::ComponentAddress;
use drstack_core::kind::{
    Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Place, Replication, Role,
};
use drstack_core::link::Link;
use drstack_core::sides::Copied;
use serde::{Deserialize, Serialize};

use crate::services::iam::changed;
use crate::services::operation;
use crate::services::s3::versioned;

/// The desired state of a replication rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicationRuleSpec {
    /// The primary bucket.
    pub bucket: String,
    /// The rule's id; starts with `drstack-STACK-`.
    pub rule: String,
    /// The standby bucket.
    pub destination: String,
    /// The account that has to own the standby bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// ARN of the role.
    pub role: Link,
    /// True if delete markers are replicated too. Always set, because the default depends on the
    /// schema's version.
    pub delete_markers: bool,
    /// 15-minute time control with metrics.
    pub time_control: bool,
    /// Partition of the buckets.
    pub partition: String,
    /// Key of the standby region that encrypts replicas. Without it, objects under KMS keys are not
    /// replicated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// A replication rule as S3 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicationRuleLive {
    /// True if the rule is enabled, has a filter (V2 schema) and covers every object.
    pub whole_bucket: bool,
    /// The standby bucket.
    pub destination: String,
    /// The account that the rule names as owner of that bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// ARN of the configuration's role.
    pub role: String,
    /// True if delete markers are replicated too.
    pub delete_markers: bool,
    /// 15-minute time control with metrics.
    pub time_control: bool,
    /// Key that encrypts the replicas of objects under KMS keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// Returns the rule's id, which is the mark of ownership because rules carry no tags.
///
/// Ids may hold any character, but brackets read badly in XML.
pub fn rule_id(stack: &str, component: &ComponentAddress) -> String {
    format!("drstack-{stack}-{}", component.as_str().replace("[\"", "=").replace("\"]", "="))
}

/// Returns the role to write, if `standing` is the current one and rules of others may exist
/// (`has_others`).
///
/// S3 has one role for all rules of a bucket.
///
/// # Errors
///
/// Rules of others replicate under a role that is neither the stack's (`is_ours`) nor the wanted
/// one. That role is kept.
pub fn role_beside<'a>(
    standing: Option<&str>,
    has_others: bool,
    wanted: &'a str,
    is_ours: impl Fn(&str) -> bool,
) -> Result<&'a str, String> {
    match standing.filter(|role| has_others && *role != wanted && !is_ours(role)) {
        None => Ok(wanted),
        Some(role) => Err(format!(
            "rules of others replicate as `{role}`, and S3 has one role a bucket: it is not replaced by `{wanted}`"
        )),
    }
}

/// S3's code for a rule that it refuses: one that can never work, and one whose buckets or role it
/// does not see everywhere yet.
const REFUSED: &str = "InvalidRequest";

/// True if S3's refusal with `code` of a rule between these `buckets` may pass by itself.
///
/// That is so where this run has changed (`is_changed`) what S3 may not see everywhere yet:
/// versioning that was just enabled, or a role that was just made. Any other refusal stays.
pub fn may_pass<'a>(
    code: &str,
    buckets: impl IntoIterator<Item = &'a str>,
    role: &str,
    is_changed: impl Fn(&str) -> bool,
) -> bool {
    let role = changed(role.rsplit('/').next().unwrap_or_default());
    code == REFUSED && buckets.into_iter().map(versioned).chain([role]).any(|it| is_changed(&it))
}

/// The replication rule kind.
pub struct ReplicationRule;

impl Kind for ReplicationRule {
    const NAME: &'static str = "replication-rule";
    const SUMMARY: &'static str = "rule of a primary bucket that copies its objects to the standby bucket";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const ROLE: Role = Role::Feed;
    const OPERATIONS: &'static [Operation] =
        &[operation("s3", "GetReplicationConfiguration"), operation("s3", "PutReplicationConfiguration")];
    const CAPABILITIES: Capabilities =
        Capabilities { replication: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
    type Spec = ReplicationRuleSpec;
    type Live = ReplicationRuleLive;

    fn diff(spec: &ReplicationRuleSpec, live: &ReplicationRuleLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("whole_bucket", &live.whole_bucket, &true),
            FieldChange::of("destination", &live.destination, &spec.destination),
            FieldChange::of("account", &live.account, &spec.account),
            FieldChange::of("role", &live.role.as_str(), &spec.role.text()),
            FieldChange::of("delete_markers", &live.delete_markers, &spec.delete_markers),
            FieldChange::of("time_control", &live.time_control, &spec.time_control),
            FieldChange::of("kms_key", &live.kms_key, &spec.kms_key),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &ReplicationRuleSpec, _id: &str) -> ReplicationRuleLive {
        ReplicationRuleLive {
            whole_bucket: true,
            destination: spec.destination.clone(),
            account: spec.account.clone(),
            role: spec.role.text().to_owned(),
            delete_markers: spec.delete_markers,
            time_control: spec.time_control,
            kms_key: spec.kms_key.clone(),
        }
    }

    fn links(live: &ReplicationRuleLive) -> Vec<String> {
        vec![live.destination.clone(), live.role.clone()]
    }
}

impl Replication for ReplicationRule {
    fn copied(spec: &ReplicationRuleSpec) -> Option<Copied> {
        Some(Copied {
            kind: Self::NAME,
            name: spec.bucket.clone(),
            copy: spec.destination.clone(),
            unit: "object",
            both_write: false,
            deletions: spec.delete_markers,
            is_dated: true,
            shows_keys: true,
            means: "Objects are the same with the same version, or with the same size where the copy is no older; \
                    ETags are not compared, since uploads in parts and KMS keys change them.",
            metrics: spec.time_control.then(|| spec.rule.clone()),
        })
    }
}

#[cfg(feature = "aws")]
mod aws;

#[cfg(feature = "aws")]
pub(crate) use aws::{config, is_own_role, whose};

#[cfg(test)]
mod tests {
    use super::{may_pass, role_beside};

    #[test]
    fn a_role_that_is_not_ours_stays_while_rules_of_others_stand() {
        let (theirs, ours) = ("arn:aws:iam::1:role/theirs", "arn:aws:iam::1:role/drstack/fleet/x");
        let is_ours = |role: &str| role.contains("/drstack/fleet/");
        let written = |standing, has_others, wanted| role_beside(standing, has_others, wanted, is_ours);
        assert!(written(Some(theirs), true, ours).unwrap_err().contains(theirs));
        assert!(written(Some(theirs), true, "arn:aws:iam::1:role/another").is_err());
        assert_eq!(written(Some(theirs), true, theirs), Ok(theirs));
        assert_eq!(written(Some(theirs), false, ours), Ok(ours));
        let before = "arn:aws:iam::1:role/drstack/fleet/before";
        assert_eq!(written(Some(before), true, ours), Ok(ours));
        assert_eq!(written(None, false, ours), Ok(ours));
    }

    /// E5
    #[test]
    fn a_refusal_passes_only_where_a_change_of_this_run_explains_it() {
        let passes = |code: &str, changes: &[&str]| {
            let role = "arn:aws:iam::1:role/drstack/fleet/copier";
            may_pass(code, ["acme-models", "acme-models-standby"], role, |it| changes.contains(&it))
        };
        for change in ["versioning of acme-models", "versioning of acme-models-standby", "role copier"] {
            assert!(passes("InvalidRequest", &[change]), "{change}");
            assert!(!passes("InvalidArgument", &[change]), "{change}");
        }
        assert!(!passes("InvalidRequest", &[]));
        assert!(!passes("InvalidRequest", &["versioning of acme-logs", "role another"]));
    }
}
