//! Decoding: TOML trees that own their text and keep their spans; collects problems.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::load::MOST_COLLECTED;
use super::template::{LONGEST, TemplateError, Variables, expand};
use crate::diagnostic::{Diagnostic, FileId, Label, Severity, Span};

/// A value with its span.
pub(super) type Node = Spanned<DeValue<'static>>;

/// Context of the tables of one file: where errors point to.
#[derive(Clone)]
pub(super) struct At {
    pub(super) file: FileId,
    /// Where the modules around it are used, innermost first.
    pub(super) used: Vec<Span>,
    /// The file's text.
    pub(super) text: &'static str,
}

impl At {
    pub(super) fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span { file: self.file, range }
    }

    /// Returns the uses of the modules around it as labels.
    pub(super) fn used_here(&self) -> impl Iterator<Item = Label> + '_ {
        self.used.iter().map(|span| Label { span: span.clone(), text: "used here".to_owned() })
    }

    pub(super) fn error(
        &self,
        code: &'static str,
        range: std::ops::Range<usize>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) -> Diagnostic {
        let here = Label { span: self.span(range), text: String::new() };
        let labels = std::iter::once(here).chain(self.used_here()).collect();
        Diagnostic { code, severity: Severity::Error, message: message.into(), labels, help: help.into() }
    }
}

/// Parses a file's text; returns the tree and the syntax errors.
pub(super) fn parse(at: &At) -> (DeTable<'static>, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(at.text);
    let problems = errors
        .iter()
        .take(MOST_COLLECTED)
        .map(|error| {
            let help = "correct the TOML here; https://toml.io/en/v1.0.0 describes it".to_owned();
            at.error("DR001", error.span().unwrap_or(0..0), error.message(), help)
        })
        .collect();
    (table.into_inner(), problems)
}

/// Converts `value` to a node with the span `span`.
fn node(value: &Value, span: &std::ops::Range<usize>) -> Node {
    let value = match value {
        Value::String(text) => DeValue::String(text.clone().into()),
        Value::Bool(value) => DeValue::Boolean(*value),
        Value::Array(items) => DeValue::Array(items.iter().map(|item| node(item, span)).collect()),
        // Only numbers are left, since inputs have no tables. Their text outlives the tree as the
        // file's does.
        other => {
            let text: &'static str = Box::leak(other.to_string().into_boxed_str());
            DeValue::parse(text).map_or_else(|_| DeValue::String(text.into()), Spanned::into_inner)
        }
    };
    Spanned::new(span.clone(), value)
}

/// Replaces the templates in all strings within `value`; returns false if one could not be
/// replaced.
pub(super) fn expand_all(
    value: &mut Node,
    variables: &Variables,
    at: &At,
    problems: &mut Vec<Diagnostic>,
) -> bool {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) => match expand(text, variables) {
            Ok(None) => true,
            Ok(Some(new)) => {
                *value = node(&new, &span);
                true
            }
            Err(errors) => {
                let told = errors.iter().filter_map(|it| template_problem(it, variables, at, span.clone()));
                problems.extend(told);
                false
            }
        },
        DeValue::Array(items) => {
            let mut whole = true;
            for item in items.iter_mut() {
                whole &= expand_all(item, variables, at, problems);
            }
            whole
        }
        DeValue::Table(table) => {
            let mut whole = true;
            for (_, item) in table.iter_mut() {
                whole &= expand_all(item, variables, at, problems);
            }
            whole
        }
        _ => true,
    }
}

fn template_problem(
    error: &TemplateError,
    variables: &Variables,
    at: &At,
    span: std::ops::Range<usize>,
) -> Option<Diagnostic> {
    let span = template_place(error, at, &span).unwrap_or(span);
    Some(match error {
        TemplateError::Refused => return None,
        TemplateError::Open => at.error(
            "DR110",
            span,
            "`${` is never closed",
            "close it with `}`, or write `$${` for a plain `${`".to_owned(),
        ),
        TemplateError::Unknown(name) => {
            let help = match guess_dotted(name, variables.keys().map(String::as_str)) {
                _ if name == "each.key" => {
                    "give this table a `for_each`; only there is `each.key` known".to_owned()
                }
                Some(guess) => format!("did you mean `${{{guess}}}`?"),
                None => format!(
                    "known here: {}; write `$${{` for a plain `${{`",
                    variables.keys().cloned().collect::<Vec<_>>().join(", ")
                ),
            };
            at.error("DR111", span, format!("`${{{name}}}` is not known here"), help)
        }
        TemplateError::TooLong => at.error(
            "DR113",
            span,
            format!("with its templates replaced, the text is longer than {LONGEST} bytes"),
            "shorten the inputs in it, or use fewer of them".to_owned(),
        ),
        TemplateError::NotText(name) => at.error(
            "DR112",
            span,
            format!("`${{{name}}}` is a list and stands within a longer string"),
            "let the template be the whole string".to_owned(),
        ),
    })
}

