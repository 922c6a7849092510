//! `drstack failback`: hands back to the primary region, which has to answer.

use drstack_core::address::Address;
use drstack_core::component::StackFacts;
use drstack_core::control::lock::FAILBACK;
use drstack_core::control::mode::KeptMode;
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use drstack_core::observe::Look;
use drstack_core::plan::{Intent, Options};

use super::apply::finish;
use super::{Ended, plan};
use crate::args::{FailbackArgs, Global, typed};
use crate::drain::sides;
use crate::exit::{Exit, Failure};
use crate::planning::Planned;
use crate::session::Session;
use crate::takeover::{Change, carry_out};
use crate::ui::Ui;
use crate::views;
use crate::views::restored::left;

pub(super) async fn run(ui: Ui, global: &Global, args: &FailbackArgs) -> Ended {
    let mut session = Session::open(ui, global, &args.stack).await?;
    session.stated = true;
    let kept = session.mode().await?;
    if kept.record.is_some() && serves(&session, &kept) {
        return Ok(Exit::Done);
    }
    let options = Options {
        intent: Intent::Failback,
        mode: Mode::Standby,
        targets: Vec::new(),
        delete_data: Default::default(),
    };
    let mut shown = session.plan(&options).await?;
    let kept = shown.mode.clone();
    // Where nothing is recorded, what serves has been asked by now.
    if serves(&session, &kept) {
        return Ok(Exit::Done);
    }
    session.warn_of_doubt(&kept)?;
    expect_primary(&session, &shown).map_err(|failure| match kept.standing().mode {
        // Without the primary there is another way than back.
        Mode::Active if !kept.is_complete() => {
            let on = session.way_on(&shown, &format!("drstack failover {}", typed(&args.stack)));
            Failure {
                hint: failure.hint.map(|hint| format!("{hint}; to fail over all the same, {on}")),
                ..failure
            }
        }
        _ => failure,
    })?;
    let first = match kept.standing().mode {
        Mode::Active => begin_with(&mut session, &shown).await?,
        // An earlier one came further.
        Mode::Standby => None,
    };
    let since = kept.since();
    let data = sides(&session, &shown, since).await?;
    for it in &data {
        ui.line("divergence", serde_json::to_value(it).unwrap_or_default());
    }
    let StackFacts { primary, standby, .. } = &session.stack.facts;
    ui.result(&views::plan::divergence(standby, since, &shown.moved));
    let apart = left(&shown.report, &session.stack.facts, &options.intent);
    let apart: Vec<String> = apart.into_iter().map(|it| format!("{}: {}", it.address, it.text)).collect();
    ui.result(&views::data::divergence(&data, &apart, primary, standby));
    if let Some((first, begin)) = &first {
        ui.note("Before that, the standby region keeps all traffic, whatever the primary's health; it then goes back share by share:");
        plan::show(&session, begin, &first.intent);
    }
    plan::show(&session, &shown, &options.intent);
    if args.dry_run {
        if let Some((_, begin)) = &first {
            ui.result(&views::plan::calls(&begin.plan, &session.kinds));
        }
        ui.result(&views::plan::calls(&shown.plan, &session.kinds));
        return Ok(if shown.report.blocked.is_empty() { Exit::Done } else { Exit::Failed });
    }
    if !shown.report.blocked.is_empty() {
        let hint = "mend what cannot be done now as it says there, then run it again";
        return Err(Failure::new(Exit::NotReady, "handing back is not possible now", hint));
    }
    if !args.run.auto_approve {
        super::confirm(ui, "Hand back now?")?;
    }
    let decided = session.now();
    if let Some((first, begin)) = first {
        match finish(&mut session, &first, begin, FAILBACK, &args.run, true, "").await? {
            Exit::Done => {}
            other => return Ok(other),
        }
        shown = session.plan(&options).await?;
        expect_primary(&session, &shown)?;
    }
    let change = Change {
        mode: Mode::Standby,
        purpose: FAILBACK,
        options: &options,
        parallelism: args.run.parallelism,
        command: format!("drstack failback {}", typed(&args.stack)),
        detected: decided,
        decided,
        drained: None,
        data,
        not_compared: apart,
    };
    carry_out(&mut session, shown, kept, &change).await
}

/// Whether the primary serves, with a word about it.
fn serves(session: &Session, kept: &KeptMode) -> bool {
    let serves = kept.standing().mode == Mode::Standby && kept.is_complete();
    if serves {
        let primary = &session.stack.facts.primary;
        session.ui.result(&format!("{primary} serves: there is nothing to hand back.\n"));
    }
    serves
}

/// What handing back begins with, while the standby region still serves: what of traffic the takeover left since it takes both regions.
async fn begin_with(session: &mut Session, shown: &Planned) -> Result<Option<(Options, Planned)>, Failure> {
    let is_left =
        |kind: &str| session.kinds.get(kind).is_some_and(|it| it.after_takeover() && it.switches_traffic());
    // Where nothing has switched, the primary has its traffic still: a planned takeover came no further than its shares.
    let switched = |at: &Address| {
        let of = shown.plan.steps.iter().filter(|it| it.address.component() == at.component());
        of.filter_map(|it| session.kinds.get(&it.kind))
            .any(|it| it.switches_traffic() && !it.after_takeover())
    };
    let left = shown.compiled.graph.resources.values();
    let left = left.filter(|it| is_left(&it.kind) && switched(&it.address));
    let targets: Vec<String> = left.map(|it| it.address.to_string()).collect();
    if targets.is_empty() {
        return Ok(None);
    }
    let options =
        Options { intent: Intent::Converge, mode: Mode::Active, targets, delete_data: Default::default() };
    let begin = session.plan(&options).await?;
    let is_needed = !begin.plan.is_empty() || !begin.report.blocked.is_empty();
    Ok(is_needed.then_some((options, begin)))
}

/// Refuses while anything of the primary cannot be seen, or does not answer.
pub(super) fn expect_primary(session: &Session, shown: &Planned) -> Result<(), Failure> {
    let graph = &shown.compiled.graph.resources;
    let unseen = shown.seen.iter().find_map(|(address, look)| match look {
        Look::Unknown(error) if graph.get(address).is_some_and(|it| it.place != Place::Standby) => {
            Some(format!("{address}: {error}"))
        }
        _ => None,
    });
    let unanswered = shown.unanswered.first().map(|it| format!("{}: {}", it.address, it.text));
    match unseen.or(unanswered) {
        None => Ok(()),
        Some(what) => {
            let primary = &session.stack.facts.primary;
            let hint = format!("wait until {primary} is well again, then run it again; nothing was changed");
            Err(Failure::new(Exit::NotReady, format!("{primary} does not answer yet: {what}"), hint))
        }
    }
}
