//! `[table.NAME]`: a table of the primary whose items exist in the standby region too.

mod codes;

use drstack_core::address::ComponentAddress;
use drstack_core::cloud::{Found, Owner};
use drstack_core::component::{CompileCx, Component, Problem, ResourceSet, Seed, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::{FactQuery, Known, Lacking};
use drstack_core::graph::Resource;
use drstack_core::kind::{Kind, Place};
use drstack_core::link::Link;
use drstack_core::objective::{Mode, Posture};
use drstack_core::restored::EXPORT;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{PRIMARY, refuse, yes};
use crate::facts::{FactKind, TableFact, TableShape};
use crate::names::partition;
use crate::resources::{
    GlobalTable, TableCopy, TableExport, TableImport, TableRecovery, TableReplica, TableStream,
};
use crate::services::dynamodb::global_table::GlobalTableSpec;
use crate::services::dynamodb::standby_table::Settings;
use crate::services::dynamodb::table_copy::{TableCopySpec, copy_id};
use crate::services::dynamodb::table_export::{TableExportSpec, export_id, prefix};
use crate::services::dynamodb::table_fact::LEDGERS;
use crate::services::dynamodb::table_import::TableImportSpec;
use crate::services::dynamodb::table_recovery::TableRecoverySpec;
use crate::services::dynamodb::table_replica::TableReplicaSpec;
use crate::services::dynamodb::table_stream::{TableStreamSpec, VIEW};

/// Hours after which the next apply exports a cold table again, unless its RPO is shorter: cold
/// promises an RPO of hours.
///
/// An RPO of less than an hour counts as one hour, because an export itself takes minutes.
const OLDEST_HOURS: u64 = 24;

/// Name under which a table exports the resources that a failover restores, and a pool those of its
/// tables.
pub(super) const RESTORED: &str = "restored";

/// `[table.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableTable {
    /// The primary table; a replica has the same name.
    pub name: String,
    /// True for a table that is global already: its replica in the standby region is used as it is, and never changed or deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopt: bool,
    /// Key of the standby region that encrypts the replica; needed where the primary table is under a key of one's own.
    pub kms_key: Option<String>,
    /// Point-in-time recovery in the standby region.
    #[serde(default = "yes")]
    pub point_in_time_recovery: bool,
    /// The replica cannot be deleted by accident; `--delete-data` lifts it.
    #[serde(default = "yes")]
    pub deletion_protection: bool,
}

/// The table component.
pub struct Table;

impl Component for Table {
    const NAME: &'static str = "table";
    const SUMMARY: &'static str = "a DynamoDB table of the primary, with a replica in the standby region";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = TableTable;

    fn check(spec: &TableTable, stack: &StackFacts, posture: Posture, out: &mut Vec<Problem>) {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !(3..=255).contains(&spec.name.len()) || !spec.name.chars().all(inner) {
            let message = format!("`{}` is not a table name", spec.name);
            let help = "use 3 to 255 letters, digits, `_`, `.` and `-`";
            out.push(Problem::error("DR211", "name", message, help));
        }
        if spec.adopt && spec.kms_key.is_some() {
            let message = format!("`{}` is adopted, and its replica keeps the key that it has", spec.name);
            out.push(Problem::error("DR244", "kms_key", message, "leave `kms_key` out"));
        }
        if posture == Posture::Cold && !spec.adopt {
            let message = format!(
                "`{}` is in {} only as exports: a failover restores what the last one holds",
                spec.name, stack.standby
            );
            let help = "run `drstack apply STACK` on a schedule, or choose `posture = \"pilot-light\"` for a replica";
            out.push(Problem::warning("DR218", "name", message, help));
        }
    }

    fn facts(spec: &TableTable, _stack: &StackFacts) -> Vec<FactQuery> {
        vec![TableFact::about(&spec.name)]
    }

