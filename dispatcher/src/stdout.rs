//! What a command prints, on standard output. Owns nothing of what it means.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::people::Refusal;

type Printed = Result<(), Refusal>;

/// Text, as it is.
pub(crate) fn print(text: &str) -> Printed {
    write(text.as_bytes())
}

/// As JSON for programs, or as text for people.
pub(crate) fn print_either(
    json: bool,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Printed {
    if !json {
        return print(&text());
    }
    let json = serde_json::to_string_pretty(value).map_err(|error| Refusal(error.to_string()))?;
    print(&(json + "\n"))
}

/// What was asked for. A reader that has gone away is no failure.
pub(crate) fn write(bytes: &[u8]) -> Printed {
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Refusal(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
