//! Stops an operation when the user asks for it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::failure::{Failure, Status};
use crate::host::Host;
use crate::session::Session;

/// While it exists, the operation answers requests to stop, and the program does not end at once.
#[must_use]
pub(crate) struct Answering(Arc<dyn Host>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.hold(false);
    }
}

impl Session {
    /// Answers requests to stop from here on, until the returned guard is dropped.
    pub(crate) fn answer_stops(&self) -> Answering {
        self.app.host.hold(true);
        Answering(Arc::clone(&self.app.host))
    }

    /// Fails if the user has asked the program to stop.
    pub(crate) fn expect_no_stop(&self) -> Result<(), Failure> {
        if *self.app.host.requests_to_stop().borrow() > 0 { Err(stopped()) } else { Ok(()) }
    }
}

/// Does `work`, unless the user asks the program to stop for the `times`th time. `work` is dropped
/// then.
pub(crate) async fn unless_stopped<T>(
    host: &dyn Host,
    times: u32,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut requests = host.requests_to_stop();
    tokio::select! {
        done = work => done,
        () = asked(&mut requests, times) => Err(stopped()),
    }
}

/// Ends once the user has asked the program to stop `times` times.
pub(crate) async fn asked(requests: &mut watch::Receiver<u32>, times: u32) {
    if requests.wait_for(|count| *count >= times).await.is_err() {
        // A host without a user asks for nothing.
        std::future::pending::<()>().await;
    }
}

fn stopped() -> Failure {
    Failure::new(Status::Interrupted, "interrupted: nothing more was begun", "run the command again to go on")
}
