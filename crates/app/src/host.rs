//! The machine that runs an operation.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// The machine that runs an operation, as the application sees it.
///
/// Guarantees: `rest` pauses on the machine's own clock, which stands still while the machine
/// sleeps. `interrupted` ends each time the user asks the program to stop.
pub trait Host: Send + Sync {
    /// The user, for the lock and the journal.
    fn user(&self) -> String;
    /// The machine's name, for the lock and the journal.
    fn name(&self) -> String;
    /// Returns the name of a run that begins `now`. Names are unique and sort by time.
    fn run(&self, now: Timestamp) -> String;
    /// Pauses.
    fn rest(&self, span: Duration) -> BoxFuture<'_, ()>;
    /// Ends when the user asks the program to stop.
    fn interrupted(&self) -> BoxFuture<'_, ()>;
}
