use std::collections::BTreeSet;

use aws_sdk_s3::types::{
    DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination, EncryptionConfiguration, Metrics,
    MetricsStatus, ReplicationConfiguration, ReplicationRule as Rule, ReplicationRuleFilter,
    ReplicationRuleStatus, ReplicationTime, ReplicationTimeStatus, ReplicationTimeValue,
    SourceSelectionCriteria, SseKmsEncryptedObjects, SseKmsEncryptedObjectsStatus,
};
use drstack_core::cloud::{Call, CloudError, Owner, Scope};
use drstack_core::kind::{FieldChange, Place};
use drstack_core::sides::{Copied, Sides};
use jiff::Timestamp;

use super::{ReplicationRule, ReplicationRuleLive, ReplicationRuleSpec, may_pass, role_beside};
use crate::aws::once::LastChanged;
use crate::aws::tags::decode;
use crate::aws::{Driver, Looked, Seen, Target, built, code_of, each, each_of, has_code, passing};
use crate::services::iam::calls as iam;
use crate::services::s3::calls::{NO_BUCKET, Replication};

const PUT: &str = "s3:PutReplicationConfiguration";

/// Minutes of the time control: the only value that S3 accepts.
const TIME_CONTROL: i32 = 15;

/// Last part of the rule's address.
const RESOURCE: &str = "replication-rule";

impl Driver for ReplicationRule {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<ReplicationRuleLive> {
        each(ids, |id| async move { look(at, &id).await }).await
    }

    /// Lists the stack's rules through its roles: a rule exists as long as its role, and one call
    /// lists the roles.
    async fn list_owned(
        at: &Target<'_>,
        except: &[String],
    ) -> Result<Vec<Seen<ReplicationRuleLive>>, CloudError> {
        let global = Target { place: Place::Global, ..*at };
        let mut buckets = iam::role_sources(&global).await?;
        // A bucket that the stack names may have a rule under the earlier name of its component.
        buckets.extend(except.iter().map(|id| split(id).0.to_owned()));
        buckets.sort();
        buckets.dedup();
        let rules = each_of(buckets, |bucket| async move {
            let (role, rules) = config(at, &bucket).await?.unwrap_or_default();
            let seen = rules.iter().map(|rule| seen(at.scope, &bucket, &role, rule));
            Ok::<Vec<_>, CloudError>(seen.collect())
        });
        let except: BTreeSet<&String> = except.iter().collect();
        let mut ours = Vec::new();
        for rules in rules.await {
            ours.extend(rules?);
        }
        ours.retain(|seen| matches!(seen.owner, Owner::Ours(_)) && !except.contains(&seen.id));
        Ok(ours)
    }

    async fn create(
        at: &Target<'_>,
        _: &Call,
        spec: &ReplicationRuleSpec,
    ) -> Result<Seen<ReplicationRuleLive>, CloudError> {
        put(at, spec).await?;
        let id = format!("{}/{}", spec.bucket, spec.rule);
        let gone = || CloudError::Conflict {
            operation: PUT.to_owned(),
            message: format!("`{id}` is not there after it was made"),
        };
        look(at, &id).await?.ok_or_else(gone)
    }

    async fn update(
        at: &Target<'_>,
        _: &Call,
        _: &str,
        spec: &ReplicationRuleSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        put(at, spec).await
    }

    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let (bucket, name) = split(id);
        let Some((role, mut rules)) = config(at, bucket).await? else { return Ok(()) };
        let before = rules.len();
        rules.retain(|rule| rule.id.as_deref() != Some(name));
        if rules.len() == before {
            return Ok(());
        }
        if rules.is_empty() {
            let gone = at.buckets().delete_bucket_replication().bucket(bucket).send().await;
            return gone.map(drop).map_err(|error| at.failed(PUT, error));
        }
        write(at, bucket, role, rules, None).await
    }

    async fn sides(
        primary: &Target<'_>,
        standby: &Target<'_>,
        copied: &Copied,
        since: Option<Timestamp>,
    ) -> Result<Sides, CloudError> {
        crate::services::s3::objects::sides(primary, standby, copied, since).await
    }
}

