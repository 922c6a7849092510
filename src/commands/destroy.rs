//! `drstack destroy`: takes away what the stack owns; data stays unless named.

use drstack_core::objective::Mode;
use drstack_core::plan::{Intent, Options};

use super::{Ended, apply, plan};
use crate::args::{DestroyArgs, Global, set, typed};
use crate::exit::{Exit, Failure};
use crate::session::{CONTROL, Session, store_failure};
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, global: &Global, args: &DestroyArgs) -> Ended {
    let mut session = Session::open(ui, global, &args.stack).await?;
    let kept = session.sure_mode().await?;
    if kept.standing().mode == Mode::Active || !kept.is_complete() {
        let message = format!("{} serves: taking this away would be an outage", session.stack.facts.standby);
        let hint = format!("hand back first: `drstack failback {}`", typed(&args.stack));
        return Err(Failure::new(Exit::NotReady, message, hint));
    }
    let options = Options {
        intent: Intent::Destroy,
        mode: Mode::Standby,
        targets: args.target.clone(),
        delete_data: set(&args.delete_data),
    };
    let shown = session.plan(&options).await?;
    plan::show(&session, &shown, &options.intent);
    let blocked = !shown.report.blocked.is_empty();
    let exit = match shown.plan.is_empty() {
        true if blocked => Exit::Failed,
        true => Exit::Done,
        false => {
            let question = "Take all this away?";
            apply::finish(
                &mut session,
                &options,
                shown,
                "destroy",
                &args.run,
                args.run.auto_approve,
                question,
            )
            .await?
        }
    };
    if exit != Exit::Done || !options.delete_data.contains(CONTROL) {
        return Ok(exit);
    }
    if !args.target.is_empty() {
        let hint = "leave `--target` out to remove the control bucket";
        return Err(Failure::new(Exit::Usage, "the control bucket goes only with the whole stack", hint));
    }
    session.forget_mode().await?;
    session.store.destroy().await.map_err(|error| store_failure(&error))?;
    ui.line("control_deleted", serde_json::json!({"bucket": session.stack.facts.control}));
    ui.result(&format!("Control bucket `{}` is deleted.\n", session.stack.facts.control));
    Ok(exit)
}
