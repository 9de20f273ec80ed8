use super::*;

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";

fn lambda() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
    }]})
}

#[test]
fn the_statement_is_added_once_and_taken_away_again() {
    for who in [Who::tasks(FUNCTION), Who::Role("arn:aws:iam::123456789012:role/runner".to_owned())]
    {
        assert_eq!(who.is_trusted(&lambda()), Trusted::No);
        let trusting = who.with(&lambda()).unwrap();
        assert_eq!(trusting["Statement"][0], lambda()["Statement"][0]);
        assert_eq!(who.is_trusted(&trusting), Trusted::Yes);
        assert_eq!(who.with(&trusting), None);
        assert_eq!(without(&trusting), Some(lambda()));
    }
    assert_eq!(without(&lambda()), None);
    let statement = Who::tasks(FUNCTION).statement();
    assert_eq!(
        statement["Condition"]["ArnLike"]["aws:SourceArn"],
        "arn:aws:ecs:eu-west-1:123456789012:*"
    );
}

#[test]
fn a_role_serves_in_several_regions() {
    let far = Who::tasks("arn:aws:lambda:us-east-1:123456789012:function:resize");
    let both = far.with(&Who::tasks(FUNCTION).with(&lambda()).unwrap()).unwrap();
    assert_eq!(both["Statement"].as_array().unwrap().len(), 2);
    assert_eq!(far.is_trusted(&both), Trusted::Yes);
    assert_eq!(Who::tasks(FUNCTION).is_trusted(&both), Trusted::Yes);
    assert_eq!(without(&both), None, "one of them still relies on it");
}

#[test]
fn conditions_are_understood_or_said_not_to_be() {
    let tasks = Who::tasks(FUNCTION);
    for (principal, action, condition, expected) in [
        (
            json!({ "Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"] }),
            "sts:AssumeRole",
            Value::Null,
            Trusted::Yes,
        ),
        (json!({ "Service": "ecs-tasks.amazonaws.com" }), "sts:*", json!({}), Trusted::Yes),
        (json!({ "Service": "ecs-tasks.amazonaws.com" }), "sts:TagSession", json!({}), Trusted::No),
        (json!({ "Service": "ecs.amazonaws.com" }), "sts:AssumeRole", Value::Null, Trusted::No),
        (
            json!({ "Service": "ecs-tasks.amazonaws.com" }),
            "sts:AssumeRole",
            json!({ "StringEquals": { "aws:SourceAccount": "999999999999" } }),
            Trusted::No,
        ),
        (
            json!({ "Service": "ecs-tasks.amazonaws.com" }),
            "sts:AssumeRole",
            json!({ "ArnLike": { "aws:SourceArn": ["x", "arn:aws:ecs:*:123456789012:*"] } }),
            Trusted::Yes,
        ),
        (
            json!({ "Service": "ecs-tasks.amazonaws.com" }),
            "sts:AssumeRole",
            json!({ "ArnLike": { "aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:*" } }),
            Trusted::No,
        ),
        (
            json!({ "Service": "ecs-tasks.amazonaws.com" }),
            "sts:AssumeRole",
            json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }),
            Trusted::Perhaps,
        ),
    ] {
        // One statement may stand without a list.
        let document = json!({ "Statement": { "Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition } });
        assert_eq!(tasks.is_trusted(&document), expected, "{document}");
    }
    let deny = json!({ "Statement": [{ "Effect": "Deny", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
    assert_eq!(tasks.is_trusted(&deny), Trusted::No);
}
