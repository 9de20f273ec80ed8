use std::collections::{BTreeMap, BTreeSet};

use super::super::found::sample;
use super::super::trust::Who;
use super::*;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";
const OLD: &str = "arn:aws:sns:eu-west-1:123456789012:old";

fn wanted() -> Wanted {
    let (queue, way) = (QUEUE.to_owned(), Way::Destination);
    Wanted { queue, way, retries: 0, replace: false, trusted: None }
}

fn names(plan: &Plan) -> Vec<&'static str> {
    plan.calls.iter().map(|call| call.request().1).collect()
}

fn having(asynchronous: Asynchronous) -> Found {
    Found { asynchronous: Some(asynchronous), ..sample() }
}

#[test]
fn a_function_is_wired_by_what_it_lacks() {
    let full = ["TagResource", "PutRolePolicy", "PutFunctionEventInvokeConfig"];
    assert_eq!(names(&plan(&sample(), &wanted()).unwrap()), full);
    let dead = Wanted { way: Way::DeadLetter, ..wanted() };
    let all = [
        "TagResource",
        "PutRolePolicy",
        "UpdateFunctionConfiguration",
        "PutFunctionEventInvokeConfig",
    ];
    assert_eq!(names(&plan(&sample(), &dead).unwrap()), all);
    let mut found = sample();
    found.role.may_send = Some(true);
    assert_eq!(names(&plan(&found, &wanted()).unwrap()), [full[0], full[2]]);
    found.asynchronous = Some(Asynchronous {
        retries: Some(0),
        failure: Some(QUEUE.to_owned()),
        ..Asynchronous::default()
    });
    assert_eq!(plan(&found, &wanted()).unwrap(), Plan::default());
}

#[test]
fn what_the_function_had_is_kept() {
    let had = Asynchronous {
        retries: Some(1),
        age: Some(600),
        success: Some(OLD.to_owned()),
        failure: None,
    };
    let plan =
        plan(&Found { qualifier: Some("live".to_owned()), ..having(had.clone()) }, &wanted())
            .unwrap();
    let config = Asynchronous { retries: Some(0), failure: Some(QUEUE.to_owned()), ..had };
    let (function, qualifier) = (sample().arn, Some("live".to_owned()));
    assert_eq!(plan.calls.last(), Some(&Call::Configure { function, qualifier, config }));
    let Call::Tag { tags, .. } = &plan.calls[0] else { panic!("{plan:?}") };
    let noted =
        format!("as=destination queue={QUEUE} target=set retries=0:1 config=kept policy=added");
    assert_eq!(*tags, BTreeMap::from([("immortal:attached:live".to_owned(), noted)]));
}

#[test]
fn somebody_elses_target_gives_way_only_if_told_and_is_noted() {
    let other =
        || having(Asynchronous { failure: Some(OLD.to_owned()), ..Asynchronous::default() });
    let refused = plan(&other(), &wanted()).unwrap_err();
    assert!(refused.contains(OLD) && refused.contains("--replace"), "{refused}");
    let dead = Wanted { way: Way::DeadLetter, ..wanted() };
    assert!(plan(&other(), &dead).is_ok(), "a dead-letter queue takes nothing away");
    let found = Found { dead_letter: Some(OLD.to_owned()), ..sample() };
    assert!(plan(&found, &dead).unwrap_err().contains("dead-letter queue"));
    let told = plan(&other(), &Wanted { replace: true, ..wanted() }).unwrap();
    let Call::Tag { tags, .. } = &told.calls[0] else { panic!("{told:?}") };
    assert_eq!(tags["immortal:replaced"], OLD);
}

#[test]
fn another_queue_of_ours_takes_over_and_the_first_note_stays() {
    let note = Note {
        way: Way::Destination,
        queue: QUEUE.to_owned(),
        target: Some(Some(OLD.to_owned())),
        retries: Some((0, Some(2))),
        configured: true,
        policy: true,
        trust: false,
    };
    let mut found = having(Asynchronous {
        retries: Some(0),
        failure: Some(QUEUE.to_owned()),
        ..Asynchronous::default()
    });
    found.tags = note.tags(None).unwrap();
    found.role.own = Some(policy(QUEUE));
    found.role.policies = Some(BTreeSet::from([policy_name("resize", None)]));
    let queue = "arn:aws:sqs:eu-west-1:123456789012:second".to_owned();
    let moved = plan(&found, &Wanted { queue: queue.clone(), ..wanted() }).unwrap();
    let Call::Tag { tags, .. } = &moved.calls[0] else { panic!("{moved:?}") };
    assert_eq!(Note::read(tags, None), Ok(Some(Note { queue, ..note })));
    let other = plan(&found, &Wanted { way: Way::DeadLetter, ..wanted() }).unwrap_err();
    assert!(other.contains("`detach` it first"), "{other}");
}

#[test]
fn a_policy_that_was_lent_by_another_function_is_not_relied_on() {
    let mut found = sample();
    found.role.may_send = Some(true);
    found.role.policies = Some(BTreeSet::from([policy_name("other", None), "own".to_owned()]));
    assert!(names(&plan(&found, &wanted()).unwrap()).contains(&"PutRolePolicy"));
    found.role.policies = None;
    assert!(!names(&plan(&found, &wanted()).unwrap()).contains(&"PutRolePolicy"));
    found.role.may_send = None;
    let untold = plan(&found, &wanted()).unwrap();
    assert!(untold.remarks[0].contains("iam:SimulatePrincipalPolicy"), "{:?}", untold.remarks);
}

#[test]
fn trust_is_given_where_it_is_wanted_or_said_how() {
    let trusted = Some(Who::tasks(&sample().arn));
    let wanted = Wanted { trusted, ..wanted() };
    let mut found = sample();
    let untold = plan(&found, &wanted).unwrap();
    assert!(untold.remarks[0].contains("ecs-tasks.amazonaws.com"), "{:?}", untold.remarks);
    found.role.trust = Some(json!({ "Statement": [] }));
    assert!(names(&plan(&found, &wanted).unwrap()).contains(&"UpdateAssumeRolePolicy"));
}
