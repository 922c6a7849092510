//! `[queue.NAME]`: an SQS queue of the primary that is created in the standby region too.

mod codes;

use std::collections::BTreeMap;

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::component::{CompileCx, Component, Problem, Ref, ResourceSet, Seed, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::{FactQuery, Known};
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::objective::{Mode, Posture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{goes_on_without, unknown};
use crate::facts::{FactKind, QueueFact};
use crate::resources::Queue as QueueKind;
use crate::services::sqs::queue::{QueueSpec, Redrive};
use crate::services::sqs::queue_fact::LEDGERS;

/// `[queue.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueTable {
    /// The primary's queue; the standby queue has the same name.
    pub name: String,
    /// The component that is its dead-letter queue, if several queues share one; default: one is made with it.
    pub dead_letters: Option<Ref<Queue>>,
    /// Key of the standby region that encrypts it; default: keys that SQS manages.
    pub kms_key: Option<String>,
}

/// Maximum length of a queue's name.
const NAME_LIMIT: usize = 80;
/// Suffix of the name of a FIFO queue.
const FIFO: &str = ".fifo";
/// The SQS-managed key that every region has.
const OF_SQS: &str = "alias/aws/sqs";
/// Name of the export with its ARN, for queues that use it as their dead-letter queue.
const ARN: &str = "arn";

/// The queue component.
pub struct Queue;

impl Component for Queue {
    const NAME: &'static str = "queue";
    const SUMMARY: &'static str =
        "an SQS queue with the primary's attributes; its messages are not replicated";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = QueueTable;

    fn check(spec: &QueueTable, _stack: &StackFacts, _posture: Posture, out: &mut Vec<Problem>) {
        let plain = spec.name.strip_suffix(FIFO).unwrap_or(&spec.name);
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if plain.is_empty() || spec.name.len() > NAME_LIMIT || !plain.chars().all(inner) {
            let message = format!("`{}` is not a queue name", spec.name);
            let help = "use 1 to 80 letters, digits, `_` and `-`; a FIFO queue's name ends with `.fifo`";
            out.push(Problem::error("DR280", "name", message, help));
        }
    }

    fn facts(spec: &QueueTable, _stack: &StackFacts) -> Vec<FactQuery> {
        vec![QueueFact::about(&spec.name)]
    }

    fn compile(spec: &QueueTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let fact = match cx.facts.get::<QueueFact>(&QueueFact::about(&spec.name)) {
            Known::Yes(fact) => {
                out.not_carried = fact.not_carried.sentences(&format!("queue {}", spec.name), LEDGERS);
                fact
            }
            Known::Absent => {
                let message = format!("queue `{}` does not exist in {}", spec.name, cx.stack.primary);
                out.error("DR280", "name", message, "make it there first, or correct the name");
                return;
            }
            Known::Unknown(why) => {
                let message = format!("nothing is known of queue `{}`", spec.name);
                if goes_on_without(cx, out, ("DR280", "name"), &message, &why) {
                    return out.export(QUEUE, vec![Link::Known(spec.name.clone())]);
                }
                unknown(out, ("DR280", "name"), message, &why, why.hint());
                return;
            }
        };
        let Some(kms_key) = key(spec, &spec.name, fact.encryption.as_deref(), out) else { return };
        let redrive = fact.dead_letters.as_ref().and_then(|it| {
            let dead_letters = match &spec.dead_letters {
                Some(shared) => {
                    elsewhere(spec, &it.name, &cx.export(shared, QUEUE), cx, out);
                    cx.export(shared, ARN).into_iter().next()?
                }
                None => {
                    let kms_key = key(spec, &it.name, it.encryption.as_deref(), out)?;
                    Link::output(
                        &add(cx, out, DEAD_LETTERS, &made(&it.name, &it.attributes, kms_key, None)),
                        ARN,
                    )
                }
            };
            Some(Redrive { dead_letters, max_receive_count: it.max_receive_count })
        });
        if spec.dead_letters.is_some() && fact.dead_letters.is_none() {
            let message = format!("queue `{}` has no dead-letter queue in {}", spec.name, cx.stack.primary);
            out.warn("DR282", "dead_letters", message, "leave it out, or give the primary's queue one");
        }
        let queue = add(cx, out, QUEUE, &made(&spec.name, &fact.attributes, kms_key, redrive));
        out.export(ARN, vec![Link::output(&queue, ARN)]);
        out.export(QUEUE, vec![Link::Known(spec.name.clone())]);
        if cx.mode == Mode::Standby {
            out.notes.push(format!(
                "`{}` holds nothing in {}: messages are not replicated",
                spec.name, cx.stack.standby
            ));
        }
    }

    fn seeds(spec: &QueueTable, _stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        let dead_letters = json!({
            "name": format!("{}-dead{}", spec.name.trim_end_matches(FIFO), fifo(&spec.name)),
            "max_receive_count": 5, "attributes": {"MessageRetentionPeriod": "1209600"}, "encryption": "",
        });
        let value = json!({
            "attributes": {"VisibilityTimeout": "30", "MessageRetentionPeriod": "345600"},
            "encryption": "", "has_policy": false,
            "dead_letters": dead_letters,
        });
        vec![Seed::Fact { query: QueueFact::about(&spec.name), value }]
    }
}

/// The queue itself.
const QUEUE: &str = "queue";
/// The dead-letter queue that is created with it.
const DEAD_LETTERS: &str = "dead-letter-queue";

/// Warns if dead letters go to `named`, another queue than the primary's `wanted`.
fn elsewhere(spec: &QueueTable, wanted: &str, named: &[Link], cx: &CompileCx<'_>, out: &mut ResourceSet) {
    let Some(named) = named.first().map(Link::text).filter(|it| *it != wanted) else { return };
    let message = format!(
        "dead letters of queue `{}` go to `{wanted}` in {}, and to `{named}` in {}",
        spec.name, cx.stack.primary, cx.stack.standby
    );
    out.warn("DR282", "dead_letters", message, format!("name the component of `{wanted}`"));
}

fn fifo(name: &str) -> &'static str {
    if name.ends_with(FIFO) { FIFO } else { "" }
}

fn made(
    name: &str,
    attributes: &BTreeMap<String, String>,
    kms_key: Option<String>,
    redrive: Option<Redrive>,
) -> QueueSpec {
    QueueSpec { name: name.to_owned(), attributes: attributes.clone(), kms_key, redrive }
}

fn add(cx: &CompileCx<'_>, out: &mut ResourceSet, resource: &str, spec: &QueueSpec) -> Address {
    out.add(Resource::named::<QueueKind>(cx.resource(resource), Place::Standby, &spec.name, spec))
}

/// Returns the standby region's key for a queue that has one in the primary; an error if that key
/// is the primary's.
#[expect(
    clippy::option_option,
    reason = "no key of its own is one answer, no key that could serve the other"
)]
fn key(
    spec: &QueueTable,
    name: &str,
    encryption: Option<&str>,
    out: &mut ResourceSet,
) -> Option<Option<String>> {
    match (encryption.filter(|it| !it.is_empty()), &spec.kms_key) {
        (_, Some(key)) => Some(Some(key.clone())),
        (None, None) => Some(None),
        (Some(OF_SQS), None) => Some(Some(OF_SQS.to_owned())),
        (Some(key), None) => {
            let message = format!(
                "queue `{name}` is encrypted under `{key}`, which does not exist in the standby region"
            );
            out.error("DR281", "name", message, "name a key of the standby region: `kms_key = \"arn:...\"`");
            None
        }
    }
}
