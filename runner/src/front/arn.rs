//! Under which ARN a function is invoked: what the handler finds in `invoked_function_arn`. Pure.

use super::FunctionFacts;
use crate::function::name::FunctionName;

/// Path and query name two different qualifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The ARN as invoked. A caller who gives a full ARN is taken at the word; any other name stands for the function
/// that is served.
pub(super) fn invoked(
    facts: &FunctionFacts,
    name: &str,
    qualifier: Option<&str>,
) -> Result<String, Ambiguous> {
    let named = name.parse::<FunctionName>().ok();
    let own = named.as_ref().and_then(FunctionName::qualifier);
    if let (Some(own), Some(other)) = (own, qualifier)
        && own != other
    {
        return Err(Ambiguous);
    }
    let given =
        named.as_ref().map(FunctionName::unqualified).filter(|name| name.starts_with("arn:"));
    let Some(qualifier) = own.or(qualifier) else {
        return Ok(given.unwrap_or_else(|| facts.arn.clone()));
    };
    let served = || facts.arn.parse::<FunctionName>().ok().map(|arn| arn.unqualified());
    let base = given.or_else(served).unwrap_or_else(|| facts.arn.clone());
    Ok(format!("{base}:{qualifier}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invoked_arn_has_the_qualifier_that_was_asked_for() {
        let served = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        let other = "arn:aws:lambda:us-east-1:999999999999:function:g";
        let facts = |arn: &str| FunctionFacts { version: "$LATEST".into(), arn: arn.into() };
        let live = format!("{served}:live");
        let table = [
            (served, "f", None, served.to_owned()),
            (served, "function", None, served.to_owned()),
            (served, "any name, even this", None, served.to_owned()),
            (served, "f", Some("7"), format!("{served}:7")),
            (served, "f:7", None, format!("{served}:7")),
            (served, "f:7", Some("7"), format!("{served}:7")),
            (served, "123456789012:function:f:$LATEST", None, format!("{served}:$LATEST")),
            (served, other, None, other.to_owned()),
            (served, other, Some("7"), format!("{other}:7")),
            (&live, "f", None, live.clone()),
            (&live, "f", Some("7"), format!("{served}:7")),
        ];
        for (arn, name, qualifier, expected) in table {
            assert_eq!(invoked(&facts(arn), name, qualifier), Ok(expected), "{name} {qualifier:?}");
        }
        assert_eq!(invoked(&facts(served), "f:7", Some("8")), Err(Ambiguous));
    }
}
