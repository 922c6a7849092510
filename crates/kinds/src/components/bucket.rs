//! `[bucket.NAME]`: a bucket of the primary that is replicated to the standby region.

mod codes;

use drstack_core::address::ComponentAddress;
use drstack_core::cloud::{Found, Owner};
use drstack_core::component::{CompileCx, Component, Problem, ResourceSet, Seed, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::{FactQuery, Known};
use drstack_core::graph::Resource;
use drstack_core::kind::{Kind, Place};
use drstack_core::link::Link;
use drstack_core::objective::{Mode, Posture};
use drstack_core::stack::{BUCKET_HELP, is_bucket_name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{PRIMARY, account, refuse, simulated_account, yes};
use crate::facts::{BucketFact, FactKind};
use crate::resources::{Bucket as BucketKind, BucketVersioning, ReplicationRole, ReplicationRule};
use crate::services::iam::replication_role::ReplicationRoleSpec;
use crate::services::s3::bucket::BucketSpec;
use crate::services::s3::bucket_fact::LEDGERS;
use crate::services::s3::bucket_versioning::BucketVersioningSpec;
use crate::services::s3::replication_rule::{ReplicationRuleSpec, rule_id};
use crate::{kms, names};

/// What a bucket holds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// Models.
    ModelArtifacts,
    /// Features for training.
    OfflineFeatures,
    /// Checkpoints of training runs.
    Checkpoints,
    /// Definitions of pipelines.
    PipelineDefinitions,
    /// Anything else.
    Data,
}

/// `[bucket.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketTable {
    /// The primary bucket.
    pub name: String,
    /// The standby bucket; default `NAME-STANDBY_REGION`.
    pub standby_name: Option<String>,
    /// What it holds.
    #[serde(default = "data")]
    pub holds: Holds,
    /// Replicate delete markers.
    #[serde(default = "yes")]
    pub delete_markers: bool,
    /// Replicate within 15 minutes, with metrics; costs extra.
    #[serde(default)]
    pub replication_time_control: bool,
    /// Key of the standby region that encrypts the copies; needed where the primary's objects are under a KMS key.
    pub kms_key: Option<String>,
    /// Days after which versions that are no longer the latest expire in the standby; 0 for never.
    #[serde(default = "month")]
    pub old_versions_days: u32,
}

fn data() -> Holds {
    Holds::Data
}

fn month() -> u32 {
    30
}

/// Name under which a bucket exports the key of its copies.
pub(super) const KEY: &str = "kms_key";
/// Maximum length of a bucket's name.
const BUCKET_LIMIT: usize = 63;
/// Maximum length of a role's name.
const ROLE_LIMIT: usize = 64;

impl BucketTable {
    /// Returns the name of the standby bucket.
    pub fn standby_name(&self, stack: &StackFacts) -> String {
        let derived = || names::fit(&format!("{}-{}", self.name, stack.standby), BUCKET_LIMIT);
        self.standby_name.clone().unwrap_or_else(derived)
    }
}

/// The bucket component.
pub struct Bucket;

impl Component for Bucket {
    const NAME: &'static str = "bucket";
    const SUMMARY: &'static str = "an S3 bucket of the primary, replicated to the standby region";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = BucketTable;

    fn check(spec: &BucketTable, stack: &StackFacts, _posture: Posture, out: &mut Vec<Problem>) {
        // A name derived from a valid one is valid.
        for (field, name) in [("name", Some(&spec.name)), ("standby_name", spec.standby_name.as_ref())] {
            if let Some(name) = name.filter(|name| !is_bucket_name(name)) {
                let message = format!("`{name}` is not a bucket name");
                out.push(Problem::error("DR214", field, message, BUCKET_HELP));
            }
        }
        for (field, name) in [("name", spec.name.clone()), ("standby_name", spec.standby_name(stack))] {
            if name == stack.control {
                let message = format!("`{name}` is the stack's own control bucket");
                let help = "give the control bucket another name: `control` under `[stack]`";
                out.push(Problem::error("DR214", field, message, help));
            }
        }
        if spec.standby_name.as_ref() == Some(&spec.name) {
            let message = format!("`{}` is the primary bucket itself", spec.name);
            let help =
                "choose another name, or leave `standby_name` out: no two buckets of the world share a name";
            out.push(Problem::error("DR214", "standby_name", message, help));
        }
    }

    fn facts(spec: &BucketTable, _stack: &StackFacts) -> Vec<FactQuery> {
        vec![BucketFact::about(&spec.name), FactQuery::account()]
    }

