//! The machine that drstack runs on.

use std::time::Duration;

use drstack_app::host::Host;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

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

    fn interrupted(&self) -> BoxFuture<'_, ()> {
        async {
            if tokio::signal::ctrl_c().await.is_err() {
                // Without the signal handler nothing can be asked, and Ctrl-C ends the process as
                // usual.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}
