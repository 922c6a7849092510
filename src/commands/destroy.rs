//! `drstack destroy`: deletes what the stack owns; data stays unless named.

use drstack_app::ops::destroy::{Destroy, destroy};

use crate::args::{DestroyArgs, Global, set, typed};
use crate::commands::Edge;
use crate::exit::Ended;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, global: &Global, args: &DestroyArgs) -> Ended {
    let edge = Edge::of(ui, global, args.run.timings.clone());
    let mut session = edge.open(&args.stack).await?;
    let how = Destroy {
        targets: args.target.clone(),
        delete_data: set(&args.delete_data),
        auto_approve: args.run.auto_approve,
        parallelism: args.run.parallelism,
        typed: typed(&args.stack),
    };
    edge.ended(destroy(&mut session, how).await)
}
