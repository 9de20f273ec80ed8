//! Whether what was asked for is there: what the calls of a plan were to bring about, held against what AWS says
//! afterwards. Pure.

use serde_json::Value;

use super::call::Call;
use super::found::{Asynchronous, Found};

/// What is not as these calls were to make it: what was expected, what is found.
pub(super) fn differences(found: &Found, calls: &[Call]) -> Vec<String> {
    calls.iter().flat_map(|call| of(found, call)).collect()
}

fn of(found: &Found, call: &Call) -> Vec<String> {
    match call {
        Call::Tag { tags, .. } => {
            let differs = |(key, value): (&String, &String)| {
                differs(&format!("the tag {key}"), Some(value), found.tags.get(key))
            };
            tags.iter().filter_map(differs).collect()
        }
        Call::Untag { keys, .. } => {
            let differs =
                |key: &String| differs(&format!("the tag {key}"), None, found.tags.get(key));
            keys.iter().filter_map(differs).collect()
        }
        Call::DeadLetter { target, .. } => {
            let wanted = Some(target).filter(|target| !target.is_empty());
            differs("DeadLetterConfig.TargetArn", wanted, found.dead_letter.as_ref())
                .into_iter()
                .collect()
        }
        Call::Configure { config, .. } => configured(config, found.asynchronous.as_ref()),
        Call::Unconfigure { .. } => {
            let left = found.asynchronous.as_ref().filter(|left| !left.is_empty());
            left.map(|left| {
                format!("expected no configuration of asynchronous invocations, found {left:?}")
            })
            .into_iter()
            .collect()
        }
        Call::PutPolicy { name, document, .. } => policy(found, name, Some(document)),
        Call::DeletePolicy { name, .. } => policy(found, name, None),
        Call::Trust { document, .. } => trust(found, document),
    }
}

/// Numbers that are not said are Lambda's.
fn configured(wanted: &Asynchronous, found: Option<&Asynchronous>) -> Vec<String> {
    let found = found.cloned().unwrap_or_default();
    let text = |number: Option<i32>| number.map(|number| number.to_string());
    let said = |wanted: Option<i32>, found| text(wanted.and(found));
    [
        ("MaximumRetryAttempts", text(wanted.retries), said(wanted.retries, found.retries)),
        ("MaximumEventAgeInSeconds", text(wanted.age), said(wanted.age, found.age)),
        ("OnFailure", wanted.failure.clone(), found.failure),
        ("OnSuccess", wanted.success.clone(), found.success),
    ]
    .into_iter()
    .filter_map(|(what, wanted, found)| differs(what, wanted.as_ref(), found.as_ref()))
    .collect()
}

/// Whoever may not read a role's policies, or one of them, is told nothing of that.
fn policy(found: &Found, name: &str, wanted: Option<&Value>) -> Vec<String> {
    let Some(policies) = &found.role.policies else { return Vec::new() };
    let own = found.role.own.as_ref().or(wanted);
    let there = own.filter(|_| policies.contains(name));
    let what = format!("the policy {name} of {}", found.role.arn);
    differs(&what, wanted, there).into_iter().collect()
}

fn trust(found: &Found, wanted: &Value) -> Vec<String> {
    let Some(trust) = &found.role.trust else { return Vec::new() };
    differs(&format!("the trust policy of {}", found.role.arn), Some(wanted), Some(trust))
        .into_iter()
        .collect()
}

fn differs<T: ToString + PartialEq>(
    what: &str,
    wanted: Option<&T>,
    found: Option<&T>,
) -> Option<String> {
    let text = |value: Option<&T>| value.map_or_else(|| "none".to_owned(), T::to_string);
    (wanted != found)
        .then(|| format!("expected {what} to be {}, found {}", text(wanted), text(found)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::apply::applied;
    use crate::attach::found::{Wanted, Way, sample};
    use crate::attach::{plan, undo};

    /// Each call of attaching and detaching, done and not done.
    #[test]
    fn what_did_not_take_is_told_and_what_did_is_not() {
        for way in [Way::Destination, Way::DeadLetter] {
            let wanted = Wanted {
                queue: "arn:q".to_owned(),
                way,
                retries: 0,
                replace: false,
                trusted: None,
            };
            let calls = plan::plan(&sample(), &wanted).unwrap().calls;
            let attached = applied(&sample(), &calls);
            assert_eq!(differences(&attached, &calls), [""; 0]);
            for call in &calls {
                let told = differences(&sample(), std::slice::from_ref(call));
                assert!(!told.is_empty(), "{call:?}");
            }
            let calls = undo::undo(&attached).unwrap().calls;
            assert_eq!(differences(&applied(&attached, &calls), &calls), [""; 0]);
            for call in &calls {
                let told = differences(&attached, std::slice::from_ref(call));
                assert!(!told.is_empty(), "{call:?}");
            }
        }
    }

    #[test]
    fn each_part_is_named_with_what_is_there() {
        let config = Asynchronous {
            retries: Some(0),
            failure: Some("arn:q".into()),
            ..Asynchronous::default()
        };
        let call = Call::Configure { function: "f".into(), qualifier: None, config };
        let there = Asynchronous { retries: Some(2), failure: None, ..Asynchronous::default() };
        let found = Found { asynchronous: Some(there), ..sample() };
        assert_eq!(
            differences(&found, &[call]),
            [
                "expected MaximumRetryAttempts to be 0, found 2",
                "expected OnFailure to be arn:q, found none",
            ]
        );
    }
}
