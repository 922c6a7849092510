//! The machine that drstack runs on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Once};
use std::time::Duration;

use drstack_app::failure::Status;
use drstack_app::host::Host;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::exit::{Ended, Failure};

/// This machine.
pub(crate) struct Machine;

impl Host for Machine {
    fn user(&self) -> String {
        whoami::username().unwrap_or_else(|_| "unknown".to_owned())
    }

    fn name(&self) -> String {
        gethostname::gethostname().to_string_lossy().into_owned()
    }

    fn run(&self, now: Timestamp) -> String {
        format!("{}-{:08x}", now.strftime("%Y%m%dT%H%M%SZ"), fastrand::u32(..))
    }

    fn rest(&self, span: Duration) -> BoxFuture<'_, ()> {
        tokio::time::sleep(span).boxed()
    }

    fn requests_to_stop(&self) -> watch::Receiver<u32> {
        LISTENING.call_once(listen);
        STOP.asked.subscribe()
    }

    fn hold(&self, held: bool) {
        LISTENING.call_once(listen);
        STOP.held.send_modify(|holds| {
            *holds = held;
            // What was asked meanwhile, the operation has answered.
            STOP.answered.store(*STOP.asked.borrow(), Ordering::Relaxed);
        });
    }
}

/// Does the work of a command, unless the user asks the program to stop while it holds nothing.
pub(crate) async fn unless_stopped(command: impl Future<Output = Ended>) -> Ended {
    tokio::select! {
        ended = command => ended,
        () = STOP.asked_at_rest() => {
            Err(Failure::new(Status::Interrupted, "interrupted", "run the command again to go on"))
        }
    }
}

/// Requests to stop this process. Signals come to the process as a whole.
struct Stop {
    asked: watch::Sender<u32>,
    held: watch::Sender<bool>,
    /// How many of `asked` an operation has answered.
    answered: AtomicU32,
}

static STOP: LazyLock<Stop> = LazyLock::new(|| Stop {
    asked: watch::Sender::new(0),
    held: watch::Sender::new(false),
    answered: AtomicU32::new(0),
});

static LISTENING: Once = Once::new();

impl Stop {
    /// Ends at a request that no operation answers.
    async fn asked_at_rest(&self) {
        let (mut asked, mut held) = (self.asked.subscribe(), self.held.subscribe());
        loop {
            // Neither fails: the senders live as long as the process.
            let _ = asked.wait_for(|count| *count > self.answered.load(Ordering::Relaxed)).await;
            if !*held.borrow() {
                return;
            }
            let _ = held.wait_for(|held| !held).await;
        }
    }
}

/// Counts Ctrl-C and SIGTERM from here on.
fn listen() {
    use tokio::signal;
    let ask = || STOP.asked.send_modify(|count| *count += 1);
    #[cfg(unix)]
    for kind in [signal::unix::SignalKind::interrupt(), signal::unix::SignalKind::terminate()] {
        // Without a handler such a signal ends the process, as usual.
        let Ok(mut signals) = signal::unix::signal(kind) else { continue };
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                ask();
            }
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        while signal::ctrl_c().await.is_ok() {
            ask();
        }
    });
}
