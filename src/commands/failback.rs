//! `drstack failback`: hands back to the primary region, which has to answer.

use drstack_core::component::StackFacts;
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use drstack_core::observe::Look;
use drstack_core::plan::{Intent, Options};

use super::{Ended, plan};
use crate::args::{FailbackArgs, Global};
use crate::drain::sides;
use crate::exit::{Exit, Failure};
use crate::planning::Planned;
use crate::session::{FAILBACK, Session};
use crate::takeover::{Change, carry_out};
use crate::ui::Ui;
use crate::views;

pub(super) async fn run(ui: Ui, global: &Global, args: &FailbackArgs) -> Ended {
    let mut session = Session::open(ui, global, &args.stack).await?;
    let kept = session.mode().await?;
    if kept.standing().mode == Mode::Standby && kept.is_complete() {
        ui.result(&format!("{} serves: there is nothing to hand back.\n", session.stack.facts.primary));
        return Ok(Exit::Done);
    }
    let options = Options {
        intent: Intent::Failback,
        mode: Mode::Standby,
        targets: Vec::new(),
        delete_data: Default::default(),
    };
    let shown = session.plan(&options).await?;
    expect_primary(&session, &shown)?;
    let since = kept.record.as_ref().map(|record| record.since);
    let data = sides(&session, &shown, since).await?;
    for it in &data {
        ui.line("divergence", serde_json::to_value(it).unwrap_or_default());
    }
    let StackFacts { primary, standby, .. } = &session.stack.facts;
    ui.result(&views::plan::divergence(standby, since, &shown.moved));
    ui.result(&views::data::divergence(&data, primary, standby));
    plan::show(&session, &shown, &options.intent);
    if args.dry_run {
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
    let change = Change {
        mode: Mode::Standby,
        purpose: FAILBACK,
        options: &options,
        parallelism: args.run.parallelism,
        detected: decided,
        decided,
        drained: None,
        data,
    };
    carry_out(&mut session, shown, kept, &change).await
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