    fn compile(spec: &BucketTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let standby = spec.standby_name(cx.stack);
        let fact = asked(spec, cx, out);
        if let Some(fact) = &fact {
            replicable(spec, fact, cx, out);
        }
        let (source_key, foreign_role) = fact.map_or((None, None), |fact| (fact.kms_key, fact.foreign_role));
        let (partition, account) = (names::partition(&cx.stack.standby).to_owned(), account(cx));
        let arn = |key: &str, region: &str| kms::arn(key, region, account.as_deref());
        let keys = Keys {
            source: source_key.map(|key| arn(&key, &cx.stack.primary)),
            standby: spec.kms_key.as_ref().map(|key| arn(key, &cx.stack.standby)),
        };
        let bucket = out.add(Resource::named::<BucketKind>(
            cx.resource("bucket"),
            Place::Standby,
            &standby,
            &BucketSpec {
                name: standby.clone(),
                source: spec.name.clone(),
                old_versions_days: spec.old_versions_days,
                kms_key: spec.kms_key.clone(),
            },
        ));
        let versioning = out.add(Resource::named::<BucketVersioning>(
            cx.resource("bucket-versioning"),
            Place::Primary,
            &spec.name,
            &BucketVersioningSpec { bucket: spec.name.clone() },
        ));
        let role = role(spec, cx, foreign_role, &keys, out);
        let rule = rule_id(&cx.stack.name, cx.address);
        let id = format!("{}/{rule}", spec.name);
        let rule = ReplicationRuleSpec {
            bucket: spec.name.clone(),
            rule,
            destination: standby.clone(),
            account,
            role,
            delete_markers: spec.delete_markers,
            time_control: spec.replication_time_control,
            partition: partition.clone(),
            kms_key: keys.standby.clone(),
        };
        out.export(KEY, keys.standby.into_iter().map(Link::Known).collect());
        out.add(
            Resource::named::<ReplicationRule>(cx.resource("replication-rule"), Place::Primary, id, &rule)
                .after(&bucket)
                .after(&versioning),
        );
        out.export(PRIMARY, vec![Link::Known(spec.name.clone())]);
        out.export("arn", vec![Link::Known(format!("arn:{partition}:s3:::{standby}"))]);
        out.export("name", vec![Link::Known(standby)]);
        if cx.mode == Mode::Standby {
            out.notes.push(
                "objects from before the replication rule are not copied: S3 replicates what is written after it"
                    .to_owned(),
            );
        }
        if cx.posture == Posture::Hot {
            out.notes.push("the way back to the primary is not prepared yet".to_owned());
        }
    }

    fn seeds(spec: &BucketTable, _stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        vec![
            simulated_account(),
            Seed::Fact { query: BucketFact::about(&spec.name), value: json!({"versioning": false}) },
            Seed::Resource {
                kind: BucketVersioning::NAME,
                place: Place::Primary,
                found: Found {
                    id: spec.name.clone(),
                    owner: Owner::Setting,
                    live: json!({"enabled": false}),
                },
            },
        ]
    }
}

/// ARNs of the KMS keys of a bucket and its copy.
struct Keys {
    source: Option<String>,
    standby: Option<String>,
}

/// Reports what keeps S3 from copying objects, before anything changes.
fn replicable(spec: &BucketTable, fact: &BucketFact, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let name = &spec.name;
    if let (Some(key), None) = (&fact.kms_key, &spec.kms_key) {
        let message =
            format!("objects of `{name}` are encrypted under `{key}`, and such objects are not copied");
        let help = format!("say under which key of {} the copies are kept: `kms_key`", cx.stack.standby);
        out.warn("DR215", "name", message, help);
    }
    if fact.has_object_lock() {
        let message = format!(
            "`{name}` has Object Lock, and S3 copies its objects only into a bucket with Object Lock, which drstack does not make"
        );
        let help = "leave it out, and copy it by other means";
        refuse(cx, out, ("DR210", "name"), message, help);
    }
    if let Some(rule) = &fact.older_rule {
        let message = format!(
            "rule `{rule}` of `{name}` has no filter, and S3 takes no other rule beside that older form"
        );
        let help =
            "write that rule in the newer form: with `Filter`, `Priority` and `DeleteMarkerReplication`";
        refuse(cx, out, ("DR216", "name"), message, help);
    }
}

/// Returns the role for replication: the bucket's own, or the one of existing rules of others.
fn role(
    spec: &BucketTable,
    cx: &CompileCx<'_>,
    foreign: Option<String>,
    keys: &Keys,
    out: &mut ResourceSet,
) -> Link {
    let standby = spec.standby_name(cx.stack);
    match foreign {
        Some(role) => {
            let message =
                format!("other rules of `{}` replicate as `{role}`, and S3 has one role a bucket", spec.name);
            let help = format!(
                "allow that role to replicate into `{standby}` too: s3:ReplicateObject, s3:ReplicateDelete, s3:ReplicateTags"
            );
            out.warn("DR216", "name", message, help);
            Link::Known(role)
        }
        None => {
            let name = names::owned(&cx.stack.name, cx.address, "replication", ROLE_LIMIT);
            let role = ReplicationRoleSpec {
                also: Vec::new(),
                name: name.clone(),
                source: spec.name.clone(),
                destination: standby.clone(),
                partition: names::partition(&cx.stack.standby).to_owned(),
                kms_key: keys.standby.clone(),
                source_kms_key: keys.source.clone(),
                account: account(cx),
                permissions_boundary: cx.stack.permissions_boundary.clone(),
            };
            let role = Resource::named::<ReplicationRole>(
                cx.resource("replication-role"),
                Place::Global,
                &name,
                &role,
            );
            Link::output(&out.add(role), "arn")
        }
    }
}

/// Returns the fact of the primary's bucket, if it is known.
fn asked(spec: &BucketTable, cx: &CompileCx<'_>, out: &mut ResourceSet) -> Option<BucketFact> {
    match cx.facts.get::<BucketFact>(&BucketFact::about(&spec.name)) {
        Known::Yes(fact) => {
            out.not_carried = fact.not_carried.sentences(&format!("bucket {}", spec.name), LEDGERS);
            Some(fact)
        }
        Known::Absent => {
            let message = format!("bucket `{}` does not exist in {}", spec.name, cx.stack.primary);
            out.error("DR210", "name", message, "make it there first, or correct the name");
            None
        }
        // Then nothing of the primary changes, and neither does the role.
        Known::Unknown(_) => None,
    }
}
