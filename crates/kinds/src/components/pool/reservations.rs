//! `reservations` of a pool: capacity reserved in the standby region for a failover.

use drstack_core::component::{CompileCx, Problem, ResourceSet, Seed, StackFacts};
use drstack_core::facts::{FactQuery, Known};
use drstack_core::objective::Mode;
use serde_json::json;

use super::{PoolTable, PurchaseOption};
use crate::facts::{FactKind, ReservationFact};
use crate::services::autoscaling::group::reserved::Reserved;

/// Help for a text that is not a reservation.
const FORMS: &str =
    "write ids of Capacity Reservations, or ARNs of resource groups of them: `reservations = [\"cr-0abc\"]`";

/// Returns the problems that do not depend on the standby region's answers.
pub(super) fn problems(spec: &PoolTable, stack: &StackFacts) -> Vec<Problem> {
    let field = "reservations";
    let mut out = Vec::new();
    for (at, text) in spec.reservations.iter().enumerate() {
        let message = match form(text, &stack.standby) {
            Form::Neither => format!("`{text}` is neither a Capacity Reservation nor a resource group"),
            Form::Elsewhere(region) => {
                format!("`{text}` is in {region}, and the pool fails over in {}", stack.standby)
            }
            _ if spec.reservations[..at].contains(text) => {
                format!("`{text}` stands twice in `reservations`")
            }
            _ => continue,
        };
        out.push(Problem::error("DR234", field, message, FORMS));
    }
    if spec.purchase.active == PurchaseOption::Spot && !spec.reservations.is_empty() {
        let message =
            "reserved capacity is on-demand, and this pool fails over on spot: nothing would use it";
        let help = "leave out `reservations`, or the `active` of `purchase`";
        out.push(Problem::error("DR234", field, message, help));
    }
    out
}

/// Returns the queries to the standby region. Groups of reservations are not read: their content
/// may change any day.
pub(super) fn facts(spec: &PoolTable) -> impl Iterator<Item = FactQuery> {
    spec.reservations.iter().filter(|it| it.starts_with("cr-")).map(|id| query(id))
}

fn query(id: &str) -> FactQuery {
    ReservationFact::about(id)
}

/// Returns the use of the reservations by the pool's group; none for a pool that names none.
pub(super) fn reserved(
    spec: &PoolTable,
    types: &[String],
    cx: &CompileCx<'_>,
    out: &mut ResourceSet,
) -> Option<Reserved> {
    if spec.reservations.is_empty() {
        return None;
    }
    let mut targets = Vec::new();
    for text in &spec.reservations {
        let known = cx.facts.get::<ReservationFact>(&query(text));
        match (known, cx.mode) {
            (Known::Absent, Mode::Standby) => {
                let message = format!(
                    "Capacity Reservation `{text}` is not there in {}, or has ended",
                    cx.stack.standby
                );
                out.error("DR235", "reservations", message, "correct the id, or leave it out");
            }
            // This does not block a failover: the next rung is on-demand capacity without
            // reservation.
            (Known::Absent, Mode::Active) => {
                out.notes.push(format!("Capacity Reservation `{text}` has ended: the pool does without it"));
            }
            (Known::Yes(fact), _) => {
                if !types.contains(&fact.instance_type) {
                    let message = format!(
                        "Capacity Reservation `{text}` is for {}, which the pool does not run",
                        fact.instance_type
                    );
                    let help =
                        format!("add `\"{}\"` to `instance_types`, or leave it out", fact.instance_type);
                    out.warn("DR235", "reservations", message, help);
                }
                targets.push(text.clone());
            }
            // The id is enough to name it: its fact is only compared.
            (Known::Unknown(_), _) => targets.push(text.clone()),
        }
    }
    let first = cx.mode == Mode::Active && !targets.is_empty();
    Some(if first { Reserved::first(targets) } else { Reserved::untouched() })
}

/// Returns the reservations as the simulated standby region has them.
pub(super) fn seeds(spec: &PoolTable, types: &[String], capacity: u32) -> Vec<Seed> {
    let value = json!({ "instance_type": types.first(), "zone": "", "count": capacity });
    facts(spec).map(|query| Seed::Fact { query, value: value.clone() }).collect()
}

/// The form of a text in `reservations`.
enum Form<'a> {
    Reservation,
    Group,
    /// A group of another region.
    Elsewhere(&'a str),
    Neither,
}

fn form<'a>(text: &'a str, standby: &str) -> Form<'a> {
    if let Some(id) = text.strip_prefix("cr-") {
        let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        return if is_id { Form::Reservation } else { Form::Neither };
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "resource-groups", region, _, name] if name.starts_with("group/") => {
            match region == standby {
                true => Form::Group,
                false => Form::Elsewhere(region),
            }
        }
        _ => Form::Neither,
    }
}
