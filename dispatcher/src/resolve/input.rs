//! What a rule makes of an event for its target (EventBridge user guide, "Amazon EventBridge input transformation"):
//! its dead letters have the event as it was before. Pure; `aws` asks for the target.

use bytes::Bytes;
use serde_json::value::RawValue;

/// What a target gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The event.
    Event,
    /// This JSON text, whatever the event.
    Constant(String),
    /// A part of the event (`$.detail`).
    Path(String),
    /// Something that a template makes of it.
    Template,
}

/// What the target would have got of this event. Errors say what was expected, what was found, what to do.
pub fn apply(input: &Input, event: &Bytes) -> Result<Bytes, String> {
    match input {
        Input::Event => Ok(event.clone()),
        Input::Constant(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        Input::Path(path) => part(path, event).ok_or_else(|| {
            format!("expected the part `{path}` of the event, which the rule gives its target, found no such part")
        }),
        Input::Template => Err(
            "expected a rule that gives its target the event or a part of it, found an input template: \
             run what it would have made of the event by `submit`"
                .to_owned(),
        ),
    }
}

/// The part at a path of names: `$`, `$.detail`, `$.detail.order`. Its bytes are kept.
fn part(path: &str, event: &Bytes) -> Option<Bytes> {
    let names = path.strip_prefix('$')?;
    let mut found: &RawValue = serde_json::from_slice(event).ok()?;
    for name in names.split('.').skip(1) {
        let object: std::collections::BTreeMap<String, &RawValue> =
            serde_json::from_str(found.get()).ok()?;
        found = object.get(name).copied()?;
    }
    (names.is_empty() || names.starts_with('.'))
        .then(|| Bytes::copy_from_slice(found.get().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_gets_what_its_rule_says() {
        let event = Bytes::from_static(b"{\"detail\":{\"order\": {\"n\": 1.10}},\"id\":\"x\"}");
        let of = |input| apply(&input, &event);
        assert_eq!(of(Input::Event).unwrap(), event);
        assert_eq!(of(Input::Constant("{\"a\":1}".into())).unwrap(), "{\"a\":1}");
        for (path, expected) in [
            ("$", Some("{\"detail\":{\"order\": {\"n\": 1.10}},\"id\":\"x\"}")),
            ("$.detail.order", Some("{\"n\": 1.10}")),
            ("$.id", Some("\"x\"")),
            ("$.nothing", None),
            ("$detail", None),
            ("detail", None),
            ("$.id.x", None),
        ] {
            let found = of(Input::Path(path.into())).ok();
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{path}");
        }
        assert!(of(Input::Template).unwrap_err().contains("`submit`"));
    }
}