    fn compile(spec: &TableTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let arn = format!(
            "arn:{}:dynamodb:{}:*:table/{}",
            partition(&cx.stack.standby),
            cx.stack.standby,
            spec.name
        );
        out.export("arn", vec![Link::Known(arn)]);
        out.export(PRIMARY, vec![Link::Known(spec.name.clone())]);
        let fact = cx.facts.get::<TableFact>(&TableFact::about(&spec.name));
        if let Known::Yes(fact) = &fact {
            out.not_carried = fact.not_carried.sentences(&format!("table {}", spec.name), LEDGERS);
        }
        if fact == Known::Absent {
            let message = format!("table `{}` does not exist in {}", spec.name, cx.stack.primary);
            out.error("DR211", "name", message, "make it there first, or correct the name");
        }
        if spec.adopt {
            adopted(spec, &fact, cx, out);
            return;
        }
        if cx.posture == Posture::Cold {
            cold(spec, &fact, cx, out);
            return;
        }
        if let Known::Yes(fact) = &fact {
            replicable(spec, fact, cx, out);
        }
        out.export("name", vec![Link::Known(spec.name.clone())]);
        let stream = out.add(Resource::named::<TableStream>(
            cx.resource("table-stream"),
            Place::Primary,
            &spec.name,
            &TableStreamSpec { table: spec.name.clone() },
        ));
        let replica = TableReplicaSpec { table: spec.name.clone(), settings: settings(spec) };
        out.add(
            Resource::named::<TableReplica>(
                cx.resource("table-replica"),
                Place::Standby,
                &spec.name,
                &replica,
            )
            .after(&stream)
            .made_through_the_primary(),
        );
    }

    fn seeds(spec: &TableTable, _stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        let setting = |kind: &'static str, live| Seed::Resource {
            kind,
            place: Place::Primary,
            found: Found { id: spec.name.clone(), owner: Owner::Setting, live },
        };
        let adopted = Seed::Resource {
            kind: GlobalTable::NAME,
            place: Place::Standby,
            found: Found {
                id: spec.name.clone(),
                owner: Owner::Setting,
                live: json!({
                    "status": "ACTIVE",
                    "arn": format!("arn:aws:dynamodb:standby:000000000000:table/{}", spec.name),
                }),
            },
        };
        let mut seeds = vec![
            Seed::Fact {
                query: TableFact::about(&spec.name),
                value: json!({"on_demand": true, "autoscaled": false, "kms_key": null, "stream": null, "shape": {
                    "attributes": {"pk": "S"}, "key": [{"attribute": "pk", "role": "HASH"}],
                    "indexes": [], "local_indexes": [], "capacity": null,
                }}),
            },
            setting(TableStream::NAME, json!({"view": null})),
            setting(TableRecovery::NAME, json!({"enabled": false})),
        ];
        seeds.extend(spec.adopt.then_some(adopted));
        seeds
    }
}

/// Compiles a replica that exists already.
fn adopted(spec: &TableTable, fact: &Known<TableFact>, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let TableTable { name, .. } = spec;
    if let Known::Yes(TableFact { replicas: Some(replicas), .. }) = fact
        && !replicas.contains(&cx.stack.standby)
    {
        let message =
            format!("table `{name}` has no replica in {}, and `adopt` makes none", cx.stack.standby);
        refuse(cx, out, ("DR244", "adopt"), message, "leave `adopt` out: drstack makes the replica");
    }
    out.export("name", vec![Link::Known(name.clone())]);
    let table = GlobalTableSpec { table: name.clone() };
    let address = cx.resource("global-table");
    let table = Resource::named::<GlobalTable>(address, Place::Standby, name, &table);
    out.add(table);
}

/// Compiles the copies that are restored from exports.
///
/// Once the standby region serves, nothing of the primary is exported: the primary may be gone, and
/// later writes go to the restored table.
fn cold(spec: &TableTable, fact: &Known<TableFact>, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let recovery = out.add(Resource::named::<TableRecovery>(
        cx.resource("table-recovery"),
        Place::Primary,
        &spec.name,
        &TableRecoverySpec { table: spec.name.clone() },
    ));
    let bucket = cx.stack.control.clone();
    let prefix = prefix(&cx.stack.name, &spec.name);
    let copy = Resource::named::<TableCopy>(
        cx.resource("table-copy"),
        Place::Standby,
        copy_id(&bucket, &prefix),
        &TableCopySpec { bucket: bucket.clone(), prefix: prefix.clone() },
    );
    if cx.mode == Mode::Standby {
        let oldest_hours = oldest_hours(cx);
        let id = export_id(&spec.name, oldest_hours, &bucket);
        let export = TableExportSpec { table: spec.name.clone(), bucket, prefix, oldest_hours };
        let name = cx.resource("table-export");
        let export =
            out.add(Resource::named::<TableExport>(name, Place::Primary, id, &export).after(&recovery));
        out.add(copy.after(&export));
        if !matches!(fact, Known::Yes(TableFact { shape: None, .. })) {
            out.export("name", vec![Link::Known(spec.name.clone())]);
        }
        return;
    }
    let copy = out.add(copy);
    let shape = match fact {
        Known::Absent => return,
        Known::Yes(TableFact { shape: Some(shape), kms_key, on_demand, .. }) => {
            left_out(spec, shape, kms_key.as_deref(), *on_demand, out);
            Some(shape.clone())
        }
        Known::Yes(_) | Known::Unknown(_) => {
            let message = format!("nobody has asked for the keys of `{}` yet: it is not restored", spec.name);
            out.warn("DR218", "name", message, "run `drstack apply STACK` once while the primary answers");
            None
        }
    };
    out.export("name", vec![Link::Known(spec.name.clone())]);
    let import = TableImportSpec {
        table: spec.name.clone(),
        bucket,
        prefix,
        export: Link::output(&copy, EXPORT),
        shape: shape.clone().unwrap_or_default(),
        settings: settings(spec),
    };
    let name = cx.resource("table-import");
    let mut import = Resource::named::<TableImport>(name, Place::Standby, &spec.name, &import);
    if shape.is_none() {
        // It is wanted all the same: what reads it waits, and a verdict misses it.
        let query = TableFact::about(&spec.name).key();
        let text = "its keys are not known; run `drstack apply STACK` while the primary answers".to_owned();
        import.lacking = Some(Lacking { query, text, silent: None, kept: false });
    }
    let import = out.add(import);
    out.export(RESTORED, vec![Link::id(&import)]);
}

