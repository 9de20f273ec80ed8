//! What AWS makes of calls, for tests of plans: the state before → the state after. Pure.

use super::call::Call;
use super::found::Found;

/// The function after these calls.
pub(super) fn applied(found: &Found, calls: &[Call]) -> Found {
    let mut after = found.clone();
    for call in calls {
        apply(&mut after, call);
    }
    after
}

fn apply(found: &mut Found, call: &Call) {
    let role = &mut found.role;
    match call.clone() {
        Call::Tag { tags, .. } => found.tags.extend(tags),
        Call::Untag { keys, .. } => found.tags.retain(|key, _| !keys.contains(key)),
        Call::PutPolicy { name, document, .. } => {
            role.policies.get_or_insert_default().insert(name);
            (role.own, role.may_send) = (Some(document), Some(true));
        }
        Call::DeletePolicy { name, .. } => {
            assert!(role.policies.get_or_insert_default().remove(&name));
            (role.own, role.may_send) = (None, Some(false));
        }
        Call::Trust { document, .. } => role.trust = Some(document),
        Call::DeadLetter { target, .. } => {
            found.dead_letter = (!target.is_empty()).then_some(target);
        }
        Call::Configure { config, qualifier, .. } => {
            assert!(!config.is_empty() && qualifier == found.qualifier);
            found.asynchronous = Some(config);
        }
        Call::Unconfigure { qualifier, .. } => {
            assert!(found.asynchronous.take().is_some() && qualifier == found.qualifier);
        }
    }
}
