//! Which calls undo what attaching has done, and nothing else: what somebody has changed since stays. Pure.

use super::call::Call;
use super::found::{Asynchronous, Found, Way};
use super::note::{self, Note};
use super::plan::{Plan, policy_name};
use super::trust;

/// The calls that detach.
pub fn undo(found: &Found) -> Result<Plan, String> {
    let qualifier = found.qualifier.as_deref();
    let Some(note) = Note::read(&found.tags, qualifier)? else { return Ok(Plan::default()) };
    let mut plan = Plan::default();
    let back = [
        dead_letter(found, &note, &mut plan),
        configuration(found, &note, &mut plan),
        trust(found, &note, &mut plan),
        policy(found, &note),
    ];
    plan.calls.extend(back.into_iter().flatten());
    // Last: until then it can be done again.
    let keys = note::keys(qualifier).into_iter().filter(|key| found.tags.contains_key(key));
    plan.calls.push(Call::Untag { arn: found.arn.clone(), keys: keys.collect() });
    Ok(plan)
}

fn dead_letter(found: &Found, note: &Note, plan: &mut Plan) -> Option<Call> {
    let before = note.target.as_ref().filter(|_| note.way == Way::DeadLetter)?;
    if found.dead_letter.as_ref() != Some(&note.queue) {
        plan.remarks.push(changed("dead-letter queue", found.dead_letter.as_ref()));
        return None;
    }
    let (function, target) = (found.arn.clone(), before.clone().unwrap_or_default());
    Some(Call::DeadLetter { function, target })
}

fn changed(what: &str, now: Option<&String>) -> String {
    let now = now.map_or("none", String::as_str);
    format!("the {what} is {now}, somebody has changed it since: it stays")
}

fn configuration(found: &Found, note: &Note, plan: &mut Plan) -> Option<Call> {
    let now = found.asynchronous.as_ref()?;
    let mut config = now.clone();
    if let Some((set, before)) = note.retries
        && config.retries == Some(set)
    {
        config.retries = before;
    }
    if let Some(before) = note.target.as_ref().filter(|_| note.way == Way::Destination) {
        if config.failure.as_ref() == Some(&note.queue) {
            config.failure.clone_from(before);
        } else if config.failure != *before {
            plan.remarks.push(changed("OnFailure destination", config.failure.as_ref()));
        }
    }
    let (function, qualifier) = (found.arn.clone(), found.qualifier.clone());
    if config.is_empty() && !note.configured {
        return Some(Call::Unconfigure { function, qualifier });
    }
    (config != *now).then(|| configure(function, qualifier, config))
}

/// Lambda refuses a configuration that says nothing.
fn configure(function: String, qualifier: Option<String>, config: Asynchronous) -> Call {
    if config.is_empty() {
        return Call::Unconfigure { function, qualifier };
    }
    Call::Configure { function, qualifier, config }
}

fn policy(found: &Found, note: &Note) -> Option<Call> {
    let name = policy_name(&found.name, found.qualifier.as_deref());
    // Where the list cannot be read, the role may still have it.
    let there = found.role.policies.as_ref().is_none_or(|policies| policies.contains(&name));
    (note.policy && there).then(|| Call::DeletePolicy { role: found.role.name().to_owned(), name })
}

