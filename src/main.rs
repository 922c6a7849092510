//! drstack: a second region for an AI system on AWS. This is the edge: arguments in, text out.

mod args;
mod commands;
mod complete;
mod connect;
mod exit;
mod files;
mod lines;
mod loading;
mod machine;
mod page;
mod screen;
mod ui;
mod views;

fn main() -> std::process::ExitCode {
    complete::answer();
    match <commands::Args as clap::Parser>::try_parse() {
        Ok(args) => {
            ui::log();
            ui::ended(commands::run(&args)).into()
        }
        Err(error) => ui::usage(&error).into(),
    }
}
