//! Which calls wire a function to a queue: what is wanted and what is found → what is to be done, in an order that can
//! be cut off anywhere and taken up again. Pure.

use serde_json::{Value, json};

use super::call::Call;
use super::found::{Asynchronous, Found, Wanted, Way};
use super::note::Note;

/// What is to be done, and what is to be known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// Remarks for people.
    pub remarks: Vec<String>,
}

/// What the names of policies begin with that attaching gives to roles.
const POLICY: &str = "immortal-failures-";

/// The name of the policy of a function, version or alias: functions may share a role.
pub fn policy_name(function: &str, qualifier: Option<&str>) -> String {
    let qualifier = qualifier.map(|qualifier| format!(".{qualifier}")).unwrap_or_default();
    format!("{POLICY}{function}{qualifier}")
}

/// The policy that lets a role send to the queue.
pub fn policy(queue: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue },
    ]})
}

/// The calls that attach. Refuses what would take away somebody else's destination.
pub fn plan(found: &Found, wanted: &Wanted) -> Result<Plan, String> {
    let earlier = Note::read(&found.tags, found.qualifier.as_deref())?;
    refuse(found, wanted, earlier.as_ref())?;
    let mut plan = Plan::default();
    let policy = policy_call(found, wanted, &mut plan);
    let trust = trust_call(found, wanted, &mut plan);
    let dead_letter = (wanted.way == Way::DeadLetter
        && found.dead_letter.as_deref() != Some(&wanted.queue))
    .then(|| Call::DeadLetter { function: found.arn.clone(), target: wanted.queue.clone() });
    let configure = configure_call(found, wanted);
    let note = noted(found, wanted, earlier.clone(), policy.is_some(), trust.is_some());
    let changes = [policy, trust, dead_letter, configure];
    if changes.iter().all(Option::is_none) {
        return Ok(plan);
    }
    if earlier.as_ref() != Some(&note) {
        let tags = note.tags(found.qualifier.as_deref())?;
        plan.calls.push(Call::Tag { arn: found.arn.clone(), tags });
    }
    plan.calls.extend(changes.into_iter().flatten());
    Ok(plan)
}

/// What the function's failures go to now, by this way.
fn target(found: &Found, way: Way) -> Option<&str> {
    match way {
        Way::Destination => found.asynchronous.as_ref()?.failure.as_deref(),
        Way::DeadLetter => found.dead_letter.as_deref(),
    }
}

fn refuse(found: &Found, wanted: &Wanted, earlier: Option<&Note>) -> Result<(), String> {
    let name = &found.name;
    if let Some(note) = earlier
        && note.way != wanted.way
    {
        let (is, way) = (note.way.as_str(), wanted.way.as_str());
        return Err(format!(
            "expected `{name}` not to be attached yet, or as {way}, found it attached as {is}: `detach` it first"
        ));
    }
    let Some(other) = target(found, wanted.way) else { return Ok(()) };
    let ours = other == wanted.queue || earlier.is_some_and(|note| note.queue == other);
    if ours || wanted.replace {
        return Ok(());
    }
    let what = match wanted.way {
        Way::Destination => "OnFailure destination",
        Way::DeadLetter => "dead-letter queue",
    };
    Err(format!(
        "expected `{name}` to have no {what}, found {other}: `--replace` puts the queue in its place and `detach` brings it back, or choose the other way with `--as`"
    ))
}

/// The note with what is to be changed now; what was there before an earlier, unfinished or different attachment stays.
fn noted(found: &Found, wanted: &Wanted, earlier: Option<Note>, policy: bool, trust: bool) -> Note {
    let now = target(found, wanted.way);
    let before = found.asynchronous.as_ref().and_then(|config| config.retries);
    let mut note = earlier.unwrap_or(Note {
        way: wanted.way,
        queue: wanted.queue.clone(),
        target: None,
        retries: None,
        configured: found.asynchronous.is_some(),
        policy: false,
        trust: false,
    });
    note.queue.clone_from(&wanted.queue);
    if now != Some(&wanted.queue) && note.target.is_none() {
        note.target = Some(now.map(str::to_owned));
    }
    if before != Some(wanted.retries) {
        let first = note.retries.map_or(before, |(_, first)| first);
        note.retries = Some((wanted.retries, first));
    }
    note.policy |= policy;
    note.trust |= trust;
    note
}

fn policy_call(found: &Found, wanted: &Wanted, plan: &mut Plan) -> Option<Call> {
    let (role, queue) = (&found.role, &wanted.queue);
    let name = policy_name(&found.name, found.qualifier.as_deref());
    let document = policy(queue);
    if role.own.as_ref() == Some(&document) {
        return None;
    }
    let Some(policies) = &role.policies else {
        if role.may_send != Some(true) {
            plan.remarks.push(format!(
                "whether {} may send to the queue could not be told (that needs iam:SimulatePrincipalPolicy or iam:ListRolePolicies): Lambda refuses what follows if it may not",
                role.arn
            ));
        }
        return None;
    };
    // What others were given may be taken from them again.
    let lent = policies.iter().any(|other| other.starts_with(POLICY) && *other != name);
    if role.may_send == Some(true) && !lent {
        return None;
    }
    Some(Call::PutPolicy { role: role.name().to_owned(), name, document })
}

fn trust_call(found: &Found, wanted: &Wanted, plan: &mut Plan) -> Option<Call> {
    let who = wanted.trusted.as_ref()?;
    let role = &found.role;
    let Some(document) = &role.trust else {
        let statement = who.statement();
        plan.remarks.push(format!(
            "the trust policy of {} could not be read (that needs iam:GetRole): let somebody who may add {statement}",
            role.arn
        ));
        return None;
    };
    let document = who.with(document)?;
    Some(Call::Trust { role: role.name().to_owned(), document })
}

fn configure_call(found: &Found, wanted: &Wanted) -> Option<Call> {
    let now = found.asynchronous.clone().unwrap_or_default();
    let mut config = Asynchronous { retries: Some(wanted.retries), ..now.clone() };
    if wanted.way == Way::Destination {
        config.failure = Some(wanted.queue.clone());
    }
    let (function, qualifier) = (found.arn.clone(), found.qualifier.clone());
    (config != now).then_some(Call::Configure { function, qualifier, config })
}

#[cfg(test)]
mod tests;
