//! A page for people who read what came of a pipeline, and not its log: Markdown.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use drstack_core::text::plain;

use crate::exit::{Ended, Exit};
use crate::views::escape::escaped;

/// What a command adds to the page, in the order in which it happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page(Arc<Mutex<Vec<String>>>);

impl Page {
    /// Adds a section, if it says anything.
    pub(crate) fn add(&self, section: String) {
        if !section.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(section);
        }
    }

    /// Appends the page of the command `name` to the file at `path`. A command that showed nothing and did not
    /// fail has none.
    ///
    /// # Errors
    /// Returns the error of the file.
    pub(crate) fn append(&self, path: &Path, name: &str, ended: &Ended) -> std::io::Result<()> {
        let sections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sections.is_empty() && ended.is_ok() {
            return Ok(());
        }
        let page = format!("{}{}\n", head(name, ended), sections.join("\n"));
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(page.as_bytes())
    }
}

/// Says in a heading and a paragraph how the command ended.
fn head(name: &str, ended: &Ended) -> String {
    let exit = match ended {
        Ok(exit) => *exit,
        Err(failure) => failure.status.into(),
    };
    let mut out = format!("## drstack {name}: {}\n\n", said(exit));
    if let Err(failure) = ended {
        // A diagnostic is drawn over several lines, and in colour on a terminal.
        let message = anstream::adapter::strip_str(&failure.message).to_string();
        match message.trim().contains('\n') {
            true => out.push_str(&format!("{}\n", fenced(message.trim()))),
            false => out.push_str(&format!("**{}**\n\n", escaped(message.trim()))),
        }
        if let Some(hint) = &failure.hint {
            out.push_str(&format!("{}\n\n", escaped(hint)));
        }
    }
    out
}

fn said(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::Failed => "failed (exit 1)",
        Exit::Changes => "changes (exit 2)",
        Exit::NotReady => "not ready (exit 3)",
        Exit::Locked => "locked (exit 4)",
        Exit::Usage => "wrong usage (exit 64)",
        Exit::Invalid => "invalid stack (exit 65)",
        Exit::Interrupted => "interrupted (exit 130)",
    }
}

/// Returns `text` as a block of code that nothing in it can end.
fn fenced(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {}", plain(line))).collect();
    format!("{}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use drstack_app::failure::{Failure, Status};

    use super::*;

    fn written(page: &Page, ended: &Ended) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        page.append(&path, "sync", ended).unwrap();
        page.append(&path, "sync", ended).unwrap();
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_page_is_appended_with_how_the_command_ended_and_obeys_no_markup_of_others() {
        let page = Page::default();
        assert_eq!(written(&page, &Ok(Exit::Done)), "");
        let failure = Failure::new(Status::NotReady, "`<img src=x>` is behind", "run `drstack sync`");
        let text = written(&page, &Err(failure));
        assert_eq!(text.matches("## drstack sync: not ready (exit 3)").count(), 2, "{text}");
        assert!(text.contains("\\<img src=x\\>") && !text.contains(" <img"), "{text}");
        let many = Failure::new(Status::Invalid, "error\n```\n<b>x</b>", "");
        assert!(written(&page, &Err(many)).contains("    error\n    ```\n    <b>x</b>"));
        page.add(String::new());
        assert_eq!(written(&page, &Ok(Exit::Done)), "");
        page.add("- one\n".to_owned());
        assert!(written(&page, &Ok(Exit::Done)).starts_with("## drstack sync: done\n\n- one\n"));
    }
}
