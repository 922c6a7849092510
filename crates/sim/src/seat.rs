//! Seats: several programs at one simulated cloud, and what happens to the calls of each.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drstack_core::cloud::CloudError;
use drstack_core::control::lease::Permit;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::operation::Operation;

/// One change that goes astray.
#[derive(Clone, Copy, Debug)]
pub struct Astray {
    /// Number of the change within the seat, from 1.
    pub change: u64,
    /// Duration.
    pub span: Duration,
    /// The way it goes astray.
    pub how: Way,
}

/// How a change goes astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is delayed for the duration and then takes effect, even if its caller is gone.
    Late,
    /// Each attempt within the duration is refused, and the next one is not.
    Refused,
}

/// One program at the cloud. Clones of a [`Sim`](crate::Sim) share a seat.
#[derive(Debug)]
pub(crate) struct Seat {
    astray: Option<Astray>,
    state: Mutex<State>,
    gone: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    permit: Option<Permit>,
    changes: u64,
    attempts: Vec<Timestamp>,
}

/// A change in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    astray: Option<Astray>,
    begun: Instant,
}

impl Change {
    /// Returns the delay until it takes effect, even if its caller is gone; `None` if it is not
    /// late.
    pub(crate) fn late(&self) -> Option<Duration> {
        self.astray.filter(|it| it.how == Way::Late).map(|it| it.span)
    }

    /// True if an attempt at it is refused now.
    pub(crate) fn is_refused(&self) -> bool {
        self.astray.is_some_and(|it| it.how == Way::Refused && self.begun.elapsed() < it.span)
    }
}

impl Seat {
    pub(crate) fn new(astray: Option<Astray>) -> Self {
        Self { astray, state: Mutex::default(), gone: watch::Sender::new(false) }
    }

    pub(crate) fn under(&self, permit: Option<Permit>) {
        self.state().permit = permit;
    }

    /// Begins a change; `None` for operations that only read.
    pub(crate) fn begins(&self, operation: Operation) -> Option<Change> {
        if !operation.is_change() {
            return None;
        }
        let mut state = self.state();
        state.changes += 1;
        let astray = self.astray.filter(|it| it.change == state.changes);
        if astray.is_some() {
            self.gone.send_replace(true);
        }
        Some(Change { astray, begun: Instant::now() })
    }

    /// Permits an attempt at a change, or refuses it once the run's lock is over.
    pub(crate) fn sends(&self, name: String, now: Timestamp) -> Result<(), CloudError> {
        let mut state = self.state();
        if state.permit.as_ref().is_some_and(|permit| !permit.holds(now)) {
            return Err(CloudError::Lapsed { operation: name });
        }
        state.attempts.push(now);
        Ok(())
    }

    pub(crate) fn attempts(&self) -> Vec<Timestamp> {
        self.state().attempts.clone()
    }

    pub(crate) async fn goes_astray(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.gone.subscribe().wait_for(|gone| *gone).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a panic elsewhere leaves whole values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
