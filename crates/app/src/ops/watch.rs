//! Follows the run that holds the lock.

use drstack_core::control::journal::{self, Entry};
use drstack_core::control::lock::{self, Holder};

use crate::failure::{Failure, Status, store_failure};
use crate::session::Session;

/// Interval between two reads of the journal.
const NEWS: std::time::Duration = std::time::Duration::from_secs(2);

/// Follows the run that holds the lock until it ends. Returns false if no run holds it.
///
/// It passes the lock holder to `begin`, then each new journal entry to `hear`, with all entries up
/// to it.
///
/// # Errors
/// Returns an error if the run does not renew its lease, or the control bucket does not answer.
pub async fn watch(
    session: &Session,
    mut begin: impl FnMut(&Holder),
    mut hear: impl FnMut(&Entry, &[Entry]),
) -> Result<bool, Failure> {
    let held = lock::holder(&*session.store).await;
    let Some((holder, _)) =
        held.map_err(|error| Failure::new(Status::Failed, error, "`drstack unlock STACK` frees it"))?
    else {
        return Ok(false);
    };
    begin(&holder);
    let mut heard = 0;
    loop {
        let entries =
            journal::entries(&*session.store, &holder.run).await.map_err(|error| store_failure(&error))?;
        for (number, entry) in entries.iter().enumerate().skip(heard) {
            hear(entry, &entries[..=number]);
        }
        heard = entries.len();
        let now = lock::holder(&*session.store).await.ok().flatten();
        let is_held = now.as_ref().is_some_and(|(it, _)| it.run == holder.run);
        match now {
            _ if !is_held => return Ok(true),
            Some((it, _)) if it.until < session.now() => {
                let hint =
                    format!("run `drstack {} STACK` again: it takes the lock from that run", holder.purpose);
                return Err(Failure::new(Status::Failed, "the run no longer renews its lease", hint));
            }
            _ => session.app.host.rest(NEWS).await,
        }
    }
}
