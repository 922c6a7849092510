//! Errors as GitHub Actions shows them beside the change: lines such as `::error file=stack.toml,line=9::message`.

use drstack_core::diagnostic::Severity;

use crate::exit::Exit;
use crate::lines::{DiagnosticLine, ErrorLine, Line};

/// True if the program runs in a job of GitHub Actions.
pub(crate) fn are_shown() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|it| it == "true")
}

/// Returns the annotation of a diagnostic or an error; `None` for any other line.
pub(crate) fn of(line: &Line<'_>) -> Option<String> {
    match line {
        Line::Diagnostic(it) => Some(of_diagnostic(it)),
        // Its diagnostics have been shown.
        Line::Error(ErrorLine::Program { exit, .. }) if *exit == Exit::Invalid as u8 => None,
        Line::Error(ErrorLine::Program { message, hint, .. }) => {
            Some(written("error", &[("title", "drstack")], message, *hint))
        }
        Line::Error(ErrorLine::Step { address, message, hint }) => {
            Some(written("error", &[("title", address)], message, Some(hint)))
        }
        _ => None,
    }
}

fn of_diagnostic(it: &DiagnosticLine<'_>) -> String {
    let level = match it.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let at = it.at.as_ref().map(|at| (at.file.as_str(), at.line.to_string(), at.column.to_string()));
    let mut properties = vec![("title", it.code)];
    if let Some((file, line, column)) = &at {
        properties.extend([("file", *file), ("line", line), ("col", column)]);
    }
    written(level, &properties, it.message, it.help)
}

fn written(level: &str, properties: &[(&str, &str)], message: &str, hint: Option<&str>) -> String {
    let properties: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
    let hint = hint.map_or_else(String::new, |hint| format!("\n{hint}"));
    format!("::{level} {}::{}", properties.join(","), escaped(&format!("{message}{hint}")))
}

/// Escapes a message: the runner reads a line end as the end of the command.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::SourcePlace;

    #[test]
    fn an_annotation_names_the_place_and_is_one_command() {
        let at = Some(SourcePlace { file: "a,b:c.toml".to_owned(), line: 9, column: 2 });
        let (message, help) = ("50 % is\n::set-env name=X::y", Some("write 5"));
        let line = DiagnosticLine { code: "DR009", severity: Severity::Error, message, at, help };
        let written = of(&Line::Diagnostic(line)).expect("an annotation");
        let wanted =
            "::error title=DR009,file=a%2Cb%3Ac.toml,line=9,col=2::50 %25 is%0A::set-env name=X::y%0Awrite 5";
        assert_eq!(written, wanted);
        let invalid = ErrorLine::Program { message: "1 error", hint: None, exit: Exit::Invalid as u8 };
        assert!(of(&Line::Error(invalid)).is_none());
    }
}
