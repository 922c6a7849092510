//! `drstack unlock`: breaks a lock, after saying what that breaks.

use drstack_core::control::StoreError;
use drstack_core::control::lock::{LockError, break_lock, holder, replace_broken};

use super::Ended;
use crate::args::{Global, StackArgs};
use crate::exit::{Exit, Failure};
use crate::session::{Session, store_failure};
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, global: &Global, args: &StackArgs, force: bool) -> Ended {
    let session = Session::open(ui, global, args).await?;
    let fail = |error: LockError| match error {
        LockError::Store(error) => store_failure(&error),
        other => Failure::new(Exit::Failed, other, "look at `lock.json` in the control bucket"),
    };
    let held = match holder(&*session.store).await {
        Ok(Some((held, _))) => Some(held),
        Ok(None) | Err(LockError::Store(StoreError::NoBucket { .. })) => None,
        Err(error @ LockError::Broken(_)) => {
            ui.note(&format!("{error}\nReplacing it ends the run that held it, if one did."));
            ask(ui, force, "Replace it?")?;
            replace_broken(&*session.store, "drstack unlock", session.now()).await.map_err(fail)?;
            ui.line("lock", serde_json::json!({"state": "broken"}));
            ui.result("Unlocked. Run `drstack plan` to see where things stand.\n");
            return Ok(Exit::Done);
        }
        Err(error) => return Err(fail(error)),
    };
    let Some(held) = held else {
        ui.line("lock", serde_json::json!({"state": "free"}));
        ui.result("The stack is not locked.\n");
        return Ok(Exit::Done);
    };
    let alive = if held.until > session.now() {
        "It gave a sign of life within the last minute."
    } else {
        "Its lease ran out."
    };
    ui.note(&format!(
        "{} on {} holds the lock for `{}` since {:.0}, run {}. {alive}\n\
         Breaking it ends that run: it starts nothing more, and what it is doing now is stopped once it notices.",
        held.owner, held.host, held.purpose, held.since, held.run
    ));
    ask(ui, force, "Break it?")?;
    break_lock(&*session.store, "drstack unlock").await.map_err(fail)?;
    ui.line(
        "lock",
        serde_json::json!({"state": "broken", "owner": held.owner, "host": held.host, "purpose": held.purpose, "run": held.run}),
    );
    ui.result("Unlocked. Run `drstack plan` to see where things stand.\n");
    Ok(Exit::Done)
}

fn ask(ui: Ui, force: bool, question: &str) -> Result<(), Failure> {
    if force {
        return Ok(());
    }
    match ui.confirm(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Failed, "the lock stands", "answer `yes` to break it")),
        None => Err(Failure::new(Exit::Usage, "nobody is there to ask", "add `--force`")),
    }
}
