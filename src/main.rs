//! drstack: a second region for an AI system on AWS. This is the edge: arguments in, text out.

mod accepted;
mod args;
mod bundle;
mod cloud;
mod commands;
mod counts;
mod doubt;
mod drain;
mod executing;
mod exit;
mod files;
mod loading;
mod locking;
mod minimum;
mod only;
mod planning;
mod publishing;
mod session;
mod takeover;
mod ui;
mod verdict;
mod views;
mod vouched;

fn main() -> std::process::ExitCode {
    match <args::Args as clap::Parser>::try_parse() {
        Ok(args) => {
            ui::log();
            commands::run(&args).into()
        }
        Err(error) => ui::usage(&error).into(),
    }
}