fn trust(found: &Found, note: &Note, plan: &mut Plan) -> Option<Call> {
    if !note.trust {
        return None;
    }
    let role = &found.role;
    let stays = match (&found.sharing, &role.trust) {
        (Some(others), Some(_)) if !others.is_empty() => {
            format!("{} rely on it", others.join(", "))
        }
        (Some(_), Some(document)) => match trust::without(document) {
            Some(document) => {
                return Some(Call::Trust { role: role.name().to_owned(), document });
            }
            None => return None,
        },
        _ => "whether others rely on it could not be told (that needs iam:GetRole, lambda:ListFunctions and lambda:ListTags)".to_owned(),
    };
    plan.remarks.push(format!("the statement of trust of {} stays: {stays}", role.arn));
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::super::apply::applied;
    use super::super::found::{Wanted, sample};
    use super::super::plan::plan;
    use super::super::trust::Who;
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";
    const OLD: &str = "arn:aws:sns:eu-west-1:123456789012:old";

    fn lambda() -> Value {
        json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" },
        ]})
    }

    fn wanted(way: Way) -> Wanted {
        let trusted = Some(Who::tasks(&sample().arn));
        Wanted { queue: QUEUE.to_owned(), way, retries: 0, replace: true, trusted }
    }

    /// Functions as they may be found, by the configurations that matter.
    fn functions() -> Vec<Found> {
        let config = |retries, age, success: Option<&str>, failure: Option<&str>| Asynchronous {
            retries,
            age,
            success: success.map(str::to_owned),
            failure: failure.map(str::to_owned),
        };
        let configs = [
            None,
            Some(config(Some(2), None, None, None)),
            Some(config(None, Some(60), Some(OLD), None)),
            Some(config(Some(0), None, None, Some(OLD))),
            Some(config(Some(0), None, None, Some(QUEUE))),
            Some(config(None, None, None, Some(OLD))),
        ];
        let mut all = Vec::new();
        for asynchronous in configs {
            for dead_letter in [None, Some(OLD.to_owned()), Some(QUEUE.to_owned())] {
                for qualifier in [None, Some("live".to_owned())] {
                    let mut found = Found {
                        asynchronous: asynchronous.clone(),
                        dead_letter: dead_letter.clone(),
                        qualifier,
                        ..sample()
                    };
                    found.role.trust = Some(lambda());
                    found.sharing = Some(Vec::new());
                    all.push(found);
                }
            }
        }
        all
    }

    #[test]
    fn what_was_attached_is_detached_to_the_letter_wherever_either_was_cut_off() {
        for before in functions() {
            for way in [Way::Destination, Way::DeadLetter] {
                let calls = plan(&before, &wanted(way)).unwrap().calls;
                for done in 0..=calls.len() {
                    let cut = applied(&before, &calls[..done]);
                    // Taken up again, all is as wanted, and nothing more is to be done.
                    let whole = applied(&cut, &plan(&cut, &wanted(way)).unwrap().calls);
                    assert_eq!(plan(&whole, &wanted(way)).unwrap().calls, [], "{before:?}");
                    assert_eq!(whole.tags["team"], "images");
                    for found in [cut, whole] {
                        let back = undo(&found).unwrap().calls;
                        for undone in 0..=back.len() {
                            let half = applied(&found, &back[..undone]);
                            let after = applied(&half, &undo(&half).unwrap().calls);
                            assert_eq!(after, before);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_changed_since_stays() {
        let before = sample();
        let mut found = applied(&before, &plan(&before, &wanted(Way::Destination)).unwrap().calls);
        let config = found.asynchronous.as_mut().unwrap();
        (config.failure, config.age, config.retries) = (Some(OLD.to_owned()), Some(60), Some(1));
        let plan = undo(&found).unwrap();
        assert!(plan.remarks[0].contains(OLD), "{:?}", plan.remarks);
        let after = applied(&found, &plan.calls);
        assert_eq!(after.asynchronous, found.asynchronous);
        assert_eq!(after.tags, before.tags);
    }

    #[test]
    fn trust_stays_while_others_rely_on_it_or_that_cannot_be_told() {
        let mut before = sample();
        before.role.trust = Some(lambda());
        let attached = applied(&before, &plan(&before, &wanted(Way::Destination)).unwrap().calls);
        for (sharing, part) in
            [(Some(vec!["other".to_owned()]), "other rely"), (None, "could not be told")]
        {
            let plan = undo(&Found { sharing, ..attached.clone() }).unwrap();
            assert!(plan.remarks[0].contains(part), "{:?}", plan.remarks);
            assert!(!plan.calls.iter().any(|call| matches!(call, Call::Trust { .. })));
        }
    }

    #[test]
    fn what_was_not_attached_is_left_alone() {
        for found in functions() {
            assert_eq!(undo(&found).unwrap(), Plan::default());
        }
        let mut found = sample();
        found.role.policies = Some(BTreeSet::from([policy_name("resize", None)]));
        assert_eq!(undo(&found).unwrap(), Plan::default());
    }
}
