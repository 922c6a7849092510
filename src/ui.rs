//! The only place that writes to the terminal: results to stdout, everything else to stderr.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use drstack_core::text::{is_unprintable, lines, plain};
use indicatif::ProgressBar;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::lines::{ErrorLine, Line};
use crate::views::annotation;
use crate::views::color::labels;

/// The output settings.
#[derive(Clone, Copy)]
pub(crate) struct Ui {
    /// Print one JSON object per line on stdout.
    pub(crate) json: bool,
    quiet: bool,
    /// True if stderr may be coloured.
    pub(crate) color: bool,
    /// Print all values of a plan.
    pub(crate) verbose: bool,
    /// Mark errors as GitHub Actions shows them beside the change.
    annotates: bool,
}

/// A progress spinner on a terminal.
pub(crate) struct Busy(Option<ProgressBar>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Interval between two frames of a spinner.
pub(crate) const TICK: Duration = Duration::from_millis(200);

impl Ui {
    /// Reads the settings from the arguments and the environment.
    pub(crate) fn new(global: &Global) -> Self {
        if global.no_color {
            ColorChoice::Never.write_global();
        }
        // `AutoStream` honours NO_COLOR, CLICOLOR_FORCE and TERM, in the usual order.
        let color = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
        Self {
            json: global.json,
            quiet: global.quiet,
            color,
            verbose: false,
            annotates: annotation::are_shown(),
        }
    }

    /// Returns these settings with `verbose`.
    pub(crate) fn verbose(self, verbose: bool) -> Self {
        Self { verbose, ..self }
    }

    /// Prints a result for people.
    pub(crate) fn result(self, text: &str) {
        if !self.json {
            out(text);
        }
    }

    /// Prints text that is the result in either mode: a schema, a script.
    pub(crate) fn raw(self, text: &str) {
        raw(text);
    }

    /// Prints a result for programs.
    pub(crate) fn line(self, line: &Line<'_>) {
        if let Some(annotation) = annotation::of(line).filter(|_| self.annotates) {
            err(&annotation);
        }
        if !self.json {
            return;
        }
        match line.to_json() {
            Ok(line) => raw(&format!("{}\n", escaped(&line))),
            Err(error) => err(&format!("error: a line of `--json` is missing: {error}\n\nhint: report this")),
        }
    }

    /// Prints progress or context, unless `--quiet`.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            self.shown(text);
        }
    }

    /// Prints a warning, even with `--quiet`.
    pub(crate) fn warn(self, text: &str) {
        self.shown(text);
    }

    /// Prints why the program fails.
    pub(crate) fn failure(self, failure: &Failure) {
        let (message, hint) = (failure.message.as_str(), failure.hint.as_deref());
        self.line(&Line::Error(ErrorLine::Program { message, hint, exit: Exit::from(failure.status) as u8 }));
        match hint {
            Some(hint) => write_err(&labels(&lines(&format!("error: {message}\n\nhint: {hint}")))),
            None => self.shown(message.trim_end()),
        }
    }

    /// True if progress may be drawn.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && !self.json
    }

    /// Shows a spinner on a terminal until the returned guard is dropped.
    pub(crate) fn busy(self, text: &str) -> Busy {
        if !self.shows_progress() || !std::io::stderr().is_terminal() {
            return Busy(None);
        }
        let bar = ProgressBar::new_spinner().with_message(plain(text).into_owned());
        bar.enable_steady_tick(TICK);
        Busy(Some(bar))
    }

    /// Prints why one step of a run failed. Steps that do not depend on it went on.
    /// `output` is what a check's command wrote.
    pub(crate) fn step_failure(self, address: &str, message: &str, output: Option<&str>, hint: &str) {
        self.line(&Line::Error(ErrorLine::Step { address, message, hint }));
        let output = output.map_or_else(String::new, |it| format!(": {it}"));
        let text = format!("\nerror: {address}: {message}{output}\n\nhint: {hint}");
        write_err(&labels(&lines(&text)));
    }

    /// Prints a text that may have the colours of a diagnostic.
    fn shown(self, text: &str) {
        let text = if self.color { but_colors(text) } else { lines(text) };
        write_err(&labels(&text));
    }

    /// Asks until the answer is clear. Returns `None` if there is no terminal.
    pub(crate) fn confirm(self, question: &str) -> Option<bool> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        err(&format!("{question}\n  Only `yes` is accepted."));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).ok()?;
        Some(answer.trim() == "yes")
    }
}

