//! `[image.NAME]`: a machine image of the primary that is copied to the standby region.

mod codes;

use drstack_core::address::ComponentAddress;
use drstack_core::component::{CompileCx, Component, Problem, ResourceSet, Seed, StackFacts};
use drstack_core::diagnostic::codes::Code;
use drstack_core::facts::{FactQuery, Known};
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::link::Link;
use drstack_core::objective::Posture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::unknown;
use crate::facts::{FactKind, ImageFact};
use crate::names;
use crate::resources::Image as ImageKind;
use crate::services::ec2::image::ImageSpec;
use crate::services::ec2::image_fact::LEDGERS;

/// `[image.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageTable {
    /// The primary's image: its id, or the name of one of the account's own, of which the newest counts.
    pub source: String,
    /// Key of the standby region that encrypts the copy; default: the region's default key.
    pub kms_key: Option<String>,
}

/// Maximum length of an image's name.
const NAME_LIMIT: usize = 128;

/// The image component.
pub struct Image;

impl Component for Image {
    const NAME: &'static str = "image";
    const SUMMARY: &'static str = "a machine image of the primary, copied to the standby region";
    const CODES: &'static [Code] = codes::CODES;
    type Spec = ImageTable;

    fn check(spec: &ImageTable, _stack: &StackFacts, _posture: Posture, out: &mut Vec<Problem>) {
        if spec.source.is_empty() {
            let help = "write the image's id, `ami-...`, or its name";
            out.push(Problem::error("DR219", "source", "an empty text names no image", help));
        }
    }

    fn facts(spec: &ImageTable, _stack: &StackFacts) -> Vec<FactQuery> {
        vec![ImageFact::about(&spec.source)]
    }

    fn compile(spec: &ImageTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        match cx.facts.get::<ImageFact>(&ImageFact::about(&spec.source)) {
            Known::Yes(fact) => {
                out.not_carried.extend(not_carried(&fact));
                let image = standby(&fact, spec.kms_key.as_deref(), "source", cx, out);
                out.export("image", image.into_iter().collect());
            }
            Known::Absent => {
                let message = format!("image `{}` does not exist in {}", spec.source, cx.stack.primary);
                out.error("DR219", "source", message, "correct the id or the name");
            }
            Known::Unknown(why) => {
                let message = format!("nothing is known of image `{}`", spec.source);
                unknown(out, ("DR219", "source"), message, &why, why.hint());
            }
        }
    }

    fn seeds(spec: &ImageTable, _stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        vec![Seed::Fact { query: ImageFact::about(&spec.source), value: simulated(&spec.source) }]
    }
}

/// Returns an image as the simulated primary has it.
pub(super) fn simulated(source: &str) -> Value {
    let hash = &drstack_core::cloud::sha256(source.as_bytes())[..17];
    let id = if source.starts_with("ami-") { source.to_owned() } else { format!("ami-{hash}") };
    json!({"id": id, "name": source, "owned": true, "standby": null})
}

/// Returns what to tell about the image that a copy lacks.
pub(super) fn not_carried(fact: &ImageFact) -> Vec<String> {
    fact.not_carried.sentences(&format!("image {}", fact.id), LEDGERS)
}

/// Returns the image to launch in the standby region: a copy of the account's own image, or its
/// publisher's image there.
pub(super) fn standby(
    fact: &ImageFact,
    kms_key: Option<&str>,
    field: &'static str,
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
) -> Option<Link> {
    if fact.owned {
        let name = names::owned(&cx.stack.name, cx.address, &fact.id, NAME_LIMIT);
        let spec = ImageSpec { source: fact.id.clone(), name, kms_key: kms_key.map(str::to_owned) };
        let copy = Resource::tagged::<ImageKind>(cx.resource("image"), Place::Standby, &spec);
        return Some(Link::id(&out.add(copy)));
    }
    if fact.standby.is_none() {
        let message = format!(
            "image `{}` (`{}`) belongs to somebody else, who has none of that name in {}",
            fact.id, fact.name, cx.stack.standby
        );
        out.error(
            "DR219",
            field,
            message,
            "copy it into your account, or name an image of the standby region",
        );
    }
    fact.standby.clone().map(Link::Known)
}
