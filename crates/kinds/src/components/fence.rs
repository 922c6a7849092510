//! `[fence.NAME]`: publishes which region may write and since which change of mode.
//!
//! On request it also denies writes to the primary's writers while the standby region serves.
//! docs/guide/fence.md shows its use.

mod codes;

use drstack_core::address::ComponentAddress;
use drstack_core::cloud::{Found, Owner};
use drstack_core::component::{CompileCx, Component, Problem, Ref, ResourceSet, Seed, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::graph::Resource;
use drstack_core::kind::{Kind, Place};
use drstack_core::link::Link;
use drstack_core::objective::{Mode, Posture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Bucket, PRIMARY, Table};
use crate::names;
use crate::resources::{Parameter, WriterFence};
use crate::services::iam::writer_fence::WriterFenceSpec;
use crate::services::ssm::parameter::{ACTIVE_REGION, EPOCH, ParameterSpec, folder};

/// `[fence.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FenceTable {
    /// Names of IAM roles with which applications write in the primary region. From the first `drstack apply` after a failover on
    /// a policy denies them to write `buckets` and `tables` there; `drstack failback` lifts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_writers: Vec<String>,
    /// Buckets whose primary they may not write then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<Ref<Bucket>>,
    /// Tables whose primary they may not write then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Ref<Table>>,
}

/// Maximum length of a role's name, by IAM.
const ROLE_LIMIT: usize = 64;

fn is_role_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (1..=ROLE_LIMIT).contains(&name.len()) && name.chars().all(fits)
}

/// The fence component.
pub struct Fence;

impl Component for Fence {
    const NAME: &'static str = "fence";
    const SUMMARY: &'static str =
        "parameters in the standby region that say which region may write, and since when";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = FenceTable;

    fn check(spec: &FenceTable, _stack: &StackFacts, _posture: Posture, out: &mut Vec<Problem>) {
        for (number, role) in spec.deny_writers.iter().enumerate() {
            let message = match role {
                role if !is_role_name(role) => format!("`{role}` is not a role's name"),
                role if spec.deny_writers[..number].contains(role) => format!("`{role}` is named twice"),
                _ => continue,
            };
            let help = "write each role once, by its name without a path: `serving-writers`";
            out.push(Problem::error("DR270", "deny_writers", message, help));
        }
        let (writers, data) =
            (spec.deny_writers.is_empty(), spec.buckets.is_empty() && spec.tables.is_empty());
        let (field, message, help) = match (writers, data) {
            (false, true) => (
                "deny_writers",
                "nothing says what these may not write",
                "name the stack's buckets or tables: `tables = [\"@table.orders\"]`",
            ),
            (true, false) => (
                if spec.buckets.is_empty() { "tables" } else { "buckets" },
                "nothing says who may not write these",
                "name roles: `deny_writers = [\"serving-writers\"]`",
            ),
            _ => return,
        };
        out.push(Problem::error("DR271", field, message.to_owned(), help));
    }

    fn compile(spec: &FenceTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let folder = folder(&cx.stack.name);
        let parameter = |resource: &str, value: String, along: Option<&str>| {
            let name = format!("{folder}{resource}");
            let spec = ParameterSpec { name: name.clone(), value, along: along.map(str::to_owned) };
            Resource::named::<Parameter>(cx.resource(resource), Place::Standby, name, &spec)
        };
        let region = match cx.mode {
            Mode::Standby => &cx.stack.primary,
            Mode::Active => &cx.stack.standby,
        };
        // A reader that sees the region that may write must not see an outdated epoch beside it.
        // The epoch rises with a change of the region only: writers of a part that did not fail over go on.
        let epoch = out.add(parameter(EPOCH, cx.epoch.to_string(), Some(ACTIVE_REGION)));
        let mut region = parameter(ACTIVE_REGION, region.clone(), None).after(&epoch);
        for role in &spec.deny_writers {
            let denial = out.add(denial(spec, role, cx));
            if cx.mode == Mode::Standby {
                // Publish the region only after its writers are allowed again.
                region = region.after(&denial);
            }
        }
        out.add(region);
    }

    fn seeds(spec: &FenceTable, _stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        let seed = |role: &String| Seed::Resource {
            kind: WriterFence::NAME,
            place: Place::Global,
            found: Found { id: role.clone(), owner: Owner::Setting, live: json!({"policy": null}) },
        };
        spec.deny_writers.iter().map(seed).collect()
    }
}

fn denial(spec: &FenceTable, role: &str, cx: &CompileCx<'_>) -> Resource {
    let texts = |links: Vec<Link>| links.iter().map(|it| it.text().to_owned()).collect::<Vec<_>>();
    let mut fence = WriterFenceSpec {
        also: Vec::new(),
        role: role.to_owned(),
        denied: cx.mode == Mode::Active,
        buckets: spec.buckets.iter().flat_map(|it| texts(cx.export(it, PRIMARY))).collect(),
        tables: spec.tables.iter().flat_map(|it| texts(cx.export(it, PRIMARY))).collect(),
        region: cx.stack.primary.clone(),
        partition: names::partition(&cx.stack.primary).to_owned(),
    };
    fence.buckets.sort();
    fence.tables.sort();
    let resource = cx.resource(&format!("deny-{role}"));
    Resource::named::<WriterFence>(resource, Place::Global, role.to_owned(), &fence)
}