fn split(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

/// Reads role and rules of a bucket's configuration; `None` if the configuration or the bucket does
/// not exist.
pub(crate) async fn config(at: &Target<'_>, bucket: &str) -> Result<Option<(String, Vec<Rule>)>, CloudError> {
    const NONE: &[&str] = &["ReplicationConfigurationNotFoundError"];
    match at.buckets().get_bucket_replication().bucket(bucket).send().await {
        Ok(answer) => Ok(answer.replication_configuration.map(|it| (it.role, it.rules))),
        Err(error) if has_code(&error, NONE) || has_code(&error, NO_BUCKET) => Ok(None),
        Err(error) => Err(at.failed("s3:GetReplicationConfiguration", error)),
    }
}

async fn look(at: &Target<'_>, id: &str) -> Result<Option<Seen<ReplicationRuleLive>>, CloudError> {
    let (bucket, name) = split(id);
    let known = match at.aws.told.get::<Replication>().0.take(bucket) {
        Some(known) => known,
        None => config(at, bucket).await?,
    };
    let Some((role, rules)) = known else { return Ok(None) };
    let ours = rules.iter().find(|rule| rule.id.as_deref() == Some(name));
    Ok(ours.map(|rule| seen(at.scope, bucket, &role, rule)))
}

fn seen(scope: &Scope, bucket: &str, role: &str, rule: &Rule) -> Seen<ReplicationRuleLive> {
    let name = rule.id.as_deref().unwrap_or_default();
    let prefix = rule.filter.as_ref().and_then(|filter| filter.prefix.as_deref());
    let destination = rule.destination.as_ref();
    let enabled = |status: Option<&str>| status == Some("Enabled");
    let markers = rule.delete_marker_replication.as_ref().and_then(|it| it.status.as_ref());
    let time = destination.and_then(|it| it.replication_time.as_ref()).map(|it| it.status.as_str());
    let live = ReplicationRuleLive {
        whole_bucket: rule.status == ReplicationRuleStatus::Enabled && prefix == Some(""),
        destination: destination
            .map(|it| it.bucket.rsplit(':').next().unwrap_or_default().to_owned())
            .unwrap_or_default(),
        account: destination.and_then(|it| it.account.clone()),
        role: role.to_owned(),
        delete_markers: enabled(markers.map(DeleteMarkerReplicationStatus::as_str)),
        time_control: enabled(time),
        kms_key: destination
            .and_then(|it| it.encryption_configuration.as_ref())
            .and_then(|it| it.replica_kms_key_id.clone()),
    };
    Seen { id: format!("{bucket}/{name}"), owner: whose(scope, name), live }
}

/// Returns the owner of a rule from its id, `drstack-STACK-COMPONENT`.
///
/// Stack names may hold hyphens, so the rest has to be a component's address.
pub(crate) fn whose(scope: &Scope, rule: &str) -> Owner {
    let component = rule.strip_prefix(&format!("drstack-{}-", scope.stack));
    match component.filter(|it| it.starts_with("bucket.") || it.starts_with("module.")) {
        Some(component) => decode(&format!("{component}/{RESOURCE}")).map_or(Owner::Foreign, Owner::Ours),
        None => Owner::Foreign,
    }
}

/// True if the role was created for this stack.
pub(crate) fn is_own_role(at: &Target<'_>, role: &str) -> bool {
    role.contains(&format!(":role{}", iam::path(at)))
}

/// Writes the rule beside those of others, which are kept, as is their role.
///
/// The configuration is read again here, because it may have changed since the plan.
async fn put(at: &Target<'_>, spec: &ReplicationRuleSpec) -> Result<(), CloudError> {
    let (standing, rules) = config(at, &spec.bucket).await?.unzip();
    let mut rules = rules.unwrap_or_default();
    let is_foreign = |rule: &Rule| whose(at.scope, rule.id().unwrap_or_default()) == Owner::Foreign;
    let has_others = rules.iter().any(is_foreign);
    let wanted = spec.role.text();
    // An operation of no service: the next run plans with the current role.
    let role = role_beside(standing.as_deref(), has_others, wanted, |role| is_own_role(at, role))
        .map_err(|message| CloudError::Invalid {
            operation: format!("replication of `{}`", spec.bucket),
            code: "RoleOfOthers".to_owned(),
            message,
        })?
        .to_owned();
    let ours = rules.iter().position(|rule| rule.id.as_deref() == Some(&spec.rule));
    let before = ours.map(|at| rules.remove(at));
    let priority = before.and_then(|rule| rule.priority).unwrap_or_else(|| {
        rules.iter().filter_map(|rule| rule.priority).max().map_or(1, |highest| highest + 1)
    });
    rules.push(rule(spec, priority)?);
    write(at, &spec.bucket, role, rules, Some(&spec.destination)).await
}

/// Writes the rules of a bucket; `destination` is that of a rule that is new or changed.
async fn write(
    at: &Target<'_>,
    bucket: &str,
    role: String,
    rules: Vec<Rule>,
    destination: Option<&str>,
) -> Result<(), CloudError> {
    let config = built(PUT, ReplicationConfiguration::builder().role(&role).set_rules(Some(rules)).build())?;
    let put = at.buckets().put_bucket_replication().bucket(bucket);
    let Err(error) = put.replication_configuration(config).send().await else { return Ok(()) };
    let changes = at.aws.shared.get::<LastChanged>();
    let buckets = [Some(bucket), destination].into_iter().flatten();
    let passes = |code: &str| may_pass(code, buckets, &role, |name| changes.of(name).is_some());
    match code_of(&error).is_some_and(passes) {
        true => Err(passing(PUT, &error)),
        false => Err(at.failed(PUT, error)),
    }
}

/// Builds the rule in the V2 schema: a filter, a priority, and an explicit setting for delete
/// markers.
fn rule(spec: &ReplicationRuleSpec, priority: i32) -> Result<Rule, CloudError> {
    let minutes = || ReplicationTimeValue::builder().minutes(TIME_CONTROL).build();
    let mut destination = Destination::builder()
        .bucket(format!("arn:{}:s3:::{}", spec.partition, spec.destination))
        .set_account(spec.account.clone())
        .set_encryption_configuration(
            spec.kms_key
                .as_ref()
                .map(|key| EncryptionConfiguration::builder().replica_kms_key_id(key).build()),
        );
    if spec.time_control {
        let time = ReplicationTime::builder().status(ReplicationTimeStatus::Enabled).time(minutes());
        let metrics = Metrics::builder().status(MetricsStatus::Enabled).event_threshold(minutes());
        destination =
            destination.replication_time(built(PUT, time.build())?).metrics(built(PUT, metrics.build())?);
    }
    let markers = match spec.delete_markers {
        true => DeleteMarkerReplicationStatus::Enabled,
        false => DeleteMarkerReplicationStatus::Disabled,
    };
    let under_keys = match &spec.kms_key {
        None => None,
        Some(_) => {
            let objects = SseKmsEncryptedObjects::builder().status(SseKmsEncryptedObjectsStatus::Enabled);
            let objects = built(PUT, objects.build())?;
            Some(SourceSelectionCriteria::builder().sse_kms_encrypted_objects(objects).build())
        }
    };
    let rule = Rule::builder()
        .id(&spec.rule)
        .priority(priority)
        .status(ReplicationRuleStatus::Enabled)
        .filter(ReplicationRuleFilter::builder().prefix("").build())
        .delete_marker_replication(DeleteMarkerReplication::builder().status(markers).build())
        .set_source_selection_criteria(under_keys)
        .destination(built(PUT, destination.build())?);
    built(PUT, rule.build())
}

#[cfg(test)]
mod tests {
    use drstack_core::address::Address;

    use super::*;

    #[test]
    fn a_rule_belongs_to_the_stack_whose_component_it_names() {
        let scope = |stack: &str| Scope {
            stack: stack.into(),
            primary: "a".into(),
            standby: "b".into(),
            secrets: std::sync::Arc::default(),
        };
        let component = drstack_core::address::ComponentAddress::new("module.svc[\"eta\"].bucket.models");
        let rule = super::super::rule_id("fleet-eu", &component);
        let ours = Address::new(&component, RESOURCE);
        assert_eq!(whose(&scope("fleet-eu"), &rule), Owner::Ours(ours));
        assert_eq!(whose(&scope("fleet"), &rule), Owner::Foreign);
        assert_eq!(whose(&scope("fleet-eu"), "by-hand"), Owner::Foreign);
    }
}