/// Prints the message of the argument parser. Help and version are results, all else is wrong
/// usage.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        kept(error.print().and_then(|()| std::io::stdout().flush()));
        return ended(Exit::Done);
    }
    if std::env::args_os().any(|it| it == "--json") {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let hint = "`drstack --help` lists the commands, `drstack COMMAND --help` their options";
        let ui =
            Ui { json: true, quiet: false, color: false, verbose: false, annotates: annotation::are_shown() };
        ui.line(&Line::Error(ErrorLine::Program { message, hint: Some(hint), exit: Exit::Usage as u8 }));
    }
    let _ = error.print();
    Exit::Usage
}

/// Prefix of the targets that are logged. Others are not, whatever `RUST_LOG` says: an SDK's lines
/// may hold credentials and user data.
const LOGGED: &str = "drstack";

/// Logs to stderr what the program does, as `RUST_LOG` selects: `RUST_LOG=drstack=debug`.
pub(crate) fn log() {
    use tracing_subscriber::prelude::*;
    let Ok(text) = std::env::var("RUST_LOG") else { return };
    let wanted = match tracing_subscriber::EnvFilter::builder().parse(&text) {
        Ok(wanted) => wanted,
        Err(error) => return err(&format!("warning: RUST_LOG: {error}; write `RUST_LOG=drstack=debug`")),
    };
    let ours = tracing_subscriber::filter::filter_fn(|line| line.target().starts_with(LOGGED));
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    // Only a test can have installed a subscriber before.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours).with_filter(wanted)).try_init();
}

/// Escapes in a line of JSON what JSON leaves as it is and a terminal would obey. The values stay
/// the same: such characters stand in texts only.
fn escaped(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        match is_unprintable(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
        out
    })
}

/// Escapes what a terminal would obey, but for line ends and the colours that drstack writes.
fn but_colors(text: &str) -> Cow<'_, str> {
    let mut parts = text.split('\u{1b}');
    let mut out = lines(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        // `7` swaps colours and `8` hides: drstack has no use for them.
        let color = part.strip_prefix('[').and_then(|it| it.split_once('m')).map(|(color, _)| color);
        let is_color = |it: &&str| {
            let is_number = |it: &str| it.chars().all(|c| c.is_ascii_digit()) && it != "7" && it != "8";
            it.split(';').all(is_number)
        };
        out.push_str(if color.as_ref().is_some_and(is_color) { "\u{1b}" } else { "\\u{1b}" });
        out.push_str(&lines(part));
    }
    out.into()
}

/// Prints a text of a view, which has colours and has escaped what is not its own.
fn out(text: &str) {
    raw(&but_colors(text));
}

fn raw(text: &str) {
    let mut stdout = anstream::stdout();
    kept(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// The first error of stdout. The program goes on: a run is not stopped because its output is lost.
static LOST: OnceLock<String> = OnceLock::new();

/// Keeps an error of stdout for [`ended`].
fn kept(written: std::io::Result<()>) {
    // `| head` ends a program with a closed pipe, which is no error.
    if let Some(error) = written.err().filter(|it| it.kind() != std::io::ErrorKind::BrokenPipe) {
        // Only the first one is shown.
        let _ = LOST.set(error.to_string());
    }
}

/// Returns the exit code of a program that ends with `exit`: not that of a success if a part of its
/// results was lost.
pub(crate) fn ended(exit: Exit) -> Exit {
    let Some(error) = LOST.get() else { return exit };
    err(&format!(
        "error: cannot write the results to stdout: {error}\n\nhint: free some space or name another file; what the command did is done"
    ));
    if Exit::FAILURES.contains(&exit) { exit } else { Exit::Failed }
}

fn err(text: &str) {
    write_err(&lines(text));
}

fn write_err(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colors_reach_a_terminal_raw() {
        let own = "\u{1b}[1m\u{1b}[91merror\u{1b}[0m: a\nb";
        assert_eq!(but_colors(own), own);
        let hostile = "\u{1b}[2J\u{1b}]0;x\u{7}\u{1b}[8mm\u{1b}[1;7mm\u{1b}";
        let said = but_colors(hostile);
        assert!(!said.contains(is_unprintable), "{said}");
    }

    #[test]
    fn a_line_of_json_keeps_its_values_and_no_terminal_obeys_it() {
        let value = serde_json::json!({"a": "\u{1b}[2J\u{9b}2J\u{202e}\u{7f}\n"});
        let line = escaped(&value.to_string());
        assert!(!line.contains(is_unprintable), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }
}
