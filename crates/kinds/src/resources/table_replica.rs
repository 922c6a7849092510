//! A replica of a primary table in the standby region (global tables, version 2019.11.21), with settings of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{Action, DataRole, FieldChange, Halfway, Kind, Lookup, Operation, Readiness, Wait};
use drstack_core::sides::Copied;
use serde::{Deserialize, Serialize};

use super::operation;
use super::standby_table::{Settings, StandbyTable};

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableReplicaSpec {
    /// The table; a replica has the same name.
    pub table: String,
    /// Key, recovery and protection.
    #[serde(flatten)]
    pub settings: Settings,
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
    type Live = StandbyTable;

    fn copied(spec: &TableReplicaSpec) -> Option<Copied> {
        Some(Copied::Items { table: spec.table.clone() })
    }

    fn diff(spec: &TableReplicaSpec, live: &StandbyTable) -> Vec<FieldChange> {
        live.differences(&spec.settings)
    }

    fn expect(spec: &TableReplicaSpec, id: &str) -> StandbyTable {
        StandbyTable::expect(&spec.settings, id)
    }

    /// It is made without tags and settings, which come once it is there.
    fn halfway(spec: &TableReplicaSpec, id: &str) -> Vec<Halfway<StandbyTable>> {
        let whole = Self::expect(spec, id);
        vec![Halfway::untagged(whole.bare()), Halfway::tagged(StandbyTable { tagged: true, ..whole.bare() })]
    }

    fn ready(spec: &TableReplicaSpec, live: &StandbyTable) -> Readiness {
        match live.status.as_str() {
            "ACTIVE" => Readiness::Ready,
            "CREATION_FAILED" | "INACCESSIBLE_ENCRYPTION_CREDENTIALS" => {
                Readiness::Failed(format!("the replica of `{}` is {}", spec.table, live.status))
            }
            other => Readiness::Waiting(format!("the replica of `{}` is {other}", spec.table)),
        }
    }

    fn outputs(id: &str, live: &StandbyTable) -> BTreeMap<String, String> {
        live.outputs(id)
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
    };
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::{FieldChange, Place};

    use super::{StandbyTable, TableReplica, TableReplicaSpec};
    use crate::aws::dynamodb::{protect, remove, table, tag};
    use crate::aws::s3::built;
    use crate::aws::tags::{owned, owner};
    use crate::aws::{Driver, Looked, Seen, Target, each};

    const PUT: &str = "dynamodb:UpdateTable";

    impl Driver for TableReplica {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<StandbyTable> {
            each(ids, |name| async move { look(at, &name).await }).await
        }

        async fn list_owned(
            at: &Target<'_>,
            except: &[String],
        ) -> Result<Vec<Seen<StandbyTable>>, CloudError> {
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
            Ok(all?.into_iter().filter(|seen| seen.owner.claims()).collect())
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &TableReplicaSpec,
        ) -> Result<Seen<StandbyTable>, CloudError> {
            if let Some(seen) = look(at, &spec.table).await? {
                return Ok(seen);
            }
            let create = CreateReplicationGroupMemberAction::builder()
                .region_name(at.region)
                .set_kms_master_key_id(spec.settings.kms_key.clone());
            let create = built(PUT, create.build())?;
            change(at, &spec.table, ReplicationGroupUpdate::builder().create(create).build()).await?;
            let creating =
                StandbyTable { kms_key: spec.settings.kms_key.clone(), ..StandbyTable::begun("CREATING") };
            let owner = Owner::Ours(call.address.clone());
            let creating = Seen { id: spec.table.clone(), owner, live: creating };
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
            tag(at, name, &owned(call, spec)).await?;
            spec.settings.put(at, name, changes).await
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

    async fn look(at: &Target<'_>, name: &str) -> Result<Option<Seen<StandbyTable>>, CloudError> {
        match table(at, name).await? {
            Some(found) => {
                let (live, tags) = StandbyTable::seen(at, name, found).await?;
                Ok(Some(Seen { id: name.to_owned(), owner: owner(&tags, at.scope), live }))
            }
            None => on_its_way(at, name).await,
        }
    }

    /// A replica shows in the table's own region some time before and after it does in its own.
    async fn on_its_way(at: &Target<'_>, name: &str) -> Result<Option<Seen<StandbyTable>>, CloudError> {
        let primary = Target { place: Place::Primary, region: &at.scope.primary, ..*at };
        let replicas = table(&primary, name).await?.and_then(|it| it.replicas).unwrap_or_default();
        let Some(replica) = replicas.into_iter().find(|it| it.region_name.as_deref() == Some(at.region))
        else {
            return Ok(None);
        };
        let status = replica.replica_status.map(|it| it.as_str().to_owned()).unwrap_or_default();
        // Not to be relied on before its own region says so.
        let status = if status == "ACTIVE" { "CREATING" } else { &status };
        let live = StandbyTable { kms_key: replica.kms_master_key_id, ..StandbyTable::begun(status) };
        Ok(Some(Seen { id: name.to_owned(), owner: Owner::Foreign, live }))
    }
}