/// Returns the range of the faulty template within the value at `span`, if the file has its text
/// verbatim.
fn template_place(
    error: &TemplateError,
    at: &At,
    span: &std::ops::Range<usize>,
) -> Option<std::ops::Range<usize>> {
    let text = at.text.get(span.clone())?;
    let begins = text.match_indices("${").map(|(begin, _)| begin).filter(|it| !text[..*it].ends_with('$'));
    let mut found =
        begins.map(|begin| begin..text[begin..].find('}').map_or(begin + 2, |end| begin + end + 1));
    let place = match error {
        TemplateError::Open => found.find(|it| it.len() == 2),
        TemplateError::Unknown(name) | TemplateError::NotText(name) => {
            found.find(|it| text.get(it.start + 2..it.end - 1).is_some_and(|inner| inner.trim() == name))
        }
        TemplateError::Refused | TemplateError::TooLong => None,
    };
    place.map(|it| span.start + it.start..span.start + it.end)
}

/// Keeps the fields of `table` for which `wanted` returns true.
pub(super) fn keep(table: &mut DeTable<'static>, wanted: impl Fn(&str) -> bool) {
    let fields = std::mem::take(table).into_iter();
    *table = fields.filter(|(key, _)| wanted(key.get_ref().as_ref())).collect();
}

/// Returns the type of `value` with its article.
pub(super) fn article(value: &DeValue<'_>) -> String {
    match value.type_str() {
        "array" => "a list".to_owned(),
        "datetime" => "a date".to_owned(),
        it @ "integer" => format!("an {it}"),
        it => format!("a {it}"),
    }
}

/// True if `value` is a single word or number, which quotes turn into a string.
pub(super) fn is_single(value: &DeValue<'_>) -> bool {
    !matches!(value, DeValue::Array(_) | DeValue::Table(_))
}

/// Most words compared with an unknown one.
///
/// A stack with more has thousands of components, and comparing each of as many wrong names with
/// all of them takes minutes.
const MOST_COMPARED: usize = 1_000;

/// Returns the one of `known` that was probably meant.
pub(crate) fn guess<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Jaro-Winkler above 0.7 is the customary threshold between a typo and another word.
    known
        .take(MOST_COMPARED)
        .map(|it| (strsim::jaro_winkler(word, it), it))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, it)| it)
}

/// Like [`guess`], for words such as `input.company`: if the part before the dot is right, compares
/// only the rest.
pub(super) fn guess_dotted<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    // Covers `${company}` and `${var.company}` for `${input.company}`.
    let tail = word.rsplit('.').next().unwrap_or(word);
    let same_tail = known.clone().find(|it| it.split_once('.').is_some_and(|(_, rest)| rest == tail));
    let Some((head, rest)) = word.split_once('.') else {
        return same_tail.or_else(|| guess(word, known));
    };
    let mut siblings =
        known.clone().filter_map(|it| Some((it, it.strip_prefix(head)?.strip_prefix('.')?))).peekable();
    if siblings.peek().is_none() {
        return same_tail.or_else(|| guess(word, known));
    }
    let likely = guess(rest, siblings.clone().map(|(_, rest)| rest))?;
    siblings.find(|(_, rest)| *rest == likely).map(|(whole, _)| whole)
}

/// Collects every string within `value` that is a reference.
pub(super) fn references<'a>(value: &'a mut Node, found: &mut Vec<&'a mut Node>) {
    match value.get_ref() {
        DeValue::String(text) if text.starts_with('@') => found.push(value),
        DeValue::Array(_) | DeValue::Table(_) => match value.get_mut() {
            DeValue::Array(items) => items.iter_mut().for_each(|item| references(item, found)),
            DeValue::Table(table) => table.iter_mut().for_each(|(_, item)| references(item, found)),
            _ => {}
        },
        _ => {}
    }
}

/// Converts the value to JSON; a date becomes text.
pub(super) fn to_json(value: &Node) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Datetime(value) => Value::from(value.to_string()),
        DeValue::Array(items) => items.iter().map(to_json).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value))).collect()
        }
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
    }
}