fn settings(spec: &TableTable) -> Settings {
    Settings {
        kms_key: spec.kms_key.clone(),
        point_in_time_recovery: spec.point_in_time_recovery,
        deletion_protection: spec.deletion_protection,
    }
}

/// Notes the properties of a table that no export restores.
fn left_out(
    spec: &TableTable,
    shape: &TableShape,
    kms_key: Option<&str>,
    on_demand: bool,
    out: &mut ResourceSet,
) {
    let name = &spec.name;
    out.notes.push(format!(
        "`{name}` is restored with its keys and global indexes; its time to live and its stream are yours to switch on"
    ));
    if !shape.local_indexes.is_empty() {
        let lost = shape.local_indexes.join(", ");
        out.notes.push(format!(
            "`{name}` is restored without its local indexes, which no import can make: {lost}"
        ));
    }
    if !on_demand && shape.capacity.is_none() {
        out.notes.push(format!(
            "`{name}` is restored as a table that pays per request: no auto scaling is registered for it"
        ));
    }
    if let (Some(_), None) = (kms_key, &spec.kms_key) {
        out.notes.push(format!("`{name}` is restored under a key that AWS owns: `kms_key` names no other"));
    }
}

/// Returns the maximum age of an export: the RPO, but no more than cold promises.
fn oldest_hours(cx: &CompileCx<'_>) -> u64 {
    let rpo = cx.objective.rpo.and_then(|rpo| u64::try_from(rpo.as_hours()).ok());
    rpo.map_or(OLDEST_HOURS, |hours| hours.clamp(1, OLDEST_HOURS))
}

/// Reports properties that a replica cannot follow, before anything changes.
fn replicable(spec: &TableTable, fact: &TableFact, cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let name = &spec.name;
    if fact.autoscaled {
        let text = format!(
            "`{name}` has provisioned capacity: its replica scales only once auto scaling is registered for it too"
        );
        out.notes.push(text);
    }
    if !fact.on_demand && !fact.autoscaled {
        let message = format!(
            "table `{name}` has a fixed write capacity, and a replica has to be able to write as much as the table does"
        );
        let help = "make it on-demand, or give its writes auto scaling; then run this again";
        out.error("DR212", "name", message, help);
    }
    if !fact.fixed_indexes.is_empty() {
        let message = format!(
            "indexes of table `{name}` have a fixed write capacity, and a replica needs auto scaling for each: {}",
            fact.fixed_indexes.join(", ")
        );
        let help =
            "give the writes of each index auto scaling, or make the table on-demand; then run this again";
        refuse(cx, out, ("DR212", "name"), message, help);
    }
    if fact.legacy {
        let message = format!("table `{name}` is a global table of version 2017.11.29");
        out.error("DR212", "name", message, "update it to version 2019.11.21 first; the console does it");
    }
    if let Some(view) = fact.stream.as_deref().filter(|view| *view != VIEW) {
        let message = format!("the stream of table `{name}` shows {view}, and a replica needs {VIEW}");
        let help =
            "switch the stream off and on again with new and old images; whoever reads it has to start over";
        out.error("DR217", "name", message, help);
    }
    if let (Some(key), None) = (&fact.kms_key, &spec.kms_key) {
        let message =
            format!("table `{name}` is encrypted under `{key}`, which does not exist in the standby region");
        out.error("DR213", "name", message, "name a key of the standby region: `kms_key = \"arn:...\"`");
    }
}
