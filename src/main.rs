//! drstack: a second region for an AI system on AWS. This is the edge: arguments in, text out.

mod args;
mod cloud;
mod commands;
mod exit;
mod files;
mod session;
mod ui;
mod views;

fn main() -> std::process::ExitCode {
    commands::run(&<args::Args as clap::Parser>::parse()).into()
}
