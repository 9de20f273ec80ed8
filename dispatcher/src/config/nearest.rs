//! What the parser of the configuration file says, with the place and the nearest name that would have been valid. Pure.

/// The problem in a line: where, what, and what was probably meant.
pub(super) fn explained(error: &toml::de::Error, text: &str) -> String {
    let message = error.message();
    let place = error.span().map_or(String::new(), |span| {
        let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
        format!("line {line}: ")
    });
    let hint = meant(message).map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
    format!("{place}{message}{hint}")
}

/// The valid name that is nearest to the one that was found, from serde's "unknown field `x`, expected one of `a`, `b`".
fn meant(message: &str) -> Option<&str> {
    let (found, expected) = message.split_once(", expected ")?;
    let found = found.rsplit('`').nth(1)?;
    let names = expected.split('`').skip(1).step_by(2);
    names.min_by_key(|name| strsim::damerau_levenshtein(name, found))
}
