//! What limits a policy to one stack: its regions, and the names of what it has.

use std::collections::BTreeSet;

use drstack_core::compile::{compile, queries};
use drstack_core::component::Seed;
use drstack_core::facts::{Fact, Facts};
use drstack_core::graph::Resource;
use drstack_core::kind::{Kind, Place};
use drstack_core::objective::Mode;
use drstack_core::stack::Stack;
use jiff::Timestamp;

use crate::names::partition;
use crate::resources::{
    Bucket, Queue, ReplicationRule, TableExport, TableImport, TableRecovery, TableReplica, TableStream,
    WriterFence,
};

const ANY: &str = "*";

/// Regions and names; `*` where the policy is for every stack.
pub(super) struct Limits {
    partition: String,
    pub(super) primary: String,
    pub(super) standby: String,
    pub(super) stack: String,
    /// Buckets of the primary that are replicated.
    pub(super) sources: BTreeSet<String>,
    /// Buckets of the standby region, with the control bucket.
    pub(super) copies: BTreeSet<String>,
    pub(super) tables: BTreeSet<String>,
    pub(super) queues: BTreeSet<String>,
    /// Roles of the user's that the fence denies.
    pub(super) writers: BTreeSet<String>,
    /// ARN of the policy that bounds the stack's roles.
    pub(super) boundary: Option<String>,
    kinds: Option<BTreeSet<String>>,
}

impl Limits {
    /// Limits nothing by name or region.
    pub(super) fn none() -> Self {
        let any = || BTreeSet::from([ANY.to_owned()]);
        Self {
            partition: ANY.to_owned(),
            primary: ANY.to_owned(),
            standby: ANY.to_owned(),
            stack: ANY.to_owned(),
            sources: any(),
            copies: any(),
            tables: any(),
            queues: any(),
            writers: BTreeSet::new(),
            boundary: None,
            kinds: None,
        }
    }

    /// Derives the limits from the files of a stack. Nothing is asked of a cloud: whoever needs a
    /// policy has none yet.
    pub(super) fn of(stack: &Stack) -> Self {
        let facts = &stack.facts;
        let mut limits = Self {
            partition: partition(&facts.standby).to_owned(),
            primary: facts.primary.clone(),
            standby: facts.standby.clone(),
            stack: facts.name.clone(),
            sources: BTreeSet::new(),
            copies: [facts.control.clone()].into(),
            tables: BTreeSet::new(),
            queues: BTreeSet::new(),
            writers: BTreeSet::new(),
            boundary: facts.permissions_boundary.clone(),
            kinds: None,
        };
        // The control bucket is a bucket of the standby region like any other.
        let mut kinds =
            BTreeSet::from([Bucket::NAME.to_owned(), crate::resources::Parameter::NAME.to_owned()]);
        for facts in [Facts::default(), seeded(stack)] {
            for mode in [Mode::Standby, Mode::Active] {
                for resource in compile(stack, &facts, mode).graph.resources.values() {
                    kinds.insert(resource.kind.clone());
                    limits.take(resource);
                }
            }
        }
        limits.kinds = Some(kinds);
        limits
    }

    /// Takes the name of a resource.
    fn take(&mut self, resource: &Resource) {
        let field = |field: &str| resource.spec.get(field).and_then(|it| it.as_str()).map(str::to_owned);
        let name = resource.known_name().map(str::to_owned);
        match resource.kind.as_str() {
            Bucket::NAME => {
                self.copies.extend(name);
                self.sources.extend(field("source"));
            }
            ReplicationRule::NAME => self.sources.extend(field("bucket")),
            Queue::NAME => self.queues.extend(name),
            TableExport::NAME | TableImport::NAME => {
                self.tables.extend(field("table"));
                self.copies.extend(field("bucket"));
            }
            TableRecovery::NAME | TableReplica::NAME | TableStream::NAME => {
                self.tables.extend(field("table"));
            }
            WriterFence::NAME => self.writers.extend(name),
            _ => {}
        }
    }

    /// Kinds of the stack; `None` if the policy is for every stack.
    pub(super) fn kinds(&self) -> Option<&BTreeSet<String>> {
        self.kinds.as_ref()
    }

    /// True if the regions are known.
    pub(super) fn has_regions(&self) -> bool {
        self.primary != ANY
    }

    /// Returns the region of `place`.
    pub(super) fn region(&self, place: Place) -> &str {
        match place {
            Place::Primary => &self.primary,
            Place::Standby | Place::Global => &self.standby,
        }
    }

    /// Returns the ARN of `rest` in a region of any account: the credentials belong to one.
    pub(super) fn arn(&self, service: &str, region: &str, rest: &str) -> String {
        format!("arn:{}:{service}:{region}:*:{rest}", self.partition)
    }

    /// Returns the ARN of `rest` in a service whose ARNs have neither region nor account.
    pub(super) fn bare(&self, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}:::{rest}", self.partition)
    }

    /// Returns the ARN of `rest` in IAM.
    pub(super) fn iam(&self, rest: &str) -> String {
        format!("arn:{}:iam::*:{rest}", self.partition)
    }
}

/// Returns the answers that the simulator gives of the primary: what a stack becomes follows from
/// them too.
fn seeded(stack: &Stack) -> Facts {
    let mut facts = Facts::default();
    let asked = queries(stack);
    for declared in stack.components.values() {
        for seed in declared.component.seeds(&declared.spec, &stack.facts, &declared.address) {
            if let Seed::Fact { query, value } = seed
                && asked.contains(&query)
            {
                facts.answers.insert(query.key(), Fact::new(Timestamp::UNIX_EPOCH, value));
            }
        }
    }
    facts
}
