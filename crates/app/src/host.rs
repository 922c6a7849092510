//! The machine that runs an operation.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

/// The machine that runs an operation, as the application sees it.
///
/// Guarantees: `rest` pauses on the machine's own clock, which stands still while the machine
/// sleeps.
pub trait Host: Send + Sync {
    /// The user, for the lock and the journal.
    fn user(&self) -> String;
    /// The machine's name, for the lock and the journal.
    fn name(&self) -> String;
    /// Returns the name of a run that begins `now`. Names are unique and sort by time.
    fn run(&self, now: Timestamp) -> String;
    /// Pauses.
    fn rest(&self, span: Duration) -> BoxFuture<'_, ()>;
    /// Counts how often the user has asked the program to stop, from the first call on. Until then
    /// such a request ends the program at once.
    fn requests_to_stop(&self) -> watch::Receiver<u32>;
    /// Says if the operation holds something that it has to release before it ends. While it does, a
    /// request to stop does not end the program.
    fn hold(&self, held: bool);
}
