//! A replica of a primary table in the standby region (global tables, version 2019.11.21), with settings of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{Action, DataRole, FieldChange, Kind, Lookup, Operation, Readiness, Wait};
use drstack_core::sides::Copied;
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableReplicaSpec {
    /// The table; a replica has the same name.
    pub table: String,
    /// Key of the standby region that encrypts the replica; a key that AWS owns where not said.
    pub kms_key: Option<String>,
    /// Point-in-time recovery in the standby region: a setting of each replica.
    pub point_in_time_recovery: bool,
    /// The replica cannot be deleted by accident.
    pub deletion_protection: bool,
}

/// What DynamoDB reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableReplicaLive {
    /// `ACTIVE` when it serves.
    pub status: String,
    /// Customer-managed key that encrypts it.
    pub kms_key: Option<String>,
    /// Point-in-time recovery is on.
    pub point_in_time_recovery: bool,
    /// It cannot be deleted by accident.
    pub deletion_protection: bool,
    /// It carries the stack's tags. Replicas are made without tags and get them afterwards.
    pub tagged: bool,
    /// Its ARN.
    pub arn: String,
}

/// See the module.
pub struct TableReplica;

impl Kind for TableReplica {
    const NAME: &'static str = "table-replica";
    const SUMMARY: &'static str = "global-table replica in the standby region, with recovery and protection";
    const LOOKUP: Lookup = Lookup::Name;
    const DATA: DataRole = DataRole::Holds;
    const WAIT: Wait = Wait::LONG;
    const OPERATIONS: &'static [Operation] = &[
        operation("dynamodb", "CreateTable"),
        operation("dynamodb", "CreateTableReplica"),
        operation("dynamodb", "DeleteItem"),
        operation("dynamodb", "DeleteTable"),
        operation("dynamodb", "DeleteTableReplica"),
        operation("dynamodb", "DescribeContinuousBackups"),
        operation("dynamodb", "DescribeTable"),
        operation("dynamodb", "GetItem"),
        operation("dynamodb", "ListTables"),
        operation("dynamodb", "ListTagsOfResource"),
        operation("dynamodb", "PutItem"),
        operation("dynamodb", "Query"),
        operation("dynamodb", "Scan"),
        operation("dynamodb", "TagResource"),
        operation("dynamodb", "UpdateContinuousBackups"),
        operation("dynamodb", "UpdateItem"),
        operation("dynamodb", "UpdateTable"),
        operation("iam", "CreateServiceLinkedRole"),
    ];
    type Spec = TableReplicaSpec;
    type Live = TableReplicaLive;

    fn copied(spec: &TableReplicaSpec) -> Option<Copied> {
        Some(Copied::Items { table: spec.table.clone() })
    }

    fn diff(spec: &TableReplicaSpec, live: &TableReplicaLive) -> Vec<FieldChange> {
        // Without a key in the stack any key will do: AWS shows the one that it manages here too.
        let key = spec
            .kms_key
            .as_ref()
            .and_then(|key| FieldChange::replacing("kms_key", &live.kms_key, &Some(key.clone())));
        let changes = [
            key,
            FieldChange::of(
                "point_in_time_recovery",
                &live.point_in_time_recovery,
                &spec.point_in_time_recovery,
            ),
            FieldChange::of("deletion_protection", &live.deletion_protection, &spec.deletion_protection),
            FieldChange::of("tagged", &live.tagged, &true),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &TableReplicaSpec, id: &str) -> TableReplicaLive {
        TableReplicaLive {
            status: "ACTIVE".to_owned(),
            kms_key: spec.kms_key.clone(),
            point_in_time_recovery: spec.point_in_time_recovery,
            deletion_protection: spec.deletion_protection,
            tagged: true,
            arn: format!("arn:aws:dynamodb:standby:000000000000:table/{id}"),
        }
    }

    fn ready(spec: &TableReplicaSpec, live: &TableReplicaLive) -> Readiness {
        match live.status.as_str() {
            "ACTIVE" => Readiness::Ready,
            "CREATION_FAILED" | "INACCESSIBLE_ENCRYPTION_CREDENTIALS" => {
                Readiness::Failed(format!("the replica of `{}` is {}", spec.table, live.status))
            }
            other => Readiness::Waiting(format!("the replica of `{}` is {other}", spec.table)),
        }
    }

    fn outputs(id: &str, live: &TableReplicaLive) -> BTreeMap<String, String> {
        [("id", id), ("arn", live.arn.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn prior(action: Action) -> Duration {
        // AWS fills a replica in minutes for small tables, in hours for large ones.
        if action == Action::Update { Duration::from_secs(5) } else { Duration::from_secs(300) }
    }
}

#[cfg(feature = "aws")]
mod aws {
    use std::collections::BTreeSet;

    use aws_sdk_dynamodb::types::{
        CreateReplicationGroupMemberAction, DeleteReplicationGroupMemberAction, ReplicationGroupUpdate,
        TableDescription,
    };
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::{FieldChange, Place};

    use super::{TableReplica, TableReplicaLive, TableReplicaSpec};
    use crate::aws::dynamodb::{protect, put_recovery, recovery, remove, table, tag, tags};
    use crate::aws::s3::built;
    use crate::aws::tags::{owned, owner};
    use crate::aws::{Driver, Looked, Seen, Target, each};

    const PUT: &str = "dynamodb:UpdateTable";

    impl Driver for TableReplica {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TableReplicaLive> {
            each(ids, |name| async move { look(at, &name).await }).await
        }

        async fn list_owned(
            at: &Target<'_>,
            except: &[String],
        ) -> Result<Vec<Seen<TableReplicaLive>>, CloudError> {
            let mut names = Vec::new();
            let mut pages = at.dynamodb().list_tables().into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| at.failed("dynamodb:ListTables", error))?;
                names.extend(page.table_names.unwrap_or_default());
            }
            let except: BTreeSet<&String> = except.iter().collect();
            names.retain(|name| !except.contains(name));
            let all = each(&names, |name| async move { look(at, &name).await }).await;
            let all: Result<Vec<_>, _> = all.into_iter().filter_map(Result::transpose).collect();
            Ok(all?.into_iter().filter(|seen| matches!(seen.owner, Owner::Ours(_))).collect())
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &TableReplicaSpec,
        ) -> Result<Seen<TableReplicaLive>, CloudError> {
            if let Some(seen) = look(at, &spec.table).await? {
                return Ok(seen);
            }
            let create = CreateReplicationGroupMemberAction::builder()
                .region_name(at.region)
                .set_kms_master_key_id(spec.kms_key.clone());
            let create = built(PUT, create.build())?;
            change(at, &spec.table, ReplicationGroupUpdate::builder().create(create).build()).await?;
            let creating = Seen {
                id: spec.table.clone(),
                owner: Owner::Ours(call.address.clone()),
                live: TableReplicaLive {
                    status: "CREATING".to_owned(),
                    kms_key: spec.kms_key.clone(),
                    point_in_time_recovery: false,
                    deletion_protection: false,
                    tagged: false,
                    arn: String::new(),
                },
            };
            // Settings and tags come by the update that follows where the difference shows.
            Ok(look(at, &spec.table).await?.unwrap_or(creating))
        }

        async fn update(
            at: &Target<'_>,
            call: &Call,
            name: &str,
            spec: &TableReplicaSpec,
            changes: &[FieldChange],
        ) -> Result<(), CloudError> {
            let changed = |field: &str| changes.iter().any(|change| change.field == field);
            tag(at, name, &owned(call, spec)).await?;
            if changed("point_in_time_recovery") {
                put_recovery(at, name, spec.point_in_time_recovery).await?;
            }
            if changed("deletion_protection") {
                protect(at, name, spec.deletion_protection).await?;
            }
            Ok(())
        }

        async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
            let Some(found) = table(at, name).await? else { return Ok(()) };
            // What an export was restored to is listed here too, and stands by itself.
            if found.replicas().is_empty() {
                return remove(at, name, &found).await;
            }
            if found.deletion_protection_enabled == Some(true) {
                protect(at, name, false).await?;
            }
            let delete = DeleteReplicationGroupMemberAction::builder().region_name(at.region).build();
            let delete = ReplicationGroupUpdate::builder().delete(built(PUT, delete)?).build();
            change(at, name, delete).await
        }
    }

    /// Replicas are made and removed through the table in the primary region.
    async fn change(at: &Target<'_>, name: &str, update: ReplicationGroupUpdate) -> Result<(), CloudError> {
        let primary = Target { place: Place::Primary, region: &at.scope.primary, ..*at };
        let put = primary.dynamodb().update_table().table_name(name).replica_updates(update).send().await;
        put.map(drop).map_err(|error| primary.failed(PUT, error))
    }

    async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<TableReplicaLive>>, CloudError> {
        match table(at, name).await? {
            Some(found) => details(at, name, found).await.map(Some),
            None => on_its_way(at, name).await,
        }
    }

    /// A replica shows in the table's own region some time before and after it does in its own.
    async fn on_its_way(at: &Target<'_>, name: &str) -> Result<Option<Seen<TableReplicaLive>>, CloudError> {
        let primary = Target { place: Place::Primary, region: &at.scope.primary, ..*at };
        let replicas = table(&primary, name).await?.and_then(|it| it.replicas).unwrap_or_default();
        let Some(replica) = replicas.into_iter().find(|it| it.region_name.as_deref() == Some(at.region))
        else {
            return Ok(None);
        };
        let status = replica.replica_status.map(|it| it.as_str().to_owned()).unwrap_or_default();
        let live = TableReplicaLive {
            // Not to be relied on before its own region says so.
            status: if status == "ACTIVE" { "CREATING".to_owned() } else { status },
            kms_key: replica.kms_master_key_id,
            point_in_time_recovery: false,
            deletion_protection: false,
            tagged: false,
            arn: String::new(),
        };
        Ok(Some(Seen { id: name.to_owned(), owner: Owner::Foreign, live }))
    }

    async fn details(
        at: &Target<'_>,
        name: &str,
        found: TableDescription,
    ) -> Result<Seen<TableReplicaLive>, CloudError> {
        let arn = found.table_arn.unwrap_or_default();
        let (recovery, tags) = tokio::try_join!(recovery(at, name), tags(at, &arn))?;
        let owner = owner(&tags, at.scope);
        let kms_key = found.sse_description.and_then(|it| it.kms_master_key_arn);
        let live = TableReplicaLive {
            status: found.table_status.map(|it| it.as_str().to_owned()).unwrap_or_default(),
            kms_key,
            point_in_time_recovery: recovery == Some(true),
            deletion_protection: found.deletion_protection_enabled == Some(true),
            tagged: matches!(owner, Owner::Ours(_)),
            arn,
        };
        Ok(Seen { id: name.to_owned(), owner, live })
    }
}
