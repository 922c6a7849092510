use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{
    CreateReplicationGroupMemberAction, DeleteReplicationGroupMemberAction, ReplicationGroupUpdate,
};
use drstack_core::cloud::{Call, CloudError, Owner, Presence};
use drstack_core::kind::{FieldChange, Place};
use drstack_core::sides::{Copied, Sides};
use jiff::Timestamp;

use super::{StandbyTable, TableReplica, TableReplicaSpec, unwell};
use crate::aws::built;
use crate::aws::tags::{owned, owner};
use crate::aws::{Driver, Looked, Seen, Target, each, each_of};
use crate::services::dynamodb::calls::{protect, remove, table, tag};

const PUT: &str = "dynamodb:UpdateTable";

impl Driver for TableReplica {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<StandbyTable> {
        each(ids, |name| async move { look(at, &name).await }).await
    }

    async fn exist(at: &Target<'_>, ids: &[String]) -> Vec<Result<Presence, CloudError>> {
        let there = |name: String| async move {
            let Some(found) = table(at, &name).await? else { return Ok(Presence::Absent) };
            let status = found.table_status.as_ref().map_or("UNKNOWN", |it| it.as_str());
            Ok(unwell(status).map_or(Presence::There, Presence::Unwell))
        };
        each_of(ids.to_vec(), there).await
    }

    async fn list_owned(at: &Target<'_>, except: &[String]) -> Result<Vec<Seen<StandbyTable>>, CloudError> {
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
        // The update that follows sets settings and tags, where the change is visible.
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
        // A table restored from an export is listed here too, and has no replicas.
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

    async fn sides(
        primary: &Target<'_>,
        standby: &Target<'_>,
        copied: &Copied,
        since: Option<Timestamp>,
    ) -> Result<Sides, CloudError> {
        crate::services::dynamodb::items::sides(primary, standby, copied, since).await
    }
}

/// Updates the replicas through the table of the primary region, which creates and deletes them.
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

/// Reads a replica from the primary's table, which shows it some time before and after the
/// replica's own region does.
async fn on_its_way(at: &Target<'_>, name: &str) -> Result<Option<Seen<StandbyTable>>, CloudError> {
    let primary = Target { place: Place::Primary, region: &at.scope.primary, ..*at };
    let replicas = table(&primary, name).await?.and_then(|it| it.replicas).unwrap_or_default();
    let Some(replica) = replicas.into_iter().find(|it| it.region_name.as_deref() == Some(at.region)) else {
        return Ok(None);
    };
    let status = replica.replica_status.map(|it| it.as_str().to_owned()).unwrap_or_default();
    // Not to be relied on until its own region reports it.
    let status = if status == "ACTIVE" { "CREATING" } else { &status };
    let live = StandbyTable { kms_key: replica.kms_master_key_id, ..StandbyTable::begun(status) };
    Ok(Some(Seen { id: name.to_owned(), owner: Owner::Foreign, live }))
}
